"""The two ways in which a command fails, and the end of a message that helps."""

from collections.abc import Sequence
from difflib import get_close_matches


class UserError(Exception):
    """A mistake the user can mend: the message says what, where, what was received and what to do. Exit code 2."""


class RunError(Exception):
    """A run that failed though its input is sound; the message says what happened and where. Exit code 1."""


class StoppedError(RunError):
    """A run that was asked to stop, and did what it still could; the message says what is missing. Exit code 143."""


def suggest(word: str, known: Sequence[str]) -> str:
    """The end of an error message: the nearest known word, if any is near, and all of them."""
    near = get_close_matches(word, known, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(known)}."
