"""docs/study.md against the records that it is taken from."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

from benchmarks.epochs import Epochs, pairs_only
from pipeline.compare import compare_runs
from pipeline.config.presets import preset
from pipeline.evidence.sign_flip import fewest_pairs, sign_flip
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import read_study

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/study.md").read_text()
PROSE = " ".join(TEXT.split())
PLACES = ("30-epochs", "6-epochs", "3-epochs", "float32")
IMAGES = 8400  # of a fold


def record(place):
    return json.loads((ROOT / "docs/study" / place / "comparison.json").read_text())


def metrics(place):
    return pd.read_csv(ROOT / "docs/study" / place / "metrics.csv")


def studied(place):
    """Each two arms, from the histories."""
    return {(result.first, result.second): result
            for result in pairs_only(ROOT / "docs/study" / place / "metrics.csv", IMAGES)}  # fmt: skip


def row(place, first, second, epochs, span, pairs, p_values=("", "")):
    who = "swish, float32 - bfloat16" if place == "float32" else f"{first} - {second}"
    low, high = span.interval
    cells = [
        who, epochs, pairs, f"{span.difference:+z.3f}", f"{low:+z.3f} to {high:+z.3f}",
        f"{span.first_ahead}, {span.second_ahead}", *p_values,
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


@pytest.mark.parametrize("place", PLACES)
def test_differences_are_those_of_the_record(place):
    recorded = {(result["first"], result["second"]): result for result in record(place)["paired"]}
    found = studied(place)
    for couple, result in recorded.items():
        mine = found[couple] if couple in found else found[couple[::-1]]
        assert sorted(mine.points) == pytest.approx(sorted(result["points"]))
        last = mine.by_epoch[-1]
        p_values = f"{mine.p_value:.2g}", f"{mine.p_adjusted:.2g}"
        assert row(place, *couple, last.last_epoch, last, len(mine.points), p_values) in TEXT, couple
        if place == "30-epochs":
            late = mine.late
            told = row(place, *couple, f"{late.first_epoch} to {late.last_epoch}", late, len(mine.points))
            assert told.replace("  ", " ") in TEXT, couple


def test_the_command_is_the_one_that_gives_them(capsys, tmp_path):
    Epochs(ROOT / "docs/study/30-epochs", out=tmp_path).run()
    printed = capsys.readouterr().out
    assert "-0.058 to -0.017" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"paired-differences.png", "difference-by-epoch.png"}
    assert "python -m benchmarks epochs docs/study/30-epochs" in TEXT


def test_swish_is_below_relu_in_each_late_epoch():
    spans = studied("30-epochs")["swish", "relu"].by_epoch
    assert all(span.difference < 0 for span in spans[20:])
    assert "Swish is below ReLU after each of the epochs 21 to 30" in PROSE


@pytest.mark.parametrize("place", ["30-epochs", "6-epochs"])
def test_arms_are_those_of_the_record(place):
    table, comparison = metrics(place), record(place)
    epochs = int(table["epoch"].max())
    errors = {ensemble["name"]: ensemble["validation"]["errors"] for ensemble in comparison["ensembles"]}
    for arm, group in table[table["epoch"] == epochs].groupby("arm"):
        accuracy = group["validation_accuracy"]
        spread = f"{accuracy.mean():.4f} ± {accuracy.std():.4f}"
        assert f"| {arm} | {epochs} | {len(group)} | {spread} | {errors[arm]} |" in TEXT
    assert {round(votes) for votes in np.array([10, 10, 5]) / 5} == {1, 2}
    assert "two networks on each image where n is 10, a single one where n is 5" in PROSE


def test_ensembles_of_two_are_those_of_the_record():
    for found in record("30-epochs")["same_size"]:
        words = (
            found["composition"].replace("1 relu + 1", "one relu and one").replace("1 swish + 1", "one swish and one")
        )
        errors = f"{found['mean_errors']:.1f}".removesuffix(".0")
        assert any(f"{words} {verb}{errors}" in PROSE for verb in ("make ", "")), words


def test_the_plateau_gave_no_pair_the_same_learning_rates():
    rates = metrics("30-epochs").pivot_table(index=["seed", "fold"], columns=["arm", "epoch"], values="learning_rate")
    for other in ("swish", "swish_beta"):
        assert (rates["relu"] != rates[other]).any(axis=1).all()
    short = metrics("6-epochs").pivot_table(index=["seed", "fold"], columns=["arm", "epoch"], values="learning_rate")
    assert (short["relu"] == short["swish"]).all(axis=None)


def test_the_posts_claim_is_one_pair():
    images = 7000
    swish, relu = (round(images * (1 - accuracy)) for accuracy in (0.99671, 0.99457))
    assert f"is {swish} errors against {relu}" in PROSE
    p_values = [binomtest(swish - shared, swish + relu - 2 * shared).pvalue for shared in range(swish + 1)]
    assert f"between {min(p_values):.5f}" in PROSE
    assert f"and {max(p_values):.2f} (no error in common)" in PROSE
    last = metrics("30-epochs").query("epoch == 30 and arm == 'swish'")["validation_accuracy"]
    rate = 1 - last.mean()
    assert f"{images * rate:.0f} errors are expected" in PROSE
    assert f"have a probability of {binom.cdf(swish, images, rate):.0%}" in PROSE


def test_five_pairs_could_not_have_shown_anything():
    assert (fewest_pairs(1), fewest_pairs(3)) == (6, 7)
    assert sign_flip([1] * 5) == 2 / 2**5
    assert f"never falls below {2 / 2**5:.2f}" in PROSE
    assert "it takes 6 pairs, or 7 with three arms" in PROSE


def test_old_intervals_are_marked():
    for place in PLACES:
        assert "earlier method" in record(place)["note"]
        page = ROOT / "docs/study" / place / "report.html"
        assert not page.exists() or "earlier method" in page.read_text()


def coverage_rows():
    """The rows of the coverage table, from the record: two tastes in one row."""
    rows = json.loads((ROOT / "docs/benchmarks/coverage.json").read_text())["rows"]
    by_design = {}
    for found in rows:
        by_design.setdefault((found["folds"], found["seeds"], found["seed_sd"]), []).append(found)
    for (folds, seeds, sd), pair in by_design.items():
        cells = [f"{folds * seeds}: {folds} × {seeds}", f"{sd:.2f}"]
        for key in ("coverage", "half_width", "false_difference", "false_equivalence", "power_0.03", "power_0.05"):
            digits = ".3f" if key == "half_width" else ".1%"
            cells.append(
                ", ".join(f"{found[key]:{digits}}" for found in sorted(pair, key=lambda found: found["taste"]))
            )
        yield "| " + " | ".join(cells) + " |"


def test_coverage_is_that_of_the_record():
    for line in coverage_rows():
        assert line in TEXT


def test_what_is_said_of_coverage_and_power_is_so():
    rows = json.loads((ROOT / "docs/benchmarks/coverage.json").read_text())["rows"]
    covered = [found["coverage"] for found in rows if found["folds"] * found["seeds"] >= 5]
    assert f"covers {100 * min(covered):.1f} to {max(covered):.1%}" in PROSE
    assert 0.93 < min(covered) < max(covered) < 0.975
    off = max(abs(found[f"foretold_{e}"] - found[f"power_{e}"]) for found in rows for e in (0.03, 0.05))
    assert f"within {np.ceil(100 * off):.0f} points of these" in PROSE
    for found in rows:
        assert max(found["false_difference"], found["false_equivalence"]) <= 0.05
    ten = [found for found in rows if (found["folds"], found["seeds"]) == (5, 2) and found["seed_sd"] <= 0.03]
    assert all(0.27 < found["power_0.05"] < 0.37 and 0.1 < found["power_0.03"] < 0.13 for found in ten)
    more = [found for found in rows if (found["folds"], found["seeds"]) == (5, 5) and found["seed_sd"] <= 0.03]
    assert all(0.68 < found["power_0.05"] < 0.9 for found in more)


def strong():
    return record("strong")["paired"][0]


def test_the_study_of_the_strong_recipe_is_the_records():
    result = strong()
    low, high = result["interval"]
    last = result["by_epoch"][-1]
    cells = [
        "swish - relu", 30, 10, f"{result['difference']:+z.3f}", f"{low:+z.3f} to {high:+z.3f}",
        f"{last['first_ahead']}, {last['second_ahead']}", f"{result['p_value']:.2g}",
    ]  # fmt: skip
    assert f"| {' | '.join(map(str, cells))} |" in TEXT
    assert (len(result["points"]), result["images"]) == (10, 42_000)
    small, large = result["powers"]
    assert (
        f"{small['power']:.0%} for a true difference of 0.03 points and {large['power']:.0%} for one of 0.05" in PROSE
    )
    table = metrics("strong")
    last_epochs = table[table["epoch"] == 30]
    votes = {vote["arms"]: vote for vote in json.loads((ROOT / "docs/score/votes.json").read_text())["votes"]}
    for arm, group in last_epochs.groupby("arm"):
        accuracy = group["validation_accuracy"]
        spread = f"{accuracy.mean():.4f} ± {accuracy.std():.4f}"
        assert f"| {arm} | {len(group)} | {spread} | {votes[f'2 {arm}']['errors']:.0f} |" in TEXT
    ratio, (low, high) = result["time_ratio"], result["time_interval"]
    assert f"{ratio:.2f} times as long per epoch (95% {low:.2f} to {high:.2f})" in PROSE


def test_swish_is_ahead_at_first_only():
    spans = strong()["by_epoch"]
    first = [f"{span['difference']:.{digits}f}" for span, digits in zip(spans, (1, 2, 2), strict=False)]
    assert f"ahead by {first[0]}, {first[1]} and {first[2]} points after the epochs 1, 2 and 3" in PROSE
    assert all(span["interval"][0] > 0 for span in spans[:3])
    assert all(abs(span["difference"]) < 0.04 for span in spans[3:])


def test_it_is_neither_better_nor_equivalent():
    result = strong()
    low, high = result["equivalence_interval"]
    assert result["verdict"] == "not shown"
    assert f"the 90% interval ({low:+.3f} to {high:+.3f}) leaves the margin of ±0.03 points" in PROSE
    assert all(low < 0 < high for low, high in (gain["interval"] for gain in record("strong")["same_size"][0]["gains"]))
    assert (strong()["by_epoch"][-1]["first_ahead"], strong()["by_epoch"][-1]["second_ahead"]) == (6, 4)
    assert "Swish is ahead in six pairs and ReLU in four" in PROSE


def test_the_recorded_recipe_is_the_preset():
    (config,) = read_study(RunFolder(ROOT / "docs/study/strong")).configs
    assert config == preset("study")


def test_the_mixed_vote_is_the_records():
    (found,) = record("strong")["same_size"]
    assert (found["size"], found["blocks"]) == (2, 5)
    for gain in found["gains"]:
        low, high = gain["interval"]
        assert f"{gain['errors']:+.1f} errors over two {gain['over']} networks ({low:+.1f} to {high:+.1f})" in PROSE


def test_the_record_repeats_the_comparison(tmp_path):
    again = compare_runs([ROOT / "docs/study/strong"], tmp_path / "again")
    assert json.loads(again.comparison.read_text()) == record("strong")
