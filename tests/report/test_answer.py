"""What comes first: which arm to take, in images, for every verdict and every kind of comparison."""

from dataclasses import replace

import pytest
from factories import compared, pair
from studies import SCORE, compared_arms

from pipeline.evidence.epochs import EpochSpan
from pipeline.evidence.fairness import Fairness, Shared, Unequal
from pipeline.evidence.verdict import Verdict
from pipeline.report.answer import answer, choose

IMAGES = 28_000


@pytest.fixture
def result():
    """Swish against relu: 0.05 points behind, give or take 0.1, and 11% slower."""
    return replace(
        compared(*[pair(3, 4, fold=i % 2, seed=i) for i in range(6)]),
        difference=-0.05,
        interval=(-0.15, 0.05),
        time_ratio=1.11,
        time_interval=(1.08, 1.14),
        late=None,
    )


def headline(result, arms=("relu", "swish")):
    return answer(compared_arms(arms, result), IMAGES).headline


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.FIRST_BETTER, "Take swish: relu is worse (+14 ± 28 images of 28,000), 10% faster"),
        (Verdict.SECOND_BETTER, "Keep relu: swish is worse (-14 ± 28 images of 28,000), 11% slower"),
        (
            Verdict.EQUIVALENT,
            "Keep relu: swish is equally good within 0.03 points (-14 ± 28 images of 28,000), 11% slower",
        ),
        (Verdict.NOT_SHOWN, "Keep relu: swish is not shown better (-14 ± 28 images of 28,000), 11% slower"),
        (
            Verdict.TOO_FEW_PAIRS,
            "Cannot choose between relu and swish yet: 6 of at least 6 pairs (-14 ± 28 images of 28,000), 11% slower",
        ),
    ],
)
def test_each_verdict_has_its_headline(result, verdict, words):
    assert headline(replace(result, verdict=verdict)) == words


def test_of_equally_good_arms_the_faster_is_taken(result):
    equal = replace(result, verdict=Verdict.EQUIVALENT, time_ratio=0.8, time_interval=(0.7, 0.9))
    assert (
        headline(equal) == "Take swish: relu is equally good within 0.03 points (+14 ± 28 images of 28,000), 25% slower"
    )
    unsure = replace(equal, time_interval=(0.7, 1.1))
    assert headline(unsure) == "Keep relu: swish is equally good within 0.03 points (-14 ± 28 images of 28,000)"


def test_few_images_have_a_decimal_and_one_pair_no_interval(result):
    narrow = replace(result, difference=0.001, interval=(-0.009, 0.011), verdict=Verdict.NOT_SHOWN)
    assert "(+0.3 ± 2.8 images of 28,000)" in headline(narrow)
    single = compared(pair(1, 4))
    found = answer(compared_arms(["relu", "swish"], single), IMAGES)
    assert found.headline == ("Cannot choose between relu and swish yet: 1 of at least 6 pairs (-42 images of 28,000)")
    assert found.remarks == []


def test_the_interval_is_explained_and_said_to_be_unreliable_with_few_pairs(result):
    explained = answer(compared_arms(["relu", "swish"], result), IMAGES).remarks[-1]
    assert explained.endswith("to predict; ± is its 95% interval over seeds and images.")
    few = compared(pair(1, 4), pair(2, 4, fold=1))
    assert (
        answer(compared_arms(["relu", "swish"], few), IMAGES)
        .remarks[-1]
        .endswith("interval over seeds and images, which is not reliable with fewer than 5 pairs.")
    )


def test_relu_is_what_is_kept_wherever_it_stands(result):
    turned = replace(result, first="relu", second="elu", verdict=Verdict.NOT_SHOWN)
    assert headline(turned, ["elu", "relu"]).startswith("Keep relu: elu is not shown better (+14 ± 28 images")
    other = replace(result, first="mish", second="elu", verdict=Verdict.NOT_SHOWN)
    assert headline(other, ["elu", "mish"]).startswith("Keep elu: mish is not shown better")


def test_several_arms_are_grouped_and_their_numbers_follow(result):
    swish = replace(result, verdict=Verdict.NOT_SHOWN)
    beta = replace(swish, first="swish_beta", difference=0.1, interval=(0, 0.2))
    between = replace(beta, second="swish")
    found = answer(compared_arms(["relu", "swish", "swish_beta"], swish, beta, between), IMAGES)
    assert found.headline == "Keep relu: swish and swish_beta are not shown better"
    assert found.remarks[:2] == [
        "swish against relu: -14 ± 28 images of 28,000, 11% slower.",
        "swish_beta against relu: +28 ± 28 images of 28,000, 11% slower.",
    ]
    best = answer(
        compared_arms(
            ["relu", "swish", "swish_beta"],
            swish,
            replace(beta, verdict=Verdict.FIRST_BETTER),
            between,
        ),
        IMAGES,
    )
    assert best.headline == "Take swish_beta: relu is worse; swish is not shown better"
    assert best.remarks[0] == "relu against swish_beta: -28 ± 28 images of 28,000, 10% faster."


def test_the_arm_that_beats_most_others_is_taken(result):
    wins = [
        replace(result, first="swish", second="relu", verdict=Verdict.FIRST_BETTER),
        replace(result, first="elu", second="relu", verdict=Verdict.FIRST_BETTER),
        replace(result, first="elu", second="swish", verdict=Verdict.FIRST_BETTER),
    ]
    chosen, others = choose(compared_arms(["relu", "swish", "elu"], *wins))
    assert chosen == "elu"
    assert [(s.arm, s.verdict) for s in others] == [("relu", Verdict.SECOND_BETTER), ("swish", Verdict.SECOND_BETTER)]


def test_an_arm_that_only_beats_a_third_one_is_not_taken(result):
    """Nothing is shown against relu, so relu is kept, whatever the others show against each other."""
    for verdict in (Verdict.NOT_SHOWN, Verdict.TOO_FEW_PAIRS):
        shown = [
            replace(result, verdict=verdict),
            replace(result, first="swish_beta", verdict=verdict),
            replace(result, first="swish_beta", second="swish", verdict=Verdict.SECOND_BETTER),
        ]
        chosen, _ = choose(compared_arms(["relu", "swish", "swish_beta"], *shown))
        assert chosen == "relu"


def test_a_baseline_without_pairs_is_named_and_the_others_are_judged(result):
    between = replace(result, first="swish_beta", second="swish", verdict=Verdict.FIRST_BETTER)
    found = answer(compared_arms(["relu", "swish", "swish_beta"], between), IMAGES)
    assert found.headline.startswith("Take swish_beta: swish is worse (+14")
    assert found.remarks[0] == "relu cannot be compared with swish_beta pair by pair."


def test_late_epochs_are_remarked_on_where_they_are_clear(result):
    late = EpochSpan(21, 30, -0.037, (-0.058, -0.016), 1, 9)
    told = "On average over epochs 21 to 30, relu was ahead by 10 ± 6 images of 28,000 (interval over pairs)."
    assert told in answer(compared_arms(["relu", "swish"], replace(result, late=late)), IMAGES).remarks
    unclear = replace(result, late=replace(late, interval=(-0.08, 0.006)))
    assert not any("epochs" in line for line in answer(compared_arms(["relu", "swish"], unclear), IMAGES).remarks)


def test_without_pairs_the_reason_is_said():
    assert answer(compared_arms(["swish"]), IMAGES).headline == (
        "Nothing to choose from: swish is the only activation here"
    )
    arms = ["swish", "relu"]
    assert answer(compared_arms(arms), IMAGES).headline == (
        "relu and swish cannot be compared: every network trained on all images whose digit is known"
    )
    assert answer(compared_arms(arms, score=SCORE), IMAGES).headline.endswith("no two share seed and fold")
    unfair = Fairness([], [Unequal("relu", "swish", Shared.ROWS, True, 2, 2, 0, 0)])
    found = answer(compared_arms(arms, score=SCORE, fairness=unfair), IMAGES)
    assert found.headline.endswith("no two of their networks are a fair pair")
    assert "training and validation rows differed" in found.remarks[0]


def test_an_arm_without_fair_pairs_does_not_hide_the_others(result):
    found = answer(compared_arms(["relu", "swish", "elu"], replace(result, verdict=Verdict.NOT_SHOWN)), IMAGES)
    assert found.headline.startswith("Keep relu: swish is not shown better (-14 ± 28")
