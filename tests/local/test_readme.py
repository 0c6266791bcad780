"""README.md and the pages it links: figures against records, links, commands, presets, and the length of all."""

import re

import pandas as pd
import pytest
from conftest import ROOT
from figures import accuracy, page, prose, record, votes

from benchmarks.__main__ import CLAIMS
from pipeline import STAGES
from pipeline.arguments import summary
from pipeline.commands import COMMANDS, HERE
from pipeline.config.presets import PRESETS, preset

README = page("README.md")
PROSE = prose(README)
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]


def pair_minutes(folder, of_rows=1.0):
    """Of one ReLU and one Swish network side by side on two cores, by their median epoch, on as many rows as recorded.

    `of_rows`: how many times as many the command trains on.
    """
    table = pd.read_csv(ROOT / "docs" / folder / "metrics.csv").query("arm in ['relu', 'swish']")
    epochs = table["epoch"].max()
    return of_rows * table.groupby("arm")["seconds"].median().mean() * epochs / 60


def test_the_table_is_that_of_the_records():
    study, quick = votes("votes"), votes("quick-votes")
    sizes = record("study/30-epochs/comparison")["same_size"]
    posts = {vote["composition"]: vote["mean_errors"] for vote in sizes}
    both = "1 relu + 1 swish"
    slow, fast = pair_minutes("study/strong", 1 / 0.8), pair_minutes("score/leaderboard")
    minutes = record("score/quick")["quick"]["minutes"]
    for row in (
        f"| `run original` | 2 | {pair_minutes('study/30-epochs', 0.9 / 0.8):.0f} | {accuracy(posts[both])} |",
        f"| `run quick` | 2 | {minutes:.1f} | {accuracy(quick[both])} |",
        f"| `run leaderboard --seeds 1` | 2 | {slow:.0f}, {fast:.0f} | {accuracy(study[both])} |",
        f"| `run leaderboard --seeds 2` | 4 | {2 * slow:.0f}, {2 * fast:.0f} | {accuracy(study['2 relu + 2 swish'])} |",
        f"| `run leaderboard` | 6 | {3 * slow:.0f}, {3 * fast:.0f} | {accuracy(study['3 relu + 3 swish'])} |",
    ):
        assert row in README
    entry = record("score/kept-apart")["records"]["leaderboard"]
    assert len(entry["networks"]) == 8
    assert f"{entry['vote_accuracy']:.4f}" == "0.9970"
    assert f"{entry['vote']}, so 0.9970, and {entry['mean_of_networks']:.0f} for one network alone" in PROSE


def test_the_answer_is_that_of_the_records():
    (study,) = record("study/strong-25/comparison")["paired"]
    (low, high), images = study["interval"], 28_000 / 100
    assert low < 0 < high
    assert (
        f"reads {-images * study['difference']:.1f} ± {images * (high - low) / 2:.1f} fewer of 28,000 images right "
        f"than ReLU (95%, 25 networks of each) and took {study['time_ratio'] - 1:.0%} longer"
    ) in PROSE
    assert len(study["points"]) == 25
    assert f"reports {images * 100 * (0.99671 - 0.99457):.0f} more" in PROSE
    last = pd.read_csv(ROOT / "docs/study/30-epochs/metrics.csv").query("epoch == 30")
    means = last.groupby("arm")["validation_accuracy"].mean()
    assert means["swish"] <= means["relu"]  # "ten show no benefit"


def test_it_is_short():
    assert len(README.split()) <= 750
    assert sum(len(page.read_text().split()) for page in PAGES) <= 9_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target, heading in re.findall(r"\]\(([^)#]*)(?:#([\w-]+))?\)", page.read_text()):
        if not target.startswith("http"):
            path = page.parent / target if target else page
            assert path.exists(), target
            if heading:
                titles = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
                assert heading in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


def test_commands_and_presets_are_those_that_there_are():
    for command, first in re.findall(r"python -m pipeline (\w+)(?: ([\w-]+)(?![\w/-]))?", README):
        assert command in COMMANDS
        assert first in ("", "PRESET", *PRESETS)
    table = README.partition("| command |")[2].partition("\n\n")[0]
    assert all(f"`{name}" in table for name in COMMANDS)
    assert all(f"| `{kind.usage}` | {summary(kind)} |\n" in table for kind in HERE)
    section = README.partition("## The score")[2]
    assert [name for name in PRESETS if f"`{name}`" not in section and f"`run {name}" not in section] == []
    assert preset("study").seeds * preset("study").folds_used == 10
    minutes = re.search(r"and it is ([\d to]+) from start", page("docs/kaggle.md"))[1]
    assert f"in {minutes} minutes by our estimate" in PROSE
    assert preset("leaderboard").seeds * len(preset("leaderboard").arms) == 6


def test_benchmarks_are_those_that_there_are():
    retired = re.compile(r"These were asked once.*?```bash.*?```", re.DOTALL)
    text = "\n".join(retired.sub("", page.read_text()) for page in PAGES)
    named = set(re.findall(r"python -m benchmarks (\w+)", text))
    assert "quick" in named
    assert named <= set(CLAIMS)


def test_the_architecture_is_drawn_as_it_is():
    text = page("docs/architecture.md")
    drawn = re.findall(r"\[\"(\w+)/ — ", text)
    assert drawn == list(STAGES)
    assert {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")} == set(STAGES)
    for path in re.findall(r"`((?:\w+/)+\w+\.py)`", text.replace("`build/", "")):
        assert (ROOT / path).exists() or (ROOT / "pipeline" / path).exists(), path
