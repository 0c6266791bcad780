"""The simulated queue against cases computed by hand, and docs/cluster.md against the record."""

import json

import pytest
from conftest import ROOT

from benchmarks.cluster import makespan, recorded_seconds, simulate


@pytest.mark.parametrize(("slots", "expected"), [
    (1, 22),  # 10 + 5 + 1 + 1 + 1 + 4
    (2, 17),  # 10 to 15: the first; beside it three of 1 s to 13, then 4 s to 17
    (3, 15),  # the first to 15; two of 1 s to 12; one of 1 s, then 4 s, to 15
    (9, 15),
])  # fmt: skip
def test_whichever_slot_is_free_takes_the_next_member(slots, expected):
    assert makespan([5, 1, 1, 1, 4], slots, start=10) == expected


def test_an_estimate_by_hand():
    """Members of 1 and 2 h in turn: 1, 2, 1, 2, 1. On one node of two cores 1-1-2 and 2-1: 4 h; on two nodes 2 h."""
    alone, both = (simulate([3600, 7200], 5, nodes, cores=2, start=0) for nodes in (1, 2))
    assert (alone.hours, alone.speed_up, alone.node_hours, alone.busy) == (4, 1, 4, 0.875)
    assert (both.hours, both.speed_up, both.node_hours, both.busy) == (2, 2, 4, 0.875)


def test_the_seconds_of_a_member_are_those_of_its_epochs(tmp_path):
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("arm,seed,fold,epoch,seconds\nrelu,0,0,1,2.5\nrelu,0,0,2,1.5\nswish,0,0,1,3\nrelu,0,none,1,7\n")
    assert recorded_seconds(metrics) == [4, 3, 7]


def test_the_figures_of_the_docs_are_those_of_the_record():
    record = json.loads((ROOT / "docs/benchmarks/cluster.json").read_text())
    text = (ROOT / "docs/cluster.md").read_text()
    for row in record["study"]:
        cells = [
            str(row["nodes"]), f"{row['hours']:.1f}", f"{row['speed_up']:.1f}", f"{row['node_hours']:.0f}",
            f"{row['busy']:.0%}",
        ]  # fmt: skip
        assert f"| {' | '.join(cells)} |" in text
    ratios = record["ratios"]
    low, middle, high = (f"{value:.2f}" for value in (min(ratios), sorted(ratios)[len(ratios) // 2], max(ratios)))
    assert f"{middle} times the local engine's time ({low} to {high}" in " ".join(text.split())
