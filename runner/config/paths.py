"""Paths in settings: a relative one counts from the folder where it was written, and is absolute once read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel


def _from_here(path: Path) -> Path:
    """Relative paths of the command line and of variables count from the working folder of this process."""
    return path.expanduser().absolute()


AnyPath = Annotated[Path, AfterValidator(_from_here)]
"""The type of every path in the settings."""


def anchored(data: Mapping[str, Any], model: type[BaseModel], folder: Path) -> dict[str, Any]:
    """The values of a settings file, with its relative paths made absolute from the file's own folder.

    Values of a wrong type stay as they are; the validation reports them.
    """
    made = dict(data)
    for name, field in model.model_fields.items():
        value, annotation = made.get(name), field.annotation
        if isinstance(value, Mapping) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
            made[name] = anchored(value, annotation, folder)
        elif _holds_paths(annotation):
            made[name] = _joined(value, folder)
    return {name: value for name, value in made.items() if name in data}


def _holds_paths(annotation: Any) -> bool:
    return annotation is Path or any(map(_holds_paths, get_args(annotation)))


def _joined(value: Any, folder: Path) -> Any:
    if isinstance(value, str) and value:
        return str(folder / Path(value).expanduser())
    return [_joined(one, folder) for one in value] if isinstance(value, list) else value
