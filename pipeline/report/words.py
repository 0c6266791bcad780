"""Numbers and lists in words, tables in lines."""

from collections.abc import Sequence


def count(number: int, what: str) -> str:
    """Such as "1 network" and "2 networks"."""
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def all_of(number: int) -> str:
    """Such as "both" and "all 3"."""
    return "both" if number == 2 else f"all {number:,}"


def joined(names: Sequence[str], by: str = "and") -> str:
    """Such as "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} {by} {last}" if most else last


def duration(seconds: float) -> str:
    """Such as "62 s", "5 min" and "2 h 5 min"."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A table as lines: text on the left, numbers on the right; its last columns are dropped where it is too wide."""
    columns = list(zip(heads, *rows, strict=True))
    while len(columns) > 1 and sum(max(map(len, column)) + 2 for column in columns) > width:
        columns.pop()
    numeric = [all(not cell or cell[0] in "+-0123456789" for cell in column[1:]) for column in columns]
    aligned = [
        [cell.rjust(size) if right else cell.ljust(size) for cell in column]
        for column, right in zip(columns, numeric, strict=True)
        for size in [max(map(len, column))]
    ]
    return [("  " + "  ".join(line)).rstrip() for line in zip(*aligned, strict=True)]
