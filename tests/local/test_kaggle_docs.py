"""docs/kaggle.md: each row of the table of what is proven names a test that is there; the estimate is the record's."""

import re

from conftest import ROOT
from figures import page, prose, record

from benchmarks.gpu import estimated_minutes
from pipeline.config.presets import preset
from pipeline.config.schema import member_specs
from pipeline.kaggle.bundle import MINUTES

KINDS = {"run on CPU", "simulated", "asked of TensorFlow", "compiled for the card", "estimated", "not known"}


def test_all_that_is_said_to_be_proven_has_its_test():
    table = page("docs/kaggle.md").partition("## What is proven, and how")[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert {row[0] for row in rows} == KINDS
    for kind, _, tests in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", tests)
        assert bool(named) == (kind != "not known")
        for path, name in named:
            assert f"def {name}" in (ROOT / path).read_text()


def in_words(minutes):
    return f"{minutes[0]:.0f} to {minutes[1]:.0f}"


def test_the_estimate_is_the_records():
    text = prose(page("docs/kaggle.md").partition("**The estimate.**")[2])
    rows = record("benchmarks/gpu")["compiled for a T4"]
    (row,) = [row for row in rows if (row["architecture"], row["arm"]) == ("deotte", "swish")]
    residual, other = preset("leaderboard-residual"), max(rows, key=lambda r: r["microseconds"])
    start = [whole - training for whole, training in zip(row["minutes"], row["training_minutes"], strict=True)]
    for words in (
        f"Start-up, {start[0]:.1f} to {start[1]:.1f} minutes, is",
        f"{row['launches']} launches, which move {row['megabytes']:.0f} MB",
        f"the {sum(row['convolutions'].values())} calls for its 7 convolutions",
        f"{row['microseconds'] / 1000:.1f} ms per step",
        f"then train for {in_words(row['training_minutes'])} minutes on two GPUs, and it is {in_words(row['minutes'])} "
        f"from start to submission; the {len(member_specs(residual))} of `{residual.name}`, "
        f"{residual.recipe.train.epochs} epochs each, {in_words(estimated_minutes(residual, other)['minutes'])}.",
    ):
        assert words in text
    assert f"train for {in_words(row['training_minutes'])} minutes on two T4s" in MINUTES
    entry = preset("leaderboard")
    assert f"leaderboard's {len(entry.arms)} x {entry.seeds} x {entry.recipe.train.epochs} train" in MINUTES
