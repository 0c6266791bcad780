"""What a comparison says in words."""

from dataclasses import replace

import pytest
from factories import compared, pair

from pipeline.evidence.fairness import Fairness, Shared, Unequal
from pipeline.evidence.same_size import Gain, SameSize
from pipeline.evidence.verdict import Estimate, Verdict, compare_pairs
from pipeline.report.sentences import details, fairness_lines, half_finished, headline, same_size_line

BALANCED = [pair(5, 6, fold=0), pair(6, 5, fold=1)] * 3


@pytest.fixture
def result():
    return compared(*BALANCED)


def test_headlines(result):
    assert [headline(replace(result, verdict=verdict)) for verdict in Verdict] == [
        "swish is better than relu",
        "relu is better than swish",
        "swish and relu are equally good within 0.03 points",
        "no difference between swish and relu is shown",
        "swish against relu, no verdict: it takes 3 pairs, there are 6",
    ]


def test_one_or_two_pairs_have_no_interval():
    one, two = compared(pair(10)), compared(pair(10), pair(10, fold=1))
    assert headline(one).endswith("there is 1")
    assert "+0.500 points over 1 pair and 2,000 images; swish ahead in 1 of 1 pair, relu in 0." in details(one)
    assert "interval" not in details(one) + details(two).partition("Time")[0]


def test_details_have_all_numbers(result):
    text = details(replace(
        result,
        difference=-0.0081,
        interval=(-0.0412, 0.0253),
        equivalence_interval=(-0.0351, 0.0192),
        wrong_probability=Estimate(0.0021, (-0.0269, 0.031)),
        log_loss=Estimate(-0.00032, (-0.00113, 0.00048)),
        time_interval=(0.9, 1.1),
    ))  # fmt: skip
    for part in (
        "-0.008 points (95% interval -0.041 to +0.025, 90% -0.035 to +0.019, over seeds and images)",
        "over 6 pairs and 4,000 images; swish ahead in 3 of 6 pairs, relu in 3.",
        "in favour of swish, +0.002 points of the probability given to wrong digits (95% interval -0.027 to +0.031)",
        "-0.00032 of the log loss (-0.00113 to +0.00048)",
        "1.00 (95% interval 0.90 to 1.10) times relu's",
    ):
        assert part in text


def test_several_comparisons_say_that_they_share_the_five_percent():
    three = compare_pairs(dict.fromkeys((("b", "a"), ("c", "a"), ("c", "b")), BALANCED))
    text = details(three[0])
    assert "(98.3% interval" in text
    assert ", 96.7% " in text
    assert "3 comparisons share the 5%" in text
    assert "share the 5%" not in details(compared(*BALANCED))


def test_only_what_is_not_settled_warns_of_a_false_alarm(result):
    assert "false alarm" in details(replace(result, verdict=Verdict.NOT_SHOWN))
    assert "false alarm" not in details(replace(result, verdict=Verdict.FIRST_BETTER))


def test_a_mean_that_rounds_to_zero_has_no_sign(result):
    assert details(replace(result, difference=-1e-18)).startswith("+0.000 points (95% interval -")


def test_what_pairs_did_not_share_is_said():
    found = [
        Unequal("swish", "relu", Shared.LEARNING_RATES, True, 9, 10),
        Unequal("swish", "relu", Shared.DROPOUT, False, 1, 10),
        Unequal("elu", "relu", Shared.DRAWS, True, 2, 2),
    ]
    assert fairness_lines(Fairness([("swish", "relu")], found, [Shared.ROWS, Shared.PRECISION])) == [
        "Checked by their records: the two networks of each pair shared the training and validation rows, the "
        "precision.",
        "Not equal between swish and relu: the learning rates differed in 9 of 10 pairs.",
        "Not equal between swish and relu: the dropout draws, not recorded in 1 of 10 pairs.",
        "Not compared pair by pair: elu and relu. The order and the augmentation of every image differed in 2 of 2 "
        "pairs.",
    ]
    assert fairness_lines(Fairness([], [], [])) == []


def test_what_mixing_arms_adds_in_words():
    gains = [Gain("relu", 9.75, (1.26, 18.24)), Gain("swish", 11.25, (-2, 24.5))]
    text = same_size_line(SameSize(2, "relu", "swish", 10, 42_000, 200, 201.5, 190.25, gains))
    assert (
        "Votes of 2 networks, wrong of 42,000 images: 2 relu 200.0, 2 swish 201.5, 1 relu + 1 swish of other seeds "
        "190.2." in text
    )
    assert "9.8 fewer than 2 relu (95%: 18.2 fewer to 1.3 fewer)" in text
    assert "11.2 fewer than 2 swish (95%: 24.5 fewer to 2.0 more), for other seeds and images, by 10 votes" in text
    gains = [Gain("relu", -2, None), Gain("swish", -1, None)]
    alone = same_size_line(SameSize(4, "relu", "swish", 1, 2_000, 27, 28, 29, gains))
    assert "2.0 more than 4 relu and 1.0 more than 4 swish, for these networks, by 1 vote of each kind." in alone


def test_half_finished():
    assert half_finished(3, 8).startswith("Half-finished: 3 of 8 networks are missing")
    assert half_finished(0, 8) == ""
