"""From words to a command: tyro derives the flags from the fields of dataclasses, those of a preset among them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, ClassVar, Protocol, get_args, get_type_hints

import tyro
from tyro import constructors as rules

from pipeline.config.errors import UserError
from pipeline.config.field_docs import field_docs
from pipeline.config.presets import PRESETS, preset
from pipeline.config.schema import Recipe, RunConfig

WITHOUT_PREFIX = (RunConfig, Recipe)  # a recipe's flags are --width, not --recipe.width
# The fields of a config that people change; --help shows these, --help-all shows all.
OFTEN = {"data", "out", "architecture", "arms", "seeds", "folds", "folds_used", "hours", "device", "epochs"}
EXPECTED = {int: "a whole number", float: "a number", str: "text", Path: "a path"}


class Command(Protocol):
    """A command of `python -m pipeline`: a dataclass whose fields are its flags.

    The first line of its docstring says everywhere what it does: in the overview, in its own help, and in README.
    """

    usage: ClassVar[str]
    """The command as it is given."""

    def __call__(self) -> None:
        """Do what the flags ask for."""


def summary(kind: type[Command]) -> str:
    """The first line of a command's docstring."""
    return (kind.__doc__ or "").partition("\n")[0]


def read_command(kind: Any, words: Sequence[str]) -> Command:
    """The command that the words after its name ask for.

    Where it has a `usual_preset`, the first word may name another; the flags override the preset's fields.

    Raises:
        UserError: an unknown preset or flag.
        SystemExit: with code 2, a value of the wrong type, as tyro reports it; with 0, --help.
    """
    prog, about, defaults = f"python -m pipeline {kind.usage.split()[0]}", summary(kind), {}
    short = not {"-h", "--help"}.isdisjoint(words)
    if usual := getattr(kind, "usual_preset", None):
        named = bool(words) and not words[0].startswith("-")
        chosen, words = (words[0], words[1:]) if named else (usual, words)
        if chosen not in PRESETS and Path(chosen).exists():
            raise UserError(
                f"{chosen} is no preset. Data is named with --data; a run resumes by the command that started it."
            )
        defaults = {"default": kind(preset(chosen))}
        prog += " [PRESET]"
        about += f"\n\nPRESET is {', '.join(list(PRESETS)[:-1])} or {list(PRESETS)[-1]}."
        about += f"\n\nSettings of {chosen}; --help-all lists {'the rest, too' if short else 'all'}."
    command, unknown = tyro.cli(
        kind,
        prog=prog,
        description=about,
        args=["--help" if word == "--help-all" else _at_home(word) for word in words],
        registry=_registry(short),
        return_unknown_args=True,
        **defaults,
    )
    if unknown:
        raise UserError(_unknown(unknown[0], kind))
    return command


def _at_home(word: str) -> str:
    """A word with the home folder for the ~ of --flag=~/path, which shells leave as it is."""
    flag, sign, value = word.partition("=")
    return flag + sign + os.path.expanduser(value) if flag.startswith("--") else word  # noqa: PTH111 - "" stays ""


def _registry(short: bool) -> rules.ConstructorRegistry:
    """How tyro reads our dataclasses: help in whole lines, a short one without the rare settings, no word None."""
    registry = rules.ConstructorRegistry()

    @registry.struct_rule
    def dataclass_rule(info: rules.StructTypeInfo) -> rules.StructConstructorSpec | None:
        if not is_dataclass(info.type):
            return None
        docs, types = field_docs(info.type), get_type_hints(info.type, include_extras=True)
        specs = []
        for field in fields(info.type):
            kind = types[field.name]
            rare = info.type.__module__ == RunConfig.__module__ and field.name not in OFTEN and not is_dataclass(kind)
            default = getattr(info.default, field.name, tyro.MISSING if field.default is MISSING else field.default)
            if kind in WITHOUT_PREFIX:
                kind = Annotated[kind, tyro.conf.arg(name="")]
            elif rare and short:
                kind = Annotated[kind, tyro.conf.Suppress]
            if default in (None, (), tyro.MISSING):  # the field's text says what happens without it
                kind = Annotated[kind, tyro.conf.arg(help_behavior_hint="")]
            specs.append(rules.StructFieldSpec(field.name, kind, default, docs.get(field.name)))
        return rules.StructConstructorSpec(info.type, tuple(specs))

    @registry.primitive_rule
    def optional_rule(info: rules.PrimitiveTypeInfo) -> rules.PrimitiveConstructorSpec[Any] | None:
        kinds = [kind for kind in get_args(info.type) or (info.type,) if kind is not NoneType]
        if len(kinds) != 1 or kinds[0] not in EXPECTED:
            return None
        return rules.PrimitiveConstructorSpec(
            nargs=1,
            metavar=kinds[0].__name__.upper(),
            instance_from_str=lambda words: _value(kinds[0], words[0]),
            is_instance=lambda value: value is None or isinstance(value, kinds[0]),
            str_from_instance=lambda value: [str(value)],
        )

    return registry


def _value(kind: type, word: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"expected {EXPECTED[kind]}, received {word[:40]!r}") from None


def _unknown(word: str, kind: Any) -> str:
    """What to say of a word that is no argument of a command."""
    see = f"See python -m pipeline {kind.usage.split()[0]} --help."
    if not word.startswith("-"):
        return f"{word!r} is too much: it is neither a flag nor the value of one. {see}"
    known = {flag.rpartition(".")[2]: flag for flag in _flags(kind)} | {flag: flag for flag in _flags(kind)}
    near = get_close_matches(word.strip("-").replace("_", "-").lower(), known, n=1)
    return f"unknown flag {word!r}" + (f"; did you mean '--{known[near[0]]}'? " if near else ". ") + see


def _flags(kind: Any, prefix: str = "") -> Iterator[str]:
    for field in fields(kind):
        inner = get_type_hints(kind)[field.name]
        name = field.name.replace("_", "-")
        if is_dataclass(inner):
            yield from _flags(inner, prefix if inner in WITHOUT_PREFIX else f"{prefix}{name}.")
        else:
            yield prefix + name
