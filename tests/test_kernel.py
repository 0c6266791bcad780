"""A kernel that really runs, the whole way from code to score; and what one says and refuses."""

import json
import os
import platform
import shutil
import signal
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TINY_FLAGS, command_at
from kaggle_server import KERNEL, KEY
from stand_in_worker import plan_faults, stand_in

from pipeline.config.errors import StoppedError, UserError
from pipeline.kaggle.metadata import METADATA
from pipeline.kernel import describe_machine, kernel_hours, run_kernel
from pipeline.network import architectures  # noqa: F401, as users import it
from pipeline.network.activations import swish
from pipeline.records.atomic import file_sha256
from pipeline.records.run_folder import RECEIPT, RunFolder
from pipeline.records.submission_record import read_submission_record
from pipeline.report import page


@pytest.fixture
def push(server, tmp_path):
    """A function that pushes from a clone with other fields in its metadata. This machine's kernels have no GPU."""
    home, clone = tmp_path / "home", tmp_path / "clone"
    home.mkdir()
    clone.mkdir()

    def push(*flags, **fields):
        (clone / METADATA).write_text(json.dumps(json.loads((ROOT / METADATA).read_text()) | fields))
        return clone, command_at(clone, server.environment(home), "push", "original", *TINY_FLAGS, *flags)

    return push


def test_the_whole_way_from_code_to_score(server, push, finished, csv_source, tmp_path):
    """Push, watch, fetch, submit, score; and the kernel computes what the package computes, bit for bit."""
    home = tmp_path / "home"
    shutil.copytree(csv_source, tmp_path / "clone" / "data")
    clone, done = push("--submit", enable_gpu=False, machine_shape="")
    assert done.returncode == 0, done.stderr
    sent = server.kernel
    assert sent["slug"] == KERNEL
    assert (sent["language"], sent["kernelType"], sent["machineShape"]) == ("python", "script", "")
    assert (sent["isPrivate"], sent["enableGpu"], sent["enableInternet"]) == (True, False, False)
    assert sent["competitionDataSources"] == ["digit-recognizer"]

    (folder,) = (clone / "runs").iterdir()
    for member in ("relu-s0-f0", "swish-s0-f0"):
        for array in ("test_probabilities.npy", "validation_probabilities.npy"):
            ours, theirs = (f / "members" / member / array for f in (folder, finished[0]))
            assert ours.read_bytes() == theirs.read_bytes()
    assert (folder / "submission.csv").read_bytes() == (finished[0] / "submission.csv").read_bytes()
    network = keras.saving.load_model(folder / "members" / "swish-s0-f0" / "model.keras")
    assert any(getattr(layer, "activation", None) is swish for layer in network.layers)

    working = server.folder / "working1"
    written = {path.relative_to(working).as_posix() for path in working.rglob("*") if path.is_file()}
    assert {"submission.csv", "report.html", RECEIPT} <= written
    assert len(written) < 500
    assert not any("checkpoints" in path for path in written)
    assert (working / "submission.csv").read_bytes() == (folder / "submission.csv").read_bytes()
    first = [server.log.index(text) for text in ("bundle: ", "packages: tensorflow", "run: original in")]
    assert first == sorted(first)

    predicted = pd.read_csv(folder / "submission.csv")["Label"].to_numpy()
    score = np.mean(predicted == server.truth)
    for text in (
        f"pushed version 1 of {KERNEL}: https://www.kaggle.com/code/{KERNEL}",
        f"{KERNEL}: RUNNING",
        "swish-s0-f0  epoch 6/6",
        f"{KERNEL}: COMPLETE",
        "submissions left today: 5",
        f"score: {score:.5f}; your best is at rank 12 of 1,500",
    ):
        assert done.stdout.count(text) == 1, text
    (entry,) = [json.loads(line) for line in (clone / "submissions" / "log.jsonl").read_text().splitlines()]
    assert (entry["status"], entry["score"]) == ("complete", float(f"{score:.5f}"))
    everything = done.stdout + done.stderr + server.log + sent["text"]
    everything += "".join(p.read_text(errors="replace") for p in clone.rglob("*") if p.is_file())
    assert KEY not in everything
    assert "s3cret" not in everything

    listed = command_at(clone, server.environment(home), "runs")
    assert folder.name[:20] in listed.stdout
    assert f"{score:.5f}" in listed.stdout


def test_a_kernel_without_the_gpu_it_was_pushed_for_ends_before_any_training(server, push):
    _, done = push("--watch")
    assert done.returncode == 1
    assert server.kernel["enableGpu"] is True
    assert "device: " not in server.log
    for words in (
        "the run asks for a GPU, but there is none",
        "verified phone number",
        "enable_gpu true, then push again",
    ):
        assert words in done.stderr  # the end of the log
    assert "Nothing of it could be fetched: it had not finished a network" in done.stderr
    assert not any(path.startswith("runs/") and "members" in path for path in server.outputs)


@pytest.mark.slow
def test_a_kernel_for_jax_runs_on_jax(server, push):
    pytest.importorskip("jax", reason="JAX is a requirement of the developers only")
    trained = ("--train.epochs", "2", "--train.batch-size", "4")  # enough for more than one digit
    clone, done = push("--watch", "--backend", "jax", "--arms", "relu", *trained, enable_gpu=False, machine_shape="")
    assert done.returncode == 0, done.stderr + server.log
    (folder,) = (clone / "runs").iterdir()
    member = json.loads((folder / "members" / "relu-s0-f0" / "member.json").read_text())
    assert member["environment"]["jax"] == version("jax")
    assert member["environment"]["xla"] == "whole step"


IDENTITY = {"commit": "abc", "run_id": "1", "bundle_sha256": "2"}


@pytest.fixture
def kernel(tiny, csv_source, tmp_path, monkeypatch):
    """The config and folder of a kernel of two pairs, whose members are guessed."""
    stand_in(monkeypatch)
    monkeypatch.setattr(page, "_pictures", lambda *_: {})
    monkeypatch.chdir(tmp_path)
    shutil.copytree(csv_source, "data")
    config = replace(tiny, seeds=2)
    folder = RunFolder.of(config)
    folder.path.mkdir(parents=True)
    folder.lock.touch()
    return config, folder


def test_a_kernel_has_the_hours_that_kaggle_gives_its_accelerator(tiny):
    assert [kernel_hours(replace(tiny, device=device)) for device in ("auto", "gpu", "tpu")] == [11.5, 11.5, 8.5]
    assert kernel_hours(replace(tiny, device="tpu", hours=2.0)) == 2.0


def test_a_kernel_keeps_within_kaggles_hours_and_shows_each_provisional_submission(kernel):
    config, folder = kernel
    plan_faults(folder.path, {"how": "kill_the_run", "member": "swish-s1-f0"}, capacity=1)
    if not (child := os.fork()):
        run_kernel(asdict(config), IDENTITY)
        os._exit(0)  # not reached
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert folder.read_config().hours == 11.5
    assert Path("submission.csv").read_bytes() == folder.submission.read_bytes()
    assert read_submission_record(folder).voters == 2
    assert sorted(path.name for path in folder.members.iterdir()) == ["relu-s0-f0", "relu-s1-f0", "swish-s0-f0"]
    assert not Path(RECEIPT).exists()  # which would say that the output is whole


def test_a_kernel_that_is_asked_to_stop_leaves_its_receipt(kernel):
    config, folder = kernel
    plan_faults(folder.path, {"how": "ask_the_run_to_stop", "member": "swish-s1-f0"}, capacity=1)
    with pytest.raises(StoppedError, match="1 of 4 networks are missing"):
        run_kernel(asdict(replace(config, hours=2.0)), IDENTITY)
    assert folder.read_config().hours == 2.0
    receipt = json.loads(Path(RECEIPT).read_text())
    for name, sha256 in receipt["sha256"].items():
        assert file_sha256(Path(name)) == sha256
    assert {"submission.csv", "report.html", folder.submission.as_posix()} <= receipt["sha256"].keys()
    assert read_submission_record(folder).voters == 3


def test_the_log_begins_with_versions_and_hardware():
    text = "\n".join(describe_machine())
    assert f"python {platform.python_version()}" in text
    assert f"keras {version('keras')}" in text
    assert "cores" in text
    assert "GPU" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sedes": 1}, "CONFIG, at the top of this kernel, is not a run's config"),
        ({"seeds": 0}, "seeds must be between 1 and 1,000"),
        ({}, "no competition data found"),
    ],
)
def test_a_kernel_that_cannot_run_leaves_no_receipt(change, message, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        run_kernel(asdict(tiny) | change, IDENTITY)
    assert not (tmp_path / RECEIPT).exists()
    assert capsys.readouterr().out.startswith("python 3.")
