"""From words to a command: tyro derives the flags from the fields of dataclasses, those of a preset among them."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Protocol

import tyro

from pipeline.config.presets import PRESETS, preset
from pipeline.config.schema import Recipe, RunConfig

# A recipe's flags have no prefix. Here and not in the schema: a kernel has no tyro.
RunConfig.__annotations__["recipe"] = Annotated[Recipe, tyro.conf.arg(name="")]


class Command(Protocol):
    """A command of `python -m pipeline`: a dataclass whose fields are its flags.

    The first line of its docstring says everywhere what it does: in the overview, in its own help, and in README.
    """

    usage: ClassVar[str]
    """The command as it is given."""

    def carry_out(self) -> None:
        """Do what the flags ask for."""


def summary(kind: type[Command]) -> str:
    """The first line of a command's docstring."""
    return (kind.__doc__ or "").partition("\n")[0]


def read_command(kind: Any, words: Sequence[str]) -> Command:
    """The command that the words after its name ask for.

    Where it has a `usual_preset`, the first word may name another; the flags override the preset's fields.

    Raises:
        UserError: an unknown preset.
        SystemExit: with code 2, an unknown flag or a value of the wrong type, as tyro reports it; with 0, --help.
    """
    prog = f"python -m pipeline {kind.usage.split()[0]}"
    chosen = getattr(kind, "usual_preset", None)
    if chosen is None:
        return tyro.cli(kind, prog=prog, args=words)
    if words and not words[0].startswith("-"):
        chosen, *words = words
    return tyro.cli(
        kind,
        prog=f"{prog} {chosen}",
        default=kind(preset(chosen)),
        description=f"{kind.__doc__}\n\n{chosen}: {PRESETS[chosen][0]}.",
        args=words,
    )
