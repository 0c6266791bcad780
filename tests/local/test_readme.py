"""README.md and the pages it links: figures against records, links, commands, presets."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binomtest, ttest_1samp

from benchmarks.minutes import study_point
from pipeline.cli import COMMANDS
from pipeline.config.presets import PRESETS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ANSWER = " ".join(README.partition("## Does Swish beat ReLU?")[2].partition("##")[0].split())
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


def accuracies(study, epochs):
    """Validation accuracy over those epochs, in percent: a row per seed and fold, a column per arm."""
    table = pd.read_csv(ROOT / "docs/study" / study / "metrics.csv")
    table = table[table["epoch"].isin(epochs)]
    return 100 * table.pivot_table(index=["seed", "fold"], columns="arm", values="validation_accuracy", aggfunc="mean")


def gain(differences):
    """Mean of ten and its interval."""
    assert len(differences) == 10
    return differences.mean(), *ttest_1samp(differences, 0).confidence_interval()


def record(path):
    return json.loads((ROOT / "docs" / path).read_text())


def test_the_answer_is_that_of_the_records():
    (strong,) = record("study/strong/comparison.json")["paired"]
    (low, high), images = strong["interval"], 28_000 / 100
    assert strong["verdict"] == "not shown"
    assert (
        f"ends at {strong['difference']:+.3f} points of accuracy against ReLU (95% interval {low:+.3f} to {high:+.3f}"
        in ANSWER
    )
    assert f"{images * strong['difference']:.0f} ± {images * (high - low) / 2:.0f} of Kaggle's 28,000 images" in ANSWER
    assert f"takes {strong['time_ratio'] - 1:.0%} longer" in ANSWER
    assert strong["powers"][1]["effect"] == 0.05
    assert 0.45 < strong["powers"][1]["power"] < 0.55  # "in half of such studies"
    posts = accuracies("30-epochs", [30])
    last, low, high = gain(posts["swish"] - posts["relu"])
    assert f"it ends at {last:+.3f} points ({low:+.3f} to {high:+.3f}, ten pairs)" in ANSWER
    late = accuracies("30-epochs", range(21, 31))
    assert f"over the last ten epochs ReLU leads by {(late['relu'] - late['swish']).mean():.3f}: a hint" in ANSWER
    mean, low, high = gain((accuracies("strong", [30]) - posts)[["relu", "swish"]].mean(axis=1))
    assert f"single networks gain {mean:.3f} points ({low:.3f} to {high:.3f}, ten seeds and folds)" in ANSWER


def test_the_table_is_that_of_the_records():
    votes = {vote["arms"]: vote["errors"] for vote in record("score/votes.json")["votes"]}
    posts, strong = (study_point(name, ROOT / "docs/study" / name) for name in ("30-epochs", "strong"))
    rows = (
        ("`original`, the post's | 1 ReLU + 1 Swish", posts.errors, posts.minutes),
        ("`leaderboard` | 1 ReLU or 1 Swish", (votes["1 relu"] + votes["1 swish"]) / 2, strong.minutes),
        ("`leaderboard` | 1 ReLU + 1 Swish", strong.errors, strong.minutes),
        ("`leaderboard` | 2 ReLU + 2 Swish", votes["2 relu + 2 swish"], 2 * strong.minutes),
    )  # fmt: skip
    for who, errors, minutes in rows:
        low, high = binomtest(round(errors), 42_000).proportion_ci()
        assert f"| {who} | {1 - errors / 42_000:.4f} ({1 - high:.4f} to {1 - low:.4f}) | {minutes:.0f}" in ANSWER
    quick = next(v for v in record("score/quick-votes.json")["votes"] if v["arms"] == "1 relu + 1 swish")
    best, low, high = quick["accuracy"]
    minutes = record("score/quick.json")["quick"]["minutes"]
    assert f"| `quick` | 1 ReLU + 1 Swish | {best:.4f} ({low:.4f} to {high:.4f}) | {minutes:.1f} |" in ANSWER
    assert f"198, {quick['errors']:.0f}, 171, 164 and 162 errors" in ANSWER
    assert [round(errors) for _, errors, _ in rows] == [198, 171, 164, 162]


def test_what_two_families_gain_is_that_of_the_record():
    families = record("score/families.json")
    votes = {(vote["first"], vote["second"]): vote for vote in families["votes"]}
    mixed = votes[4, 2]
    errors, losses = (mixed[f"{what}_than_first"].replace(" ±", ", standard error") for what in ("errors", "log_loss"))
    for told in (
        f"on {families['images']:,} of these digits, four networks of `leaderboard` make "
        f"{votes[4, 0]['errors']:.1f} errors",
        f"at twice the minutes, {mixed['errors']:.1f} ({errors}; in log loss {losses})",
    ):
        assert told in ANSWER


def test_it_takes_two_minutes():
    assert len(README.splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_commands_and_presets_are_those_that_there_are():
    for command, first in re.findall(r"python -m pipeline (\w+)(?: ([\w-]+)(?![\w/-]))?", README):
        assert command in COMMANDS
        assert first in ("", "PRESET", *PRESETS)
    listed = re.findall(r"^\| `([\w-]+)` \|", README.partition("| preset |")[2], flags=re.M)
    assert listed == list(PRESETS)
