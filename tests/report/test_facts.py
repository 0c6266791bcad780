from dataclasses import replace
from datetime import UTC, datetime

from factories import make_member
from studies import findings_of

from pipeline.report.facts import environment, facts

NOW = datetime(2026, 11, 25, 8, 5, tzinfo=UTC)


def test_facts_of_a_study(digits, tiny, spec):
    config = replace(tiny, seeds=3, folds_used=2, arms=("relu", "swish"))
    findings = findings_of(digits, config, failed=["swish-s0-f1"], seconds=200.0, trained=11)
    history = [{"seconds": 16.0}, {"seconds": 4.0}, {"seconds": 5.0}]
    findings = replace(findings, members=[replace(member, history=history) for member in findings.members])
    assert facts(findings, NOW) == {
        "Written": "2026-11-25 08:05 UTC",
        "Data": "a test: 100 images labelled, 30 to predict",
        "Recipe": "ghouzam, 3 epochs of adam (cosine), 2 of 5 folds",
        "Networks": "6 relu, 5 swish",
        "Trained by this command": "11 networks in 3 min, with start and vote",
        "Speed of one network": "18 images per second",  # 80 rows in 4 or 5 s
        "Precision": "float32",
        "Device": "<a chip>",
    }


def test_facts_of_several_runs(digits, tiny):
    whole = replace(tiny, recipe=replace(tiny.recipe, folds=0), folds_used=0, arms=("relu",))
    train = replace(tiny.recipe.train, epochs=1)
    crossed = replace(tiny, recipe=replace(tiny.recipe, width=2, train=train), folds_used=5)
    found = facts(replace(findings_of(digits, whole), configs=[whole, crossed]), NOW)
    assert (
        found["Recipe"]
        == "ghouzam, 3 epochs of adam (cosine); ghouzam, width 2, 1 epoch of adam (cosine), 5 of 5 folds"
    )
    assert "Trained by this command" not in found


def test_machines_that_differ_are_all_named(spec):
    members = [make_member(spec, environment={"device": device, "keras": "3"}) for device in ("T4", "P100", "T4")]
    assert environment(members) == {"device": "T4; P100", "keras": "3"}
