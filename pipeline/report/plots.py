"""What the figures and tables of the report share: a look for light and dark pages, a style per arm, CSV."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.figure import Figure

WIDTH = 5.0  # inches of every figure; on a phone, 360 pixels wide, letters of 11 points are 11 pixels high
INK = "#1b1c1d"  # lines and letters; on the page, whatever colour its text has
DARK_INK = "#e6e6e6"

# Okabe & Ito 2008, "Color Universal Design": told apart by people with any kind of colour vision. In an order in which
# the first four stand out from white and from black.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P")

LOOK: Any = {
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    "text.parse_math": False,  # a $ in a name is a $
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "font.size": 11,
    "svg.fonttype": "none",  # letters stay letters: small files, and sharp at any size
    "svg.hashsalt": "report",  # the same figure gives the same text
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
}
SCHEMES = f"<style>svg{{color:{INK}}}@media(prefers-color-scheme:dark){{svg{{color:{DARK_INK}}}}}</style>"


@contextmanager
def own_look() -> Iterator[None]:
    """Within the block figures and pictures are ours, whatever matplotlibrc says of text, origin or format."""
    with rc_context():
        rcdefaults()
        rcParams.update(LOOK)
        yield


@dataclass(frozen=True)
class Plot:
    """One figure."""

    title: str
    figure: Figure
    caption: str
    """What to see, in words that hold for this run."""
    alt: str
    """For those who cannot see it."""


@dataclass(frozen=True)
class ArmStyle:
    """How an arm looks in every figure of a report: colour, and for those who do not see it, dashes and marker."""

    color: str
    line: Any
    marker: str


def arm_styles(arms: Iterable[str]) -> dict[str, ArmStyle]:
    """A style for each arm, in their order. Colours repeat after six arms, then with other dashes and markers."""
    count = len(PALETTE)
    return {
        arm: ArmStyle(PALETTE[i % count], LINES[(i + i // count) % count], MARKERS[(i + i // count) % count])
        for i, arm in enumerate(arms)
    }


def svg_text(figure: Figure) -> str:
    """A figure drawn in our look as SVG without background, its ink dark on light pages and light on dark ones."""
    stream = io.StringIO()
    figure.savefig(
        stream, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
    )
    text = stream.getvalue().replace(INK, "currentColor")
    start = text.index("<svg")
    opened = text.index(">", start) + 1
    return text[start:opened] + SCHEMES + text[opened:]


def csv_text(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV; fractions with six significant digits."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    return stream.getvalue()


def data_uri(kind: str, text: str) -> str:
    """A text as an address that holds it, safe within double quotes."""
    return f"data:{kind};charset=utf-8,{quote(text, safe=' =:/,;()!*+-._')}"
