"""The study's tables in README.md against the records that they are taken from."""

import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
RECORDS = sorted((ROOT / "docs/study").glob("**/comparison.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_differences_are_those_of_the_record(path):
    epochs = json.loads((path.parent / "config.json").read_text())["train"]["epochs"]
    for result in json.loads(path.read_text())["paired"]:
        first, second = result["first"], result["second"]
        who = "swish, float32 - bfloat16" if path.parent.name == "float32" else f"{first} - {second}"
        low, high = result["interval"]
        row = (
            f"| {who} | {epochs} | {len(result['points'])} | {result['difference']:+z.3f} "
            f"| {low:+z.3f} to {high:+z.3f} | {result['first_better']:.2f} | {result['p_adjusted']:.2g} |"
        )
        assert row in README, (first, second)


@pytest.mark.parametrize("place", [".", "30-epochs"])
def test_arms_are_those_of_the_record(place):
    folder = ROOT / "docs/study" / place
    epochs = json.loads((folder / "config.json").read_text())["train"]["epochs"]
    record = json.loads((folder / "comparison.json").read_text())
    errors = {ensemble["name"]: ensemble["validation"]["errors"] for ensemble in record["ensembles"]}
    for arm in record["arms"]:
        accuracies = [1 - score["errors"] / score["images"] for score in arm["validation"]]
        spread = f"{np.mean(accuracies):.4f} ± {np.std(accuracies, ddof=1):.4f}"
        name = arm["activation"]
        assert f"| {name} | {epochs} | {arm['members']} | {spread} | {errors[name]} |" in README


def test_headline_is_that_of_the_record():
    record = json.loads((ROOT / "docs/study/30-epochs/comparison.json").read_text())
    errors = {ensemble["name"]: ensemble["validation"]["errors"] for ensemble in record["ensembles"]}
    headline = " ".join(README.partition("## Does Swish beat ReLU?")[2].split("**")[1].split())
    to_relu = {result["first"]: result for result in record["paired"] if result["second"] == "relu"}
    assert set(to_relu) == {"swish", "swish_beta"}
    for name, result in to_relu.items():
        low, high = result["interval"]
        assert f"{result['difference']:+z.3f} points (95% interval {low:+z.3f} to {high:+z.3f})" in headline
        assert result["verdict"] == f"no difference between {name} and relu is shown"
    assert errors["relu"] == errors["swish"]
    assert f"make {errors['swish']} errors of 42,000" in headline
    assert f"to ReLU, {errors['swish_beta']} errors" in headline
