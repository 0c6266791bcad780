"""What a comparison says in words."""

from dataclasses import replace
from html import unescape

import pytest
from factories import compared, pair

from pipeline.evidence.epochs import EpochSpan
from pipeline.evidence.fairness import Fairness, Shared, Unequal
from pipeline.evidence.mcnemar import McNemar
from pipeline.evidence.power import Power
from pipeline.evidence.same_size import Gain, SameSize
from pipeline.evidence.verdict import Verdict
from pipeline.records.scores import Score
from pipeline.report.page import render_report
from pipeline.report.sentences import (
    describe,
    details,
    ensemble_lines,
    fairness_lines,
    half_finished,
    headline,
    mcnemar_lines,
    submission_votes,
)

BALANCED = [pair(5, 6, fold=0), pair(6, 5, fold=1)] * 3


@pytest.fixture
def result():
    return compared(*BALANCED)


def test_headlines(result):
    assert [headline(replace(result, verdict=verdict)) for verdict in Verdict] == [
        "swish is better than relu",
        "relu is better than swish",
        "swish and relu are equivalent within 0.03 points",
        "no difference between swish and relu is shown",
        "swish against relu, cannot decide: needs at least 6 pairs, has 6",
    ]


def test_too_few_pairs_are_said_to_be_too_few():
    one, two = compared(pair(10)), compared(pair(10), pair(10, fold=1))
    assert describe(one).startswith("swish against relu, cannot decide: needs at least 6 pairs, has 1: +0.500 points")
    assert "interval" not in describe(one)
    assert "With fewer than 5 pairs, the interval is not reliable." in details(two)
    assert "the chance is 0% to show one of 0.03 points and 0% to show one of 0.05 points." in details(two)


def test_details_have_all_numbers(result):
    result = replace(
        result,
        difference=-0.0081,
        interval=(-0.0412, 0.0253),
        p_value=0.4375,
        p_adjusted=0.9375,
        powers=[Power(0.03, 0.143, None), Power(0.05, 0.4, 24)],
        late=EpochSpan(21, 30, -0.0374, (-0.0576, -0.0171), 1, 9),
        time_interval=(0.9, 1.1),
    )
    assert details(result) == (
        "-0.008 points (95% interval -0.041 to +0.025, over seeds and images) over 6 pairs and 4,000 images, "
        "P(swish > relu) = 0.50, p = 0.44 (sign-flip test, raw), 0.94 after Holm's correction. On average over epochs "
        "21 to 30: -0.037 points (95% interval -0.058 to -0.017, over pairs), swish ahead in 1 and relu ahead in 9 of "
        "6 pairs. If there is a true difference, the chance is 14% to show one of 0.03 points and 40% to show one of "
        "0.05 points. A chance of 80% takes more than 1,000 pairs for 0.03 points and about 24 pairs for 0.05 points, "
        "in a new study: to add pairs to these and test again finds more than 5% of differences that are none. "
        "Time per epoch: 1.00 (95% interval 0.90 to 1.10) times relu's."
    )


def test_a_settled_matter_needs_no_power_and_a_single_test_no_correction(result):
    settled = details(replace(result, verdict=Verdict.FIRST_BETTER))
    assert "chance" not in settled
    assert f"p = {result.p_value:.2g} (sign-flip test)." in settled


def test_a_mean_that_rounds_to_zero_has_no_sign(result):
    assert ": +0.000 points (95% interval -" in describe(replace(result, difference=-1e-18))


def test_what_pairs_did_not_share_is_said():
    found = [
        Unequal("swish", "relu", Shared.LEARNING_RATES, True, 9, 10, 0, 1),
        Unequal("swish", "relu", Shared.DROPOUT, False, 1, 10, 2, None),
        Unequal("elu", "relu", Shared.DRAWS, True, 2, 2, 0, 0),
    ]
    assert fairness_lines(Fairness([("swish", "relu")], found)) == [
        "Checked by their records: the members of each pair shared the training and validation rows, the order and "
        "the augmentation of every image, the initial weights, the precision, the kind of processor.",
        "Not equal between swish and relu: the learning rates differed in 9 of 10 pairs, first with seed 0, fold 1.",
        "Not equal between swish and relu: the dropout draws were not recorded in 1 of 10 pairs, first with seed 2, "
        "fold none.",
        "Not compared pair by pair: elu and relu. The order and the augmentation of every image differed in 2 of 2 "
        "pairs, first with seed 0, fold 0.",
    ]
    (alike,) = fairness_lines(Fairness([("swish", "relu")], []))
    assert alike.endswith("the dropout draws, the learning rates, the precision, the kind of processor.")
    assert fairness_lines(Fairness([], [])) == []


def test_mcnemar_names_its_p_values(outcome):
    comparison = replace(outcome()[3], tests=[McNemar("relu", "swish", "held-back", 7, 2, 0.18, 0.54)])
    (line,) = mcnemar_lines(comparison)
    assert (
        "held-back images: only relu gets 7 right, only swish gets 2; p = 0.18 (exact McNemar test, raw), 0.54 after "
        in line
    )


def test_ensembles_and_weights_are_told_in_words(outcome):
    comparison = replace(
        outcome()[3],
        same_size=[
            SameSize(2, "relu", "swish", 10, 42_000, 200, 201.5, 190.25,
                     [Gain("relu", 9.75, (1.26, 18.24)), Gain("swish", 11.25, (-2, 24.5))]),
            SameSize(4, "relu", "swish", 1, 2_000, 27, 28, 29, [Gain("relu", -2, (-4, 0)), Gain("swish", -1, (-3, 1))]),
        ],
    )  # fmt: skip
    two, four = ensemble_lines(comparison)
    assert two == (
        "Ensembles of 2, errors of 42,000 images: 2 relu 200.0, 2 swish 201.5, 1 relu + 1 swish 190.2. "
        "1 relu + 1 swish gains +9.8 errors over 2 relu (95% interval +1.3 to +18.2) and +11.2 errors over 2 swish "
        "(95% interval -2.0 to +24.5), over seeds and images, from 10 blocks of seeds."
    )
    assert "2 relu + 2 swish gains -2.0 errors over 4 relu" in four
    assert four.endswith("over images, for these networks, from 1 block of seeds.")
    html = unescape(render_report(*outcome()[:3], comparison))
    assert all(line in html for line in (two, four))


def test_half_finished():
    assert half_finished(3, 8) == "Half-finished: 3 of 8 members are missing."


def test_a_submission_names_its_votes_and_their_errors_on_the_images_that_say_most(outcome):
    comparison = outcome()[3]
    everyone = replace(comparison.ensembles[-1], validation=Score(3000, 12), held_back=Score(2000, 27))
    known, validated, nothing = (
        replace(comparison, ensembles=[replace(everyone, **gone)])
        for gone in ({}, {"held_back": None}, {"held_back": None, "validation": None})
    )
    assert submission_votes(known) == "4 networks with equal votes, 27 errors of 2,000 held-back images"
    assert submission_votes(validated).endswith("votes, 12 errors of 3,000 validation images")
    assert submission_votes(nothing) == "4 networks with equal votes"
