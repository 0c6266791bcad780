"""The command line that carries out a config on this machine."""

import shlex
from dataclasses import fields, is_dataclass
from typing import Any

from pipeline.config.presets import PRESETS
from pipeline.config.schema import RunConfig


def run_command(config: RunConfig) -> str:
    """The command that carries out a config: the nearest preset with the flags that make up the difference."""
    wanted = _config_flags(config)
    base, flags = min(
        ((name, {key: text for key, text in wanted.items() if _config_flags(usual).get(key) != text})
         for name, (_, usual) in PRESETS.items()),
        key=lambda each: (len(each[1]), each[0]),
    )  # fmt: skip
    return shlex.join(["python", "-m", "pipeline", "run", base, *(word for text in flags.values() for word in text)])


def _config_flags(content: Any, prefix: str = "--") -> dict[str, list[str]]:
    """The words on the command line that set each field of a config to what it is; by field."""
    flags: dict[str, list[str]] = {}
    for each in fields(content):
        value, name = getattr(content, each.name), each.name.replace("_", "-")
        if is_dataclass(value):
            flags |= _config_flags(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            flags[prefix + name] = [f"{prefix}{name if value else f'no-{name}'}"]
        elif value is not None:
            values = value if isinstance(value, tuple) else (value,)
            flags[prefix + name] = [prefix + name, *map(str, values)]
    return flags
