"""A file in TOML that a person wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from clients.model.errors import SettingsError


def values(path: Path, what: str) -> dict[str, Any]:
    """The values of the file.

    Args:
        what: it is, for the message: `the settings file`.

    Raises:
        SettingsError: it cannot be read, is no UTF-8, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{what} {path} cannot be read: {error.strerror}", "make it readable") from None
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1} of it is {error.object[error.start]:#04x}"
        raise SettingsError(f"{what} {path} is not text in UTF-8: {byte}", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{what} {path} cannot be read: {error}", "correct that line; the form is TOML") from None
    except RecursionError:
        raise SettingsError(f"{what} {path} cannot be read: it is nested too deeply", "the form is TOML") from None
