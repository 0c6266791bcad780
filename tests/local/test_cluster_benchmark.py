"""The simulated queue against cases computed by hand, and the table of docs/cluster.md."""

import statistics

import pytest
from conftest import ROOT
from figures import page, prose, record, row

from benchmarks.cluster import RECORDED, makespan, recorded_seconds, simulate


@pytest.mark.parametrize(("slots", "expected"), [
    (1, 12),
    (2, 7),  # the first to 5; beside it three of 1 s to 3, then 4 s to 7
    (3, 5),  # the first to 5; two of 1 s to 2; one of 1 s, then 4 s, to 5
    (9, 5),
])  # fmt: skip
def test_whichever_slot_is_free_takes_the_next_member(slots, expected):
    assert makespan([5, 1, 1, 1, 4], slots) == expected


def test_an_estimate_by_hand():
    """Members of 1 and 2 h in turn: 1, 2, 1, 2, 1. On one node of two cores 1-1-2 and 2-1: 4 h; on two nodes 2 h."""
    alone, both = (simulate([3600, 7200], 5, nodes, cores=2) for nodes in (1, 2))
    assert (alone.hours, alone.speed_up, alone.node_hours, alone.busy) == (4, 1, 4, 0.875)
    assert (both.hours, both.speed_up, both.node_hours, both.busy) == (2, 2, 4, 0.875)


def test_the_seconds_of_a_member_are_those_of_its_epochs(tmp_path):
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("arm,seed,fold,epoch,seconds\nrelu,0,0,1,2.5\nrelu,0,0,2,1.5\nswish,0,0,1,3\nrelu,0,none,1,7\n")
    assert recorded_seconds(metrics) == [4, 3, 7]


def test_the_table_of_the_docs_is_what_the_simulation_gives():
    text, recorded = page("docs/cluster.md"), recorded_seconds(ROOT / RECORDED)
    for nodes in (1, 8, 64):
        e = simulate(recorded, 250, nodes, cores=2)
        cells = (f"{nodes}", f"{e.hours:.1f}", f"{e.speed_up:.1f}", f"{e.node_hours:.0f}", f"{e.busy:.0%}")
        assert row(*cells) in text


def test_the_overhead_of_the_docs_is_the_records():
    text, found = prose(page("docs/cluster.md")), record("benchmarks/cluster")
    runs = {name: found["seconds"][name] for name in ("local", "ray")}
    local, ray = ([times["start"] + times["training"] for times in runs[name]] for name in runs)
    whole = [theirs / ours for ours, theirs in zip(local, ray, strict=True)]
    for ratios, words in ((whole, "the whole takes {} times"), (found["ratios"], "Ray takes {} times")):
        assert words.format(f"{statistics.median(ratios):.2f}") in text
        assert f"({min(ratios):.2f} to {max(ratios):.2f})" in text
    starts = [statistics.median(times["start"] for times in runs[name]) for name in ("ray", "local")]
    assert "{:.0f} s until the first step, {:.0f} s locally".format(*starts) in text
