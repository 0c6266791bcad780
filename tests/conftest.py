"""Shared parts: a few real digits, and a config small enough to train in seconds."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in the worker processes

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.config import MemberSpec, RunConfig, TrainConfig, members
from pipeline.data import PIXELS, Digits, embedded_sample

TINY = RunConfig(
    name="tiny",
    architecture="ghouzam",
    folds=5,
    folds_used=1,
    train=TrainConfig(
        epochs=3, batch_size=20, optimizer="adam", learning_rate=2e-3, schedule="cosine", precision="float32"
    ),
)


@pytest.fixture(scope="session")
def sample() -> Digits:
    return embedded_sample()


@pytest.fixture(scope="session")
def digits(sample) -> Digits:
    """100 labelled and 30 unlabelled real digits."""
    order = np.argsort(sample.labels, kind="stable").reshape(10, 300)[:, :10].T.ravel()
    return Digits(
        source="a test",
        images=sample.images[order],
        labels=sample.labels[order],
        test_images=sample.test_images[:30],
        image_ids=np.arange(1, 31),
    )


@pytest.fixture
def tiny() -> RunConfig:
    return TINY


@pytest.fixture
def spec() -> MemberSpec:
    """One swish member."""
    return members(replace(TINY, arms=("swish",)))[0]


@pytest.fixture(scope="session")
def csv_source(tmp_path_factory, digits):
    """The small digits in the competition's format; to be read only."""
    folder = tmp_path_factory.mktemp("digits")
    labelled = pd.DataFrame(digits.images.reshape(-1, 784), columns=PIXELS)
    labelled.insert(0, "label", digits.labels)
    labelled.to_csv(folder / "train.csv", index=False)
    pd.DataFrame(digits.test_images.reshape(-1, 784), columns=PIXELS).to_csv(folder / "test.csv", index=False)
    pd.DataFrame({"ImageId": digits.image_ids, "Label": 0}).to_csv(folder / "sample_submission.csv", index=False)
    return folder


@pytest.fixture
def csv_folder(csv_source, tmp_path):
    """A copy of them, to damage."""
    return shutil.copytree(csv_source, tmp_path / "digits")
