"""What comes first: which arm to take, and why, for every verdict and every kind of comparison."""

from dataclasses import replace

import pytest
from factories import compared, pair
from studies import SCORE, compared_arms

from pipeline.evidence.fairness import Fairness, Shared, Unequal
from pipeline.evidence.verdict import Verdict
from pipeline.report.answer import answer

IMAGES = 28_000
BETTER, WORSE, EQUAL, NOT_SHOWN = (
    Verdict.FIRST_BETTER, Verdict.SECOND_BETTER, Verdict.EQUIVALENT, Verdict.NOT_SHOWN,
)  # fmt: skip


@pytest.fixture
def result():
    """Swish against relu: 0.05 points behind, give or take 0.1 (90%: 0.08), and 11% slower."""
    return replace(
        compared(*[pair(3, 4, fold=i % 2, seed=i) for i in range(6)]),
        difference=-0.05,
        interval=(-0.15, 0.05),
        equivalence_interval=(-0.13, 0.03),
        time_ratio=1.11,
        time_interval=(1.08, 1.14),
    )


def headline(*results, arms=("relu", "swish")):
    return answer(compared_arms(arms, *results), IMAGES).headline


@pytest.mark.parametrize(
    ("verdict", "start"),
    [
        (BETTER, "Take swish: swish is better"),
        (WORSE, "Keep relu: relu is better"),
        (EQUAL, "Keep relu: swish and relu are equally good"),
        (NOT_SHOWN, "Keep relu: no difference"),
        (Verdict.TOO_FEW_PAIRS, "This run cannot tell: it has 6 of at least 3 pairs of networks; on 42,000 digits"),
    ],
)
def test_each_verdict_has_its_headline(result, verdict, start):
    assert headline(replace(result, verdict=verdict)).startswith(start)


def test_whichever_arm_comes_first_relu_is_what_is_kept(result):
    turned = replace(result, first="relu", second="swish")
    assert headline(replace(turned, verdict=WORSE)).startswith("Take swish: ")
    assert headline(replace(turned, verdict=NOT_SHOWN), arms=("swish", "relu")).startswith("Keep relu: ")
    other = replace(result, first="mish", second="elu", verdict=NOT_SHOWN)
    assert headline(other, arms=("elu", "mish")).startswith("Keep elu: ")


def test_of_equally_good_arms_the_faster_is_taken(result):
    equal = replace(result, verdict=EQUAL, time_ratio=0.8, time_interval=(0.7, 0.9))
    found = answer(compared_arms(["relu", "swish"], equal), IMAGES)
    assert found.headline.startswith("Take swish: swish and relu are equally good")
    reads = "swish reads 14.0 ± 22.4 fewer of 28,000 images right than relu (90%)"
    assert found.remarks[0] == f"{reads} and takes 20% less time."
    assert headline(replace(equal, time_interval=(0.7, 1.1))).startswith("Keep relu: ")


def test_several_arms_are_each_held_against_the_one_to_take(result):
    swish = replace(result, verdict=NOT_SHOWN, level=0.05 / 3)
    beta = replace(swish, first="swish_beta", difference=0.1, interval=(0, 0.2), time_interval=(0.9, 1.3))
    between = replace(beta, second="swish")
    arms = ["relu", "swish", "swish_beta"]
    found = answer(compared_arms(arms, swish, beta, between), IMAGES)
    assert found.headline == (
        "Keep relu: no difference between swish and relu is shown; no difference between swish_beta and relu is shown"
    )
    assert found.remarks[:-1] == [
        "swish reads 14.0 ± 28.0 fewer of 28,000 images right than relu (98.3%) and takes 11% longer.",
        "swish_beta reads 28.0 ± 28.0 more of 28,000 images right than relu (98.3%).",
    ]
    best = headline(swish, replace(beta, verdict=BETTER), between, arms=arms)
    assert best.startswith("Take swish_beta: swish_beta is better than relu; no difference between swish_beta and")


def test_of_arms_that_are_better_the_most_accurate_is_taken(result):
    wins = [
        replace(result, first="swish", second="relu", verdict=BETTER, difference=0.2),
        replace(result, first="relu", second="elu", verdict=WORSE, difference=-0.3),
        replace(result, first="elu", second="swish", verdict=NOT_SHOWN),
        replace(result, first="mish", second="relu", verdict=NOT_SHOWN, difference=0.9),
    ]
    assert headline(*wins, arms=("relu", "swish", "elu", "mish")).startswith("Take elu: ")


def test_arms_with_too_few_pairs_have_no_numbers(result):
    few = compared(pair(1, 4), pair(2, 4, fold=1))
    others = [replace(few, first=arm) for arm in ("swish", "elu")]
    arms = ["relu", "swish", "elu"]
    found = answer(compared_arms(arms, others[0], replace(others[1], points=[0.1])), IMAGES)
    assert found.headline.endswith("it has 1 of at least 3 pairs of networks")
    assert found.remarks == []
    mixed = answer(compared_arms(arms, replace(result, verdict=NOT_SHOWN), others[1]), IMAGES)
    assert "elu against relu, no verdict" in mixed.headline
    assert [text.split()[0] for text in mixed.remarks] == ["swish", "Images:"]


def test_an_arm_that_only_beats_a_third_one_is_not_taken(result):
    """Nothing is shown against relu, so relu is kept, whatever the others show against each other."""
    for verdict in (NOT_SHOWN, Verdict.TOO_FEW_PAIRS):
        shown = [
            replace(result, verdict=verdict),
            replace(result, first="swish_beta", verdict=verdict),
            replace(result, first="swish_beta", second="swish", verdict=WORSE),
        ]
        assert headline(*shown, arms=["relu", "swish", "swish_beta"]).startswith("Keep relu: ")


def test_an_arm_without_pairs_is_named_and_the_others_are_judged(result):
    between = replace(result, first="swish_beta", second="swish", verdict=BETTER)
    found = answer(compared_arms(["relu", "swish", "swish_beta"], between), IMAGES)
    assert found.headline.startswith("Take swish_beta: ")
    assert "relu cannot be compared with swish_beta pair by pair." in found.remarks


def test_arms_that_have_pairs_only_without_the_chosen_one_are_named(result):
    """As of two runs whose seeds differ: each has pairs of its own."""
    shown = [replace(result, verdict=NOT_SHOWN), replace(result, first="mish", second="elu", verdict=BETTER)]
    found = answer(compared_arms(["relu", "swish", "elu", "mish"], *shown), IMAGES)
    assert found.headline == "Keep relu: no difference between swish and relu is shown"
    assert "elu and mish cannot be compared with relu pair by pair." in found.remarks


def test_without_pairs_the_reason_is_said():
    arms = ["swish", "relu"]
    unfair = Fairness([], [Unequal("relu", "swish", Shared.ROWS, True, 2, 2)], [])
    for comparison, reason in (
        (compared_arms(["swish"]), "swish is the only activation here"),
        (compared_arms(arms), "relu and swish cannot be compared: every network trained on all images"),
        (compared_arms(arms, score=SCORE), "no two share seed and fold"),
        (compared_arms(arms, score=SCORE, fairness=unfair), "no two of their networks are a fair pair"),
    ):
        assert reason in answer(comparison, IMAGES).headline
