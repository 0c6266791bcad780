import json

import matplotlib.image
import pytest
from scipy.stats import beta

from benchmarks.minutes import Minutes, study_point
from pipeline.config.errors import UserError

EPOCHS = {"relu": (60, 60, 6000), "swish": (90, 120, 120)}  # seconds; one epoch was held up


@pytest.fixture
def records(tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    lines = [f"{arm},0,{fold},{epoch},{seconds}" for arm, times in EPOCHS.items() for fold in (0, 1)
             for epoch, seconds in enumerate(times, 1)]  # fmt: skip
    (study / "metrics.csv").write_text("\n".join(["arm,seed,fold,epoch,seconds", *lines]))
    votes = [{"composition": "2 relu", "mean_errors": 50, "images": 1000},
             {"composition": "1 relu + 1 swish", "mean_errors": 40, "images": 1000}]  # fmt: skip
    (study / "comparison.json").write_text(json.dumps({"same_size": votes}))
    rows = [{"run": "deotte, 7 epochs", "minutes": 3.5, "vote's errors": 60, "of": 800}]
    (tmp_path / "quick.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "original.json").write_text(json.dumps({"speed_ups": [2, 2.5, 9]}))
    return tmp_path


def claim(records):
    paths = {"quick": records / "quick.json", "original": records / "original.json"}
    return Minutes(posts=records / "study", strongest=records / "study", out=records / "deep/minutes.png", **paths)


def test_a_study_takes_its_median_epochs_on_two_cores(records):
    """By hand: 3 epochs of 60 s beside 3 of 120 s, one network per core."""
    point = study_point("original", records / "study")
    assert (point.name, point.minutes, point.errors, point.images) == ("original", (3 + 6) / 2, 40, 1000)


def test_all_points_are_told_and_drawn(records, capsys):
    claim(records).run()
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for minutes, errors, images in ((3.5, 60, 800), (4.5, 40, 1000), (11.2, 40, 1000)):  # 2.5 times 4.5 minutes
        low, high = beta.ppf([0.025, 0.975], [errors, errors + 1], [images - errors + 1, images - errors])
        shown = f"{1 - errors / images:.4f}, {1 - high:.4f} to {1 - low:.4f}"  # Clopper and Pearson's
        assert f"{minutes} {errors} of {images:,} {shown}" in printed
    assert "original in the post's way" in printed
    assert matplotlib.image.imread(records / "deep/minutes.png").shape[:2] == (480, 840)


@pytest.mark.parametrize("name", ["study/metrics.csv", "study/comparison.json", "quick.json", "original.json"])
def test_a_record_that_is_missing_is_named(records, name):
    (records / name).unlink()
    with pytest.raises(UserError, match=name.rpartition("/")[2]):
        claim(records).run()


@pytest.mark.parametrize("name", ["study/comparison.json", "quick.json", "original.json"])
def test_another_record_is_named(records, name):
    (records / name).write_text("{}")
    with pytest.raises(UserError, match=rf"{name} is not the record of a benchmark: it has no"):
        claim(records).run()


def test_a_study_of_other_arms_is_refused(records):
    (records / "study/comparison.json").write_text('{"same_size": []}')
    with pytest.raises(UserError, match="not the record of a study of ReLU and Swish"):
        study_point("original", records / "study")
