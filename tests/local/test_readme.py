"""README.md and the pages it links: figures against records, links, commands, presets."""

import re
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from pipeline.cli import COMMANDS
from pipeline.config.presets import PRESETS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]


def points(epochs):
    """Swish minus ReLU per pair, in percentage points: mean over those epochs, its interval over pairs, Swish ahead."""
    table = pd.read_csv(ROOT / "docs/study/30-epochs/metrics.csv")
    by_pair = table[table["epoch"].isin(epochs)].pivot_table(
        index=["seed", "fold"], columns="arm", values="validation_accuracy", aggfunc="mean"
    )
    differences = 100 * (by_pair["swish"] - by_pair["relu"])
    assert len(differences) == 10
    return differences.mean(), *ttest_1samp(differences, 0).confidence_interval()


def test_the_answer_is_that_of_the_record():
    answer = " ".join(README.partition("## Does Swish beat ReLU?")[2].partition("##")[0].split())
    last, low, high = points([30])
    assert f"ends at {last:+.3f} points of accuracy against ReLU (95% interval {low:+.3f} to {high:+.3f}" in answer
    late, low, high = points(range(21, 31))
    assert f"ReLU leads by {-late:.3f} points ({-high:.3f} to {-low:.3f})" in answer


def test_it_takes_two_minutes():
    assert len(README.splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_commands_and_presets_are_those_that_there_are():
    for command, first in re.findall(r"python -m pipeline (\w+)(?: (\w+))?", README):
        assert command in COMMANDS
        assert first in ("", "PRESET", *PRESETS)
    listed = re.findall(r"^\| `(\w+)` \|", README.partition("| preset |")[2], flags=re.M)
    assert listed == list(PRESETS)
