"""A config as JSON: in a run's folder, and at the top of a bundle."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pipeline.config.errors import UserError
from pipeline.config.schema import ADDED_SINCE, NO_MEMBER_DEPENDS_ON, RunConfig


def to_json(config: RunConfig) -> str:
    """A config as indented JSON, read back by `from_json`."""
    return json.dumps(asdict(config), indent=2) + "\n"


def from_json(text: str, where: str, *, complete: bool = True) -> RunConfig:
    """The config in a JSON text.

    Args:
        text: What `to_json` returned.
        where: Name of the text in errors.
        complete: Refuse the config of an earlier version, which lacks fields that members depend on. Its networks have
            specs that this version cannot tell apart from damage, so they are neither trained further nor compared.

    Raises:
        UserError: not JSON, an unknown key, a missing one, or a value of the wrong type; all of a kind are listed.
    """
    from pydantic import TypeAdapter, ValidationError  # 0.1 s, which --help does not need

    text = re.sub(r'"vote": "\w+",\s*', "", text)  # until the committed records are rewritten: it is no field any more
    try:
        config: RunConfig = TypeAdapter(RunConfig).validate_json(text, strict=True)
    except ValidationError as error:
        lines = [
            f"  - {'.'.join(map(str, e['loc']))}: {e['msg']}. Received: {e['input']!r}"
            if e["loc"]
            else f"  - the text: {e['msg']}"
            for e in error.errors()
        ]
        raise UserError(
            f"{where} is not a run's config:\n" + "\n".join(lines) + "\nMend these entries, or start a new run."
        ) from None
    missing = dict(_missing(asdict(config), json.loads(text)))
    if damaged := [name for name in missing if name not in ADDED_SINCE]:
        raise UserError(
            f"{where} is not a run's config: it lacks {', '.join(damaged)}. Add what is missing, or start a new run."
        )
    if complete and missing:
        raise UserError(
            f"{where} was written by an earlier version, which had fewer fields. New since then:\n"
            + "\n".join(f"  - {name}: that version trained as with {value!r}" for name, value in missing.items())
            + "\nNothing was changed. This version cannot train its networks further, or compare them. Use the version "
            "that wrote it, or start a new run."
        )
    return config


def _missing(full: Mapping[str, Any], given: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields that members depend on and a JSON text lacks, and their defaults."""
    for name, value in full.items():
        if isinstance(value, dict):
            yield from _missing(value, given.get(name, {}), f"{prefix}{name}.")
        elif name not in given and name not in NO_MEMBER_DEPENDS_ON:
            yield prefix + name, value
