"""How a setting is named on the command lines of `meshproof` and of pytest: one description, kept with the setting."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True)
class Option:
    """A command-line option, as metadata of a field: `budget_s: Annotated[float, Option("--budget", "S", "…")]`.

    Attributes:
        flags: `--name`, after a short one where there is one (`-n/--workers`).
        metavar: placeholder of the value in the help; empty for a switch, which takes none.
        text: for the help.
        panel: heading of the help under which it is listed; empty for the general one.
        pytest: pytest has the option too.
    """

    flags: str
    metavar: str
    text: str
    panel: str = ""
    pytest: bool = True

    @property
    def switch(self) -> bool:
        """Whether it takes no value."""
        return not self.metavar


def options(model: type[BaseModel]) -> dict[str, Option]:
    """Name of the setting → its option, in the order of the fields."""
    fields = model.model_fields.items()
    return {name: one for name, field in fields for one in field.metadata if isinstance(one, Option)}
