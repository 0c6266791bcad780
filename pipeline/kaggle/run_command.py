"""The command line that carries out a config on this machine."""

import shlex
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.config.presets import PRESETS
from pipeline.config.schema import RunConfig


def run_command(config: RunConfig, out: Path) -> str:
    """The command that carries out a config here: the nearest preset with the flags that make up the difference."""
    wanted = _flags(replace(config, out=str(out)))
    base, flags = min(
        ((name, {key: text for key, text in wanted.items() if _flags(usual).get(key) != text})
         for name, (_, usual) in PRESETS.items()),
        key=lambda each: (len(each[1]), each[0]),
    )  # fmt: skip
    return shlex.join(["python", "-m", "pipeline", "run", base, *(word for text in flags.values() for word in text)])


def _flags(content: Any, prefix: str = "--") -> dict[str, list[str]]:
    """The words on the command line that set each field of a config to what it is; by field."""
    flags: dict[str, list[str]] = {}
    for each in fields(content):
        value, name = getattr(content, each.name), each.name.replace("_", "-")
        if is_dataclass(value):
            flags |= _flags(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            flags[prefix + name] = [f"{prefix}{name if value else f'no-{name}'}"]
        elif value is not None:
            values = value if isinstance(value, tuple) else (value,)
            flags[prefix + name] = [prefix + name, *map(str, values)]
    return flags
