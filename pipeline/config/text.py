"""Text from outside: harmless where it is shown, named where it is none, cut where only a part of it matters."""

import re

MOST_CHARACTERS = 300  # of an error; TensorFlow's can fill a screen
MARK = b"\xef\xbb\xbf"
FRAMING = ("Graph execution error", "Detected at node", "<stack traces", "File ")  # lines of an error that name places


def printable(text: object) -> str:
    r"""A text as a terminal may have it: what would steer the terminal, or is no character at all, is escaped.

    Names of files may hold any byte, and the log of a kernel whatever its author likes. Line feeds and tabs stay.

    Example:
        >>> print(printable("a\x1b[2Jb"))
        a\x1b[2Jb
    """
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode("ascii")
        for character in str(text).replace("\r\n", "\n")
    )


def reason_of(error: BaseException) -> str:
    """What an error says, in one line: of TensorFlow's, without the places in the code that stand around it."""
    lines = [line.strip() for line in str(error).splitlines()]
    reasons = [line for line in lines if line and not line.startswith(FRAMING)]
    return re.sub(r"\[_Xla[^]]*\]", "", reasons[0])[:MOST_CHARACTERS] if reasons else type(error).__name__


def named(error: BaseException) -> str:
    """What kind of error it is, and what it says, in one line."""
    kind, reason = type(error).__name__, reason_of(error)
    return reason if reason == kind else f"{kind}: {reason}"


def last_lines(text: str, count: int) -> str:
    """The end of a log."""
    return "".join(text.splitlines(keepends=True)[-count:])


def encoding_fault(content: bytes) -> str | None:
    """Why bytes are no plain UTF-8, and what to do, to follow the file's name in a sentence; None if they are."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:2]:
        return "is UTF-16, as Windows writes it. Save it as UTF-8"
    if content.startswith(MARK):
        return "begins with a byte order mark. Save it as UTF-8 without BOM"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 text (byte {error.start + 1}). Save it as UTF-8"
    return None
