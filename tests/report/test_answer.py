"""What comes first: which arm to take, in images, for every verdict and every kind of comparison."""

from dataclasses import replace

import pytest
from factories import compared, pair
from studies import SCORE, compared_arms

from pipeline.evidence.fairness import Fairness, Shared, Unequal
from pipeline.evidence.verdict import Verdict
from pipeline.report.answer import answer, choose

IMAGES = 28_000


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
        late=None,
    )


def headline(result, arms=("relu", "swish")):
    return answer(compared_arms(arms, result), IMAGES).headline


STUDIED = "; on 42,000 digits neither was shown to be better"
FEWER = "reads 14 ± 28 fewer of 28,000 images right (95%) and takes 11% longer"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.FIRST_BETTER, f"Take swish: it {FEWER}"),
        (Verdict.SECOND_BETTER, f"Keep relu: swish {FEWER}"),
        (
            Verdict.EQUIVALENT,
            "Keep relu: swish is equally good within 0.03 points. It reads 14 ± 22 fewer of 28,000 images right (90%) "
            "and takes 11% longer",
        ),
        (Verdict.NOT_SHOWN, f"Keep relu: no benefit of swish is shown. It {FEWER}"),
        (Verdict.TOO_FEW_PAIRS, f"This run cannot tell: it has 6 of at least 3 pairs of networks{STUDIED}"),
    ],
)
def test_each_verdict_has_its_headline(result, verdict, words):
    assert headline(replace(result, verdict=verdict)) == words


def test_the_new_arm_is_described_whichever_comes_first(result):
    turned = replace(
        result, first="relu", second="swish", difference=0.05, time_ratio=1 / 1.11, time_interval=(0.88, 0.93)
    )
    assert headline(replace(turned, verdict=Verdict.SECOND_BETTER)) == f"Take swish: it {FEWER}"
    assert headline(replace(turned, verdict=Verdict.FIRST_BETTER)) == f"Keep relu: swish {FEWER}"


def test_of_equally_good_arms_the_faster_is_taken(result):
    equal = replace(result, verdict=Verdict.EQUIVALENT, time_ratio=0.8, time_interval=(0.7, 0.9))
    reads = "equally good within 0.03 points. It reads 14 ± 22 fewer of 28,000 images right (90%)"
    assert headline(equal) == f"Take swish: it is {reads} and takes 20% less time"
    assert headline(replace(equal, time_interval=(0.7, 1.1))) == f"Keep relu: swish is {reads}"


def test_few_images_have_a_decimal_and_one_pair_no_number(result):
    narrow = replace(result, difference=0.001, interval=(-0.009, 0.011), verdict=Verdict.NOT_SHOWN)
    assert "reads 0.3 ± 2.8 more of" in headline(narrow)
    found = answer(compared_arms(["relu", "swish"], compared(pair(1, 4))), IMAGES)
    assert found.headline == f"This run cannot tell: it has 1 of at least 3 pairs of networks{STUDIED}"
    assert found.remarks == []


def test_relu_is_what_is_kept_wherever_it_stands(result):
    turned = replace(result, first="relu", second="elu", verdict=Verdict.NOT_SHOWN)
    assert headline(turned, ["elu", "relu"]).startswith("Keep relu: no benefit of elu is shown. It reads 14 ± 28 more")
    other = replace(result, first="mish", second="elu", verdict=Verdict.NOT_SHOWN)
    assert headline(other, ["elu", "mish"]).startswith("Keep elu: no benefit of mish is shown")


def test_several_arms_are_grouped_and_their_numbers_follow(result):
    swish = replace(result, verdict=Verdict.NOT_SHOWN, level=0.05 / 3)
    beta = replace(swish, first="swish_beta", difference=0.1, interval=(0, 0.2))
    between = replace(beta, second="swish")
    arms = ["relu", "swish", "swish_beta"]
    found = answer(compared_arms(arms, swish, beta, between), IMAGES)
    assert found.headline == "Keep relu: no benefit of swish and swish_beta is shown"
    assert found.remarks[:2] == [
        "swish against relu: it reads 14 ± 28 fewer of 28,000 images right (98.3%) and takes 11% longer.",
        "swish_beta against relu: it reads 28 ± 28 more of 28,000 images right (98.3%) and takes 11% longer.",
    ]
    best = answer(compared_arms(arms, swish, replace(beta, verdict=Verdict.FIRST_BETTER), between), IMAGES)
    assert best.headline == "Take swish_beta: relu is worse; no benefit of swish is shown"
    assert "fewer of 28,000 images right (98.3%) and takes 10% less time." in best.remarks[0]


def test_arms_with_too_few_pairs_have_no_numbers(result):
    few = compared(pair(1, 4), pair(2, 4, fold=1))
    others = [replace(few, first=arm) for arm in ("swish", "elu")]
    arms = ["relu", "swish", "elu"]
    one_less = replace(others[1], points=[0.1])
    assert answer(compared_arms(arms, others[0], one_less), IMAGES).headline.endswith(
        "it has 1 of at least 3 pairs of networks"
    )
    mixed = answer(compared_arms(arms, replace(result, verdict=Verdict.NOT_SHOWN), others[1]), IMAGES)
    assert mixed.headline == "Keep relu: no benefit of swish is shown; elu is undecided, with too few pairs"
    assert len(mixed.remarks) == 2


def test_the_arm_that_beats_most_others_is_taken(result):
    wins = [
        replace(result, first="swish", second="relu", verdict=Verdict.FIRST_BETTER),
        replace(result, first="elu", second="relu", verdict=Verdict.FIRST_BETTER),
        replace(result, first="elu", second="swish", verdict=Verdict.FIRST_BETTER),
    ]
    chosen, others = choose(compared_arms(["relu", "swish", "elu"], *wins))
    assert chosen == "elu"
    assert [(s.arm, s.verdict) for s in others] == [("relu", Verdict.SECOND_BETTER), ("swish", Verdict.SECOND_BETTER)]


def test_of_arms_that_win_equally_often_the_first_is_taken(result):
    """Each of three beats relu and one other, in a circle."""
    circle = [("elu", "swish"), ("swish", "mish"), ("mish", "elu")]
    wins = [replace(result, first=a, second=b, verdict=Verdict.FIRST_BETTER)
            for a, b in [*((arm, "relu") for arm, _ in circle), *circle]]  # fmt: skip
    assert choose(compared_arms(["relu", "swish", "mish", "elu"], *wins))[0] == "swish"
    assert choose(compared_arms(["relu", "mish", "elu", "swish"], *wins))[0] == "mish"
    assert "but not the best either" in answer(compared_arms(["relu", "swish", "mish", "elu"], *wins), IMAGES).headline


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
    assert found.headline.startswith("Take swish_beta: it reads 14 ± 28 fewer")
    assert found.remarks[0] == "relu cannot be compared with swish_beta pair by pair."


def test_without_pairs_the_reason_is_said():
    assert answer(compared_arms(["swish"]), IMAGES).headline == (
        "Nothing to choose from: swish is the only activation here"
    )
    arms = ["swish", "relu"]
    assert answer(compared_arms(arms), IMAGES).headline == (
        "relu and swish cannot be compared: every network trained on all images whose digit is known"
    )
    assert answer(compared_arms(arms, score=SCORE), IMAGES).headline.endswith("no two share seed and fold")
    unfair = Fairness([], [Unequal("relu", "swish", Shared.ROWS, True, 2, 2, 0, 0)], [])
    found = answer(compared_arms(arms, score=SCORE, fairness=unfair), IMAGES)
    assert found.headline.endswith("no two of their networks are a fair pair")


def test_an_arm_without_fair_pairs_does_not_hide_the_others(result):
    found = answer(compared_arms(["relu", "swish", "elu"], replace(result, verdict=Verdict.NOT_SHOWN)), IMAGES)
    assert found.headline.startswith("Keep relu: no benefit of swish is shown. It reads 14 ± 28")
