"""What a user reads about a wrong setting: the object, the cause, and the nearest name."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from clients.model.errors import SettingsError
from clients.model.wrong_value import in_words, quoted

_SENSITIVE = frozenset({"identity", "iap", "notify"})
"""Settings whose values no error quotes: a token may have been put there by mistake."""


def refuse_unknown_variables(variables: Iterable[str], known: set[str], prefix: str) -> None:
    """A variable with our prefix that names no setting is a mistake (pydantic-settings would ignore it).

    Raises:
        SettingsError: there is one.
    """
    for name in variables:
        if name.startswith(prefix) and name.split("__", 1)[0] not in known:
            raise SettingsError(f"the environment variable {name} is no setting", _did_you_mean(name, known))


def refuse_empty(named: Mapping[str, object]) -> None:
    """Refuse an empty word for a cluster: a job whose own variable is unset would prove the embedded cluster instead.

    Args:
        named: option or variable that names the cluster → its value.

    Raises:
        SettingsError: one is empty.
    """
    for name, value in named.items():
        if value == "":
            raise SettingsError(f"{name} is empty", "give it a value, or leave it out")


def section_given_whole(text: str, variables: Mapping[str, str], prefix: str, model: type[BaseModel]) -> SettingsError:
    """The error for a variable that gives a section, or a list, as text that is not JSON; never quotes the value.

    Args:
        text: of the library's error, which names the field of `model`, and not the one of its section.
    """
    found = re.search(r'field "(\w+)"', text)
    top = f"{prefix}{found[1].upper()}" if found else prefix
    for name in sorted(variables):
        parts = name.removeprefix(prefix).lower().split("__")
        field = _field(model, parts) if name == top or name.startswith(f"{top}__") else None
        if field is not None and not _is_json(variables[name]) and (hint := _form_of(field, name)):
            return SettingsError(f"the environment variable {name} is not JSON", hint)
    return SettingsError(f"the environment variable {top} is not JSON", f"of a section, set {top}__NAME for each name")


def _field(model: type[BaseModel], parts: Sequence[str]) -> Any:
    """The type of the setting at the end of these names; None where there is none, or it is in a table."""
    field = model.model_fields.get(parts[0])
    if field is None or len(parts) == 1:
        return field and field.annotation
    inner = field.annotation
    return _field(inner, parts[1:]) if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _form_of(annotation: Any, name: str) -> str:
    """How to give a setting of this type by a variable; empty for one that is a plain text."""
    kinds = [get_origin(one) or one for one in (annotation, *get_args(annotation))]
    if kinds[0] in (list, tuple):
        return 'give a list in JSON, such as ["a", "b"]'
    if any(one is dict or (isinstance(one, type) and issubclass(one, BaseModel)) for one in kinds):
        return f"set {name}__NAME for each name, or give JSON"
    return ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def explain(error: ValidationError, model: type[BaseModel]) -> SettingsError:
    """The first mistake in values for `model`, in one line."""
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        last = name.rsplit(".", 1)[-1]
        return SettingsError(f"there is no setting {name}", _did_you_mean(last, set(_fields(model, first["loc"]))))
    if first["type"] == "missing":
        section, _, last = name.rpartition(".")
        return SettingsError(f"the setting {section or 'file'} lacks {last}")
    value = "" if name == "" or first["loc"][0] in _SENSITIVE else f" ({quoted(first['input'])})"
    cause = in_words(first)
    return SettingsError(f"the setting {name}{value} cannot be used: {cause}" if name else cause)


def _fields(model: type[BaseModel], loc: Iterable[int | str]) -> Mapping[str, object]:
    """The names that may come at the end of `loc`: those of the section, or of the list's entries, that it is in."""
    *above, _ = loc
    for name in above:
        field = model.model_fields.get(str(name))  # none for an entry's number
        annotation = field.annotation if field else None
        sections = (one for one in (annotation, *get_args(annotation)) if isinstance(one, type))
        model = next((one for one in sections if issubclass(one, BaseModel)), model)
    return model.model_fields


def _did_you_mean(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
