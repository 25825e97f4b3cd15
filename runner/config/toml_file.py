"""A file in TOML that a person wrote."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from clients.model.errors import SettingsError

_TABLE_TWICE = re.compile(r"Cannot declare \((.*?),?\) twice \(at line (\d+)")
_NAME_TWICE = re.compile(r"Cannot overwrite a value \(at line (\d+)")


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
        raise _of_no_form(f"{what} {path} cannot be read", str(error)) from None
    except RecursionError:
        raise SettingsError(f"{what} {path} cannot be read: it is nested too deeply", "the form is TOML") from None


def _of_no_form(what: str, why: str) -> SettingsError:
    """The error for a file that is no TOML. What is there twice was often put at its end by a program."""
    if table := _TABLE_TWICE.match(why):
        name = ".".join(re.findall(r"'([^']*)'", table[1]))
        return SettingsError(f"{what}: the table [{name}] is there twice, again at line {table[2]}", "keep one of both")
    if name_twice := _NAME_TWICE.match(why):
        return SettingsError(f"{what}: a name is there twice, again at line {name_twice[1]}", "keep one of both")
    return SettingsError(f"{what}: {why}", "correct that line; the form is TOML")
