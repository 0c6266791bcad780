"""Shared parts: a few real digits, and a config small enough to train in seconds."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # this and the next, as in the worker processes
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
# Before anything imports the client of Kaggle: no test can leave the machine.
os.environ["KAGGLE_API_ENVIRONMENT"] = "LOCALHOST"
os.environ["http_proxy"] = os.environ["https_proxy"] = "http://127.0.0.1:9"
os.environ["no_proxy"] = os.environ["NO_PROXY"] = ""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from kaggle_server import KaggleServer

from pipeline.config.schema import MemberSpec, Recipe, RunConfig, TrainConfig, member_specs
from pipeline.data.digits import PIXELS, Digits, embedded_sample
from pipeline.kaggle import connection, push, waiting
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.metadata import METADATA
from pipeline.report.readings import Readings

TINY = RunConfig(
    name="tiny",
    recipe=Recipe(
        architecture="ghouzam",
        folds=5,
        train=TrainConfig(
            epochs=3, batch_size=20, optimizer="adam", learning_rate=2e-3, schedule="cosine", precision="float32"
        ),
    ),
    folds_used=1,
)


ROOT = Path(__file__).parents[1]
PYTHON_PATH = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])  # of processes we start
TINY_FLAGS = ["--folds", "5", "--train.epochs", "6", "--train.batch-size", "20"]


def command(data, out, *more):
    """A whole run of both arms on the small digits, in seconds."""
    return [
        sys.executable, "-m", "pipeline", "run", "original", "--data", str(data), "--out", str(out), *TINY_FLAGS, *more,
    ]  # fmt: skip


def environment():
    return {**os.environ, "PYTHONPATH": PYTHON_PATH}


def run(folder, data, out, *more):
    return subprocess.run(
        command(data, out, *more), cwd=folder, env=environment(), capture_output=True, text=True, timeout=280
    )


def command_at(folder, environment, *arguments):
    """A command in a folder that is not the clone."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory):
    """One for all processes of the tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "runs"
    folder.mkdir(exist_ok=True)
    return folder


def copy_of(finished, folder):
    """A copy of the finished run, to work in: the run itself belongs to all processes of the tests."""
    return shutil.copytree(finished[0], folder)


@pytest.fixture(scope="session")
def finished(runs_folder, csv_source):
    """A finished run, to be read only: its folder and what it printed. Trained once for all processes of the tests."""
    printed = runs_folder / "printed.txt"
    with FileLock(runs_folder / ".lock"):
        if not printed.exists():
            done = run(runs_folder, csv_source, "whole")
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""  # TensorFlow's chatter is in the worker's log
            printed.write_text(done.stdout)
    return runs_folder / "whole", printed.read_text()


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
    return member_specs(replace(TINY, arms=("swish",)))[0]


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


@pytest.fixture
def known():
    """Four images: all right, relu alone wrong, both wrong alike, both wrong differently."""
    readings = {"relu": [0, 7, 7, 7], "swish": [0, 1, 7, 8]}
    votes = {arm: np.eye(10)[guesses] * 0.9 + 0.01 for arm, guesses in readings.items()}
    vote = (votes["relu"] + 2 * votes["swish"]) / 3
    images = np.zeros((4, 28, 28), np.uint8)
    return Readings("held-back", "ImageId", np.arange(1, 5), images, np.arange(4, dtype=np.uint8), votes, vote)


@pytest.fixture
def server(csv_source, sample, tmp_path_factory):
    """A Kaggle of its own for the test, which knows the labels of the small digits to predict."""
    with KaggleServer(tmp_path_factory.mktemp("kaggle"), csv_source, sample.held_back_labels[:30]) as server:
        yield server


@pytest.fixture
def account(server, tmp_path, monkeypatch):
    """The test's account there, in an empty working directory, and less patience than a user's."""
    home = tmp_path / "home"
    home.mkdir()
    for name, value in server.environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connection, "TIMEOUT", (1, 1))
    monkeypatch.setattr(waiting, "RETRY_PAUSES", (0.01, 0.02))
    monkeypatch.setattr(waiting, "ARRIVAL_DELAYS", (0, 0.1, 1.5))
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(waiting, "LONGEST_BUSY", 0.01)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 0.5)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return Kaggle()


@pytest.fixture
def pushed(account, server, tiny):
    """A kernel that was pushed, and its folder here; the server does not run it."""
    server.runs_kernels = False
    shutil.copy(ROOT / METADATA, METADATA)
    return push.push(account, tiny)
