from dataclasses import replace

import pytest
from factories import make_member

from pipeline.evidence.fairness import NO_DROPOUT, Shared, Unequal, check_fairness

ALIKE = {"rows": "r", "draws": "d", "initial_weights": "w", "dropout": "o"}
HISTORY = [{"epoch": 1, "learning_rate": 0.1}, {"epoch": 2, "learning_rate": 0.05}]
MACHINE = {"precision": "float32", "device": "a chip"}
ARMS = ("relu", "swish", "swish_beta")


def member(spec, arm, seed, fold, **changed):
    recorded = {key: value for key, value in (ALIKE | changed).items() if value}
    return make_member(spec, arm, seed, fold, fingerprints=recorded, history=HISTORY, environment=MACHINE)


def arms(spec, **changed):
    """Three arms whose members recorded the same in each pair, but for what is changed of one arm."""
    return {
        arm: [
            member(spec, arm, seed, fold, **{"draws": f"{seed} {fold}"} | changed.get(arm, {}))
            for seed in (0, 1)
            for fold in (0, None)
        ]
        for arm in ARMS
    }


def test_members_of_one_seed_and_fold_that_recorded_the_same_are_fair(spec):
    found = check_fairness(arms(spec))
    assert found.fair == [("swish", "relu"), ("swish_beta", "relu"), ("swish_beta", "swish")]
    assert (found.unequal, found.shared) == ([], list(Shared))


def test_draws_of_dropout_do_not_count_where_there_is_none(spec):
    none = {arm: {"dropout": NO_DROPOUT} for arm in ARMS}
    assert check_fairness(arms(spec, **none)).shared == [what for what in Shared if what is not Shared.DROPOUT]


def test_arms_that_are_unfair_do_not_spoil_the_others(spec):
    found = check_fairness(arms(spec, swish_beta={"draws": "longer"}))
    assert found.fair == [("swish", "relu")]
    assert found.unequal == [
        Unequal("swish_beta", other, Shared.DRAWS, recorded=True, pairs=4, of=4) for other in ("relu", "swish")
    ]


def test_without_pairs_there_is_nothing_to_say(spec):
    found = check_fairness({"relu": [member(spec, "relu", 0, 0)], "swish": [member(spec, "swish", 1, 0)]})
    assert (found.fair, found.unequal) == ([], [])


@pytest.mark.parametrize(
    ("what", "value", "recorded", "fair"),
    [
        ("initial_weights", "x", True, False),
        ("rows", "x", True, False),
        ("draws", None, False, False),
        ("dropout", "x", True, True),  # told, but no reason not to compare
        ("dropout", None, False, True),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_differs_is_named_with_how_many_pairs(what, value, recorded, fair, first, spec):
    odd = [{what: value}, {}] if first else [{}, {what: value}]
    groups = {
        arm: [member(spec, arm, 0, 0), member(spec, arm, 3, None, **changed), member(spec, arm, 4, 1)]
        for arm, changed in zip(("relu", "swish"), odd, strict=True)
    }
    found = check_fairness(groups)
    assert found.fair == ([("swish", "relu")] if fair else [])
    assert found.unequal == [Unequal("swish", "relu", Shared(what), recorded, pairs=1, of=3)]


@pytest.mark.parametrize("what", ["precision", "device"])
@pytest.mark.parametrize(("ours", "theirs"), [("a", "b"), (None, "b"), ("a", None), (None, None)])
def test_other_arithmetic_is_said_and_so_is_what_nobody_recorded(what, ours, theirs, spec):
    """A node of a cluster may have another processor, and with it another precision."""
    groups = {
        arm: [replace(member(spec, arm, 0, 0), environment=MACHINE | {what: value} if value else
                      {key: text for key, text in MACHINE.items() if key != what})]
        for arm, value in (("relu", ours), ("swish", theirs))
    }  # fmt: skip
    found = check_fairness(groups)
    assert found.fair == [("swish", "relu")]
    recorded = None not in (ours, theirs)
    assert found.unequal == [Unequal("swish", "relu", Shared(what), recorded, pairs=1, of=1)]
    assert found.shared == [shared for shared in Shared if shared != what]


def test_what_is_shared_is_of_the_pairs_that_are_compared(spec):
    """Not of unfair ones; and nothing that one pair of arms does not share."""
    groups = {
        "relu": [member(spec, "relu", 0, 0)],
        "swish": [member(spec, "swish", 0, 0)],
        "elu": [member(spec, "elu", 0, 0, rows="other", dropout="other")],
    }
    assert check_fairness(groups).shared == list(Shared)
    groups["mish"] = [member(spec, "mish", 0, 0, dropout="other")]
    assert check_fairness(groups).shared == [each for each in Shared if each is not Shared.DROPOUT]
    some = {arm: [member(spec, arm, 0, 0), member(spec, arm, 1, 0, dropout=NO_DROPOUT)] for arm in ("relu", "swish")}
    assert check_fairness(some).shared == list(Shared)


def test_learning_rates_are_compared_epoch_by_epoch(spec):
    plateau = [HISTORY[0], {"epoch": 2, "learning_rate": 0.1}]
    for history, recorded in ((plateau, True), ([{"epoch": 1}, {"epoch": 2}], False)):
        swish = [member(spec, "swish", seed, 0) for seed in (0, 1)]
        groups = {
            "relu": [member(spec, "relu", seed, 0) for seed in (0, 1)],
            "swish": [swish[0], replace(swish[1], history=history)],
        }
        found = check_fairness(groups)
        assert found.fair == [("swish", "relu")]
        assert found.unequal == [Unequal("swish", "relu", Shared.LEARNING_RATES, recorded, 1, 2)]
