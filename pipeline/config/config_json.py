"""A config as JSON: in a run's folder, and at the top of a bundle."""

import json
from dataclasses import asdict, replace
from typing import Any

from pipeline.config.errors import UserError
from pipeline.config.schema import RunConfig, settings
from pipeline.config.text import printable

# Fields that a bundle's CONFIG does not have: they name places and machines.
NOT_IN_A_KERNEL = {"out": None, "engine": "local", "ray_address": None}


def to_json(config: RunConfig) -> str:
    """A config as indented JSON, read back by `from_json`."""
    return json.dumps(asdict(config), indent=2) + "\n"


def from_json(text: str, where: str) -> RunConfig:
    """The config in a JSON text.

    Args:
        text: What `to_json` returned.
        where: Name of the text in errors.

    Raises:
        UserError: not JSON, the config of an earlier version, an unknown key, a missing one, or a value of the wrong
            type; all of a kind are listed.
    """
    from pydantic import TypeAdapter, ValidationError  # 0.1 s, which --help does not need

    text, places = _without_odd_places(text)
    try:
        config: RunConfig = replace(TypeAdapter(RunConfig).validate_json(text, strict=True), **places)
    except ValidationError as error:
        problems = error.errors()
        if any(problem["loc"] == ("train",) for problem in problems):
            raise UserError(
                f"{where} was written by an earlier version, which alone can read it: use that version, or start a new "
                "run."
            ) from None
        lines = [
            f"  - {'.'.join(map(str, e['loc'])) or 'the text'}: {e['msg']}. Received: {e['input']!r:.99}\n"
            for e in problems
        ]
        raise UserError(
            f"{where} is not a run's config:\n{''.join(lines)}Mend these entries, or start a new run."
        ) from None
    if missing := settings(asdict(config)).keys() - settings(json.loads(text)).keys():
        raise UserError(
            f"{where} is not a run's config: it lacks {', '.join(sorted(missing))}. Add what is missing, or start a "
            "new run."
        )
    return config


def _without_odd_places(text: str) -> tuple[str, dict[str, Any]]:
    """The text with its paths escaped, and the paths: pydantic takes none whose bytes are not UTF-8."""
    try:
        content = json.loads(text)
        places = {name: content[name] for name in ("data", "out") if isinstance(content.get(name), str)}
    except (ValueError, RecursionError, AttributeError):
        return text, {}  # pydantic says what is wrong
    return json.dumps({**content, **{name: printable(place) for name, place in places.items()}}), places


def from_literal(content: object, where: str) -> RunConfig:
    """The config that a bundle's CONFIG is, a dict in Python's words; errors as of `from_json`."""
    try:
        text = json.dumps(NOT_IN_A_KERNEL | content if isinstance(content, dict) else content, default=repr)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{where} is not a run's config: {error}.") from None
    return from_json(text, where)
