"""The records below docs/, and how pages show their figures."""

import json

from conftest import ROOT
from scipy.stats import binomtest


def page(path):
    return (ROOT / path).read_text()


def prose(text):
    """A page without its line ends."""
    return " ".join(text.split())


def table(text, title):
    """The cells of each line of the table that begins so."""
    lines = text.partition(title)[2].partition("\n\n")[0].splitlines()[2:]
    assert lines, title
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def record(path):
    """A record, such as score/quick."""
    return json.loads((ROOT / "docs" / f"{path}.json").read_text())


def votes(name):
    """The errors of each vote in a record of votes."""
    return {vote["arms"]: vote["errors"] for vote in record(f"score/{name}")["votes"]}


def accuracy(errors, images=42_000):
    low, high = binomtest(round(errors), images).proportion_ci()
    return f"{1 - errors / images:.4f} ({1 - high:.4f} to {1 - low:.4f})"
