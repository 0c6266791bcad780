"""docs/study.md against the records that it is taken from."""

import hashlib
import json

import pandas as pd
import pytest
from conftest import ROOT
from figures import page, prose, record, row, votes
from scipy.stats import binom, ttest_1samp

from pipeline.compare import compare_runs
from pipeline.config.presets import preset
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import read_study

TEXT = page("docs/study.md")
PROSE = prose(TEXT)
STRONG = ROOT / "docs/study/strong"
HOURS = {"strong": "2.8", "30-epochs": "5.0"}


def metrics(place):
    return pd.read_csv(ROOT / "docs/study" / place / "metrics.csv")


def signed(*points):
    return " to ".join(f"{value:+z.3f}" for value in points)


def over_pairs(place, first, second, epochs):
    """The row of a difference by the histories alone: mean and t interval over pairs, of accuracies in percent."""
    table = metrics(place)
    table = table[table["epoch"].isin(epochs)]
    by_arm = table.pivot_table(index=["seed", "fold"], columns="arm", values="validation_accuracy", aggfunc="mean")
    differences = (100 * (by_arm[first] - by_arm[second])).dropna()
    ahead = f"{(differences > 1e-9).sum()}, {(differences < -1e-9).sum()}"
    span = f"{epochs[0]} to {epochs[-1]}" if len(epochs) > 1 else epochs[0]
    interval = signed(*ttest_1samp(differences, 0).confidence_interval())
    return row(f"{first} - {second}", span, len(differences), signed(differences.mean()), interval, ahead)


@pytest.mark.parametrize(
    ("place", "first", "second", "epochs"),
    [
        ("30-epochs", "swish", "relu", [30]),
        ("30-epochs", "swish", "relu", [*range(21, 31)]),
        ("30-epochs", "swish_beta", "relu", [30]),
        ("30-epochs", "swish_beta", "swish", [30]),
        ("6-epochs", "swish", "relu", [6]),
    ],
)
def test_earlier_differences_are_those_of_the_histories(place, first, second, epochs):
    assert over_pairs(place, first, second, epochs) in TEXT


@pytest.mark.parametrize("place", HOURS)
def test_the_hours_are_those_of_the_median_epochs(place):
    networks = (
        metrics(place).groupby(["arm", "seed", "fold"])["seconds"].agg(lambda epochs: epochs.median() * len(epochs))
    )
    assert f"{networks.sum() / 2 / 3600:.1f}" == HOURS[place]  # two cores
    assert f"{len(networks)} networks" in PROSE
    assert f"{HOURS[place]} hours on" in PROSE


def test_the_posts_claim_is_one_pair():
    images = 7000
    swish, relu = (round(images * (1 - accuracy)) for accuracy in (0.99671, 0.99457))
    assert f"is {swish} errors against {relu}" in PROSE
    last = metrics("30-epochs").query("epoch == 30 and arm == 'swish'")["validation_accuracy"]
    rate = 1 - last.mean()
    assert f"{images * rate:.1f} errors are expected" in PROSE
    assert f"have a probability of {binom.cdf(swish, images, rate):.0%}" in PROSE


def test_coverage_is_that_of_the_record():
    found = pd.DataFrame(record("benchmarks/coverage")["rows"])
    worst = found[["false_difference", "false_equivalence"]].to_numpy().max()
    assert f"No verdict is wrong in more than {worst:.1%}" in PROSE
    assert 1 - found["coverage"].min() == pytest.approx(worst)
    lines = []
    for (noise, folds, seeds), tastes in found.query("seed_sd == 0.05").groupby(["noise", "folds", "seeds"]):
        cells = [", ".join(f"{value:{'.3f' if key == 'half_width' else '.1%'}}" for value in tastes[key])
                 for key in ("coverage", "half_width", "false_difference", "false_equivalence",
                             "power_0.03", "power_0.05")]  # fmt: skip
        lines.append(row(f"{folds * seeds}: {folds} × {seeds}", noise.replace("docs/study/strong", "here"), *cells))
    shown = TEXT.partition("| pairs: folds ×")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(shown) == 6
    assert [line for line in shown if line not in lines] == []


def test_the_answer_is_the_records():
    (result,) = record("study/strong/comparison")["paired"]
    last = result["by_epoch"][-1]
    ahead = f"{last['first_ahead']}, {last['second_ahead']}"
    difference = signed(result["difference"])
    assert row("swish - relu", 30, 10, difference, signed(*result["interval"]), ahead) in TEXT
    assert (len(result["points"]), result["images"], result["verdict"]) == (10, 42_000, "not shown")
    assert f"the 90% interval ({signed(*result['equivalence_interval'])}) leaves the margin of ±0.03" in PROSE
    assert max(map(abs, result["equivalence_interval"])) > 0.03
    ratio, (low, high) = result["time_ratio"], result["time_interval"]
    assert f"{ratio:.2f} times as long per epoch (95% {low:.2f} to {high:.2f})" in PROSE
    errors = votes("votes")
    for arm, group in metrics("strong").query("epoch == 30").groupby("arm"):
        accuracy = group["validation_accuracy"]
        spread = f"{accuracy.mean():.4f} ± {accuracy.std():.4f}"
        assert row(arm, len(group), spread, f"{errors[f'2 {arm}']:.0f}") in TEXT


def test_the_second_measure_is_the_records():
    (result,) = record("study/strong/comparison")["paired"]
    wrong, loss = (result[name] for name in ("wrong_probability", "log_loss"))
    assert f"{wrong['mean']:+.3f} points are in Swish's favour ({signed(*wrong['interval'])})" in PROSE
    low, high = loss["interval"]
    assert f"of the log loss {loss['mean']:+.5f} ({low:+.5f} to {high:+.5f})" in PROSE


def test_swish_is_ahead_at_first_only():
    spans = record("study/strong/comparison")["paired"][0]["by_epoch"]
    first = [f"{span['difference']:.{digits}f}" for span, digits in zip(spans, (1, 2, 2), strict=False)]
    assert f"ahead by {first[0]}, {first[1]} and {first[2]} points after the epochs 1, 2 and 3" in PROSE
    assert all(span["interval"][0] > 0 for span in spans[:3])
    assert f"at most {max(abs(span['difference']) for span in spans[3:]):.2f} points either way" in PROSE


def test_the_recorded_recipe_is_the_preset():
    (config,) = read_study(RunFolder(STRONG)).configs
    assert config == preset("study")


def test_the_record_repeats_the_comparison(tmp_path):
    again = compare_runs([STRONG], tmp_path / "again")
    assert json.loads(again.comparison.read_text()) == record("study/strong/comparison")


def test_the_plan_is_as_it_was_written_before_the_training():
    plan = TEXT[TEXT.index("## The plan of the study of 25 pairs") :]
    assert (
        hashlib.sha256(" ".join(plan.split()).encode()).hexdigest()
        == "a51c85faa5026377ae2dc2b5ca8defc7c9a272fd0b33837a83b60c1e92698e9e"
    )
