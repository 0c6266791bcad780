"""docs/study.md against the records that it is taken from."""

import hashlib
import json
from dataclasses import replace

import pandas as pd
import pytest
from conftest import ROOT
from figures import page, prose, record, row
from scipy.stats import binom, ttest_1samp

from pipeline.compare import compare_runs
from pipeline.config.presets import preset
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import read_study

TEXT = page("docs/study.md")
PROSE = prose(TEXT)
STUDIES = {"25 pairs": "strong-25/comparison", "ten pairs before": "strong/comparison", "both, not planned": "joint"}
HOURS = {"strong-25": "8.9", "30-epochs": "5.0"}


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


@pytest.mark.parametrize(("title", "study"), STUDIES.items())
def test_the_answer_is_the_records(title, study):
    (result,) = record(f"study/{study}")["paired"]
    assert result["images"] == 42_000
    assert result["verdict"] == ("equally good" if study == "joint" else "not shown")
    last, (low, high) = result["by_epoch"][-1], result["time_interval"]
    ahead = f"{last['first_ahead']}, {last['second_ahead']}"
    time = f"{result['time_ratio']:.2f} ({low:.2f} to {high:.2f})"
    intervals = [signed(*result[name]) for name in ("interval", "equivalence_interval")]
    assert row(title, len(result["points"]), signed(result["difference"]), *intervals, ahead, time) in TEXT


def test_the_larger_study_misses_equivalence_by_little():
    low, _ = record("study/strong-25/comparison")["paired"][0]["equivalence_interval"]
    assert f"leaves the margin of ±0.03 points, by {-0.03 - low:.3f}" in PROSE


def test_the_second_measure_is_the_records():
    (result,) = record("study/strong-25/comparison")["paired"]
    wrong, loss = (result[name] for name in ("wrong_probability", "log_loss"))
    assert f"{wrong['mean']:+.3f} points are in Swish's favour ({signed(*wrong['interval'])})" in PROSE
    low, high = loss["interval"]
    assert f"of the log loss {loss['mean']:+.5f} ({low:+.5f} to {high:+.5f})" in PROSE


def test_the_arms_are_those_of_the_larger_study():
    last = metrics("strong-25").query("epoch == 30").groupby("arm")["validation_accuracy"]
    (relu, swish) = (f"{last.mean()[arm]:.4f} ± {last.std()[arm]:.4f}" for arm in ("relu", "swish"))
    assert record("study/strong-25/comparison")["fairness"]["unequal"] == []
    assert f"All 25 pairs are fair; a network reaches {relu} (mean ± sd) with ReLU and {swish} with Swish" in PROSE


def test_swish_is_ahead_at_first_only():
    spans = record("study/strong-25/comparison")["paired"][0]["by_epoch"]
    first = [f"{span['difference']:.{digits}f}" for span, digits in zip(spans, (1, 2, 2), strict=False)]
    assert f"ahead by {first[0]}, {first[1]} and {first[2]} points after the epochs 1, 2 and 3" in PROSE
    early = [span["difference"] for span in spans[3:12]]
    assert f"by {min(early):.2f} to {max(early):.2f} up to the twelfth" in PROSE
    assert all(span["interval"][0] > 0 for span in spans[:12])
    assert not any(span["interval"][0] > 0 for span in spans[14:])


def test_the_recorded_recipe_is_the_preset():
    larger, first = (read_study(RunFolder(ROOT / "docs/study" / place)).configs for place in ("strong-25", "strong"))
    assert first == [preset("study")]
    assert larger == [replace(preset("study"), seeds=5, first_seed=2, out=larger[0].out, data=larger[0].data)]


@pytest.mark.parametrize("study", STUDIES.values())
def test_the_records_repeat_the_comparisons(study, tmp_path):
    places = ["strong", "strong-25"] if study == "joint" else [study.partition("/")[0]]
    again = compare_runs([ROOT / "docs/study" / place for place in places], tmp_path / "again")
    assert json.loads(again.comparison.read_text()) == record(f"study/{study}")


def test_the_plan_is_as_it_was_written_before_the_training():
    plan = TEXT[TEXT.index("## The plan of the study of 25 pairs") :]
    assert (
        hashlib.sha256(" ".join(plan.split()).encode()).hexdigest()
        == "a51c85faa5026377ae2dc2b5ca8defc7c9a272fd0b33837a83b60c1e92698e9e"
    )
