"""The command line that carries out a config on this machine."""

import shlex
from dataclasses import asdict

from pipeline.config.presets import PRESETS
from pipeline.config.schema import RunConfig, settings


def run_command(config: RunConfig) -> str:
    """The command that carries out a config: the nearest preset with the flags that make up the difference."""
    wanted = _config_flags(config)
    base, flags = min(
        ((name, [words for words in wanted if words not in _config_flags(usual)])
         for name, (_, usual) in PRESETS.items()),
        key=lambda each: (len(each[1]), each[0]),
    )  # fmt: skip
    return shlex.join(["python", "-m", "pipeline", "run", base, *(word for words in flags for word in words)])


def _config_flags(config: RunConfig) -> list[list[str]]:
    """The words on the command line that set each field of a config to what it is."""
    flags = []
    for name, value in settings(asdict(config)).items():
        group, dot, word = name.replace("_", "-").rpartition(".")
        if isinstance(value, bool):
            flags.append([f"--{group}{dot}{'' if value else 'no-'}{word}"])
        elif value is not None:
            flags.append([f"--{group}{dot}{word}", *map(str, value if isinstance(value, tuple) else (value,))])
    return flags
