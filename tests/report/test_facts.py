from dataclasses import replace
from datetime import UTC, datetime

from factories import changed, make_member
from studies import study

from pipeline.report.facts import environment, facts, machines

NOW = datetime(2026, 11, 25, 8, 5, tzinfo=UTC)


def test_facts_of_a_study(digits, tiny):
    config = replace(tiny, seeds=3, folds_used=2, arms=("relu", "swish"))
    told = facts(*study(digits, config, failed=["swish-s0-f1"]), NOW)
    assert told == {
        "Written": "2026-11-25 08:05 UTC",
        "Data": "a test: 100 images labelled, 30 to predict",
        "Network": "ghouzam, 3 epochs of adam (cosine)",
        "Networks trained": "6 relu, 5 swish",
        "Pairs": "5",
        "Seeds": "0 to 2",
        "Folds": "2 of 5 validated on",
        "Training time": told["Training time"],
        "Precision": "float32",
        "Device": "<a chip>",
        "Speed": told["Speed"],
    }
    assert told["Training time"].endswith(" min, all networks together")


def test_facts_of_several_runs(digits, tiny):
    whole = changed(tiny, folds=0, folds_used=0)
    _, _, members, comparison = study(digits, replace(whole, arms=("relu",)))
    crossed = changed(tiny, folds_used=5, width=2)
    told = facts([whole, crossed], digits, members, comparison, NOW)
    assert told["Folds"] == "none: trained on all labelled images; 5, each validated on once"
    assert told["Network"].endswith("; ghouzam, width 2, 3 epochs of adam (cosine)")
    assert (told["Pairs"], told["Seeds"]) == ("none", "0")


def test_durations_are_those_of_all_epochs(digits, tiny, spec):
    comparison = study(digits, tiny)[3]
    for seconds, words in ((4, "8 s"), (45, "2 min"), (3700, "2 h 3 min")):
        members = [make_member(spec, history=[{"seconds": float(seconds)}, {"seconds": float(seconds)}])]
        told = facts([tiny], digits, members, comparison, NOW)
        assert told["Training time"] == f"{words}, all networks together"
        assert told["Speed"] == f"{100 / seconds:,.0f} images per second and network"  # 5 steps of 20 images


def test_machines_that_differ_are_all_named(spec):
    members = [make_member(spec, environment={"device": device, "keras": "3"}) for device in ("T4", "P100", "T4")]
    assert environment(members) == {"device": "T4; P100", "keras": "3"}


def test_the_record_lists_each_node_of_a_cluster(spec):
    here, *nodes = {"device": "x"}, {"device": "y", "node": "a"}, {"device": "z", "node": "b"}
    members = [make_member(spec, environment=where) for where in (here, *nodes, nodes[0])]
    assert machines(members) == {"device": "x", "nodes": nodes}
    assert machines(members[:1]) == here
