"""The whole pipeline as its user runs it: real subprocesses on real digits, killed for real."""

import json
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
from conftest import command, copy_of, environment, run

from pipeline.data.submission_file import check_submission


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and "logs" not in p.parts}


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_one_command_leaves_all_that_a_run_is(finished, runs_folder):
    folder, printed = finished
    assert {p.name for p in folder.iterdir()} - {".lock", ".owner.json"} == {
        "checkpoints", "comparison.json", "config.json", "data.json", "environment.json", "logs", "members",
        "metrics.csv", "submission.json", "report.html", "submission.csv",
    }  # fmt: skip
    assert sorted(p.name for p in (folder / "members").iterdir()) == ["relu-s0-f0", "swish-s0-f0"]
    check_submission(folder / "submission.csv", np.arange(1, 31))
    (copy,) = (runs_folder / "submissions").iterdir()
    assert copy.read_bytes() == (folder / "submission.csv").read_bytes()

    probabilities = [np.load(m / "test_probabilities.npy") for m in sorted((folder / "members").iterdir())]
    labels = np.mean(probabilities, axis=0, dtype=np.float64).argmax(axis=1)
    assert pd.read_csv(folder / "submission.csv")["Label"].tolist() == labels.tolist()
    comparison = json.loads((folder / "comparison.json").read_text())
    assert [arm["activation"] for arm in comparison["arms"]] == ["relu", "swish"]
    assert json.loads((folder / "environment.json").read_text())["device"]

    lines = printed.splitlines()
    assert any("relu-s0-f0  epoch 6/6  loss" in line for line in lines)
    assert "one swish" in printed
    assert "\x1b" not in printed
    assert (folder / "logs" / "worker-0.log").exists()


def test_the_same_command_again_trains_nothing(finished, csv_source, runs_folder):
    folder = copy_of(finished, runs_folder / "again")
    before = {p: p.stat().st_mtime_ns for p in (folder / "members").rglob("*")}
    again = run(runs_folder, csv_source, "again")
    assert again.returncode == 0
    assert "2 of 2 networks are finished already" in again.stdout
    assert before == {p: p.stat().st_mtime_ns for p in (folder / "members").rglob("*")}


def test_killed_mid_training_it_resumes_to_the_same_bits(finished, csv_source, runs_folder):
    folder = runs_folder / "killed"
    process = subprocess.Popen(
        command(csv_source, folder),
        cwd=runs_folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    wait_for((folder / ".owner.json").exists)
    second = run(runs_folder, csv_source, folder)
    assert second.returncode == 2
    assert f"another run is at work in {folder}: process {process.pid} on {socket.gethostname()}" in second.stderr
    checkpoint, member = folder / "checkpoints" / "swish-s0-f0" / "epoch-0001.npz", folder / "members" / "swish-s0-f0"
    wait_for(lambda: checkpoint.exists() or member.exists())
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(alive(worker) for worker in workers), 20)

    resumed = run(runs_folder, csv_source, folder)
    assert resumed.returncode == 0, resumed.stderr
    assert "swish-s0-f0  epoch 1/6" not in resumed.stdout
    for name in ("relu-s0-f0", "swish-s0-f0"):
        for array in ("test_probabilities.npy", "validation_probabilities.npy"):
            ours, theirs = (f / "members" / name / array for f in (folder, finished[0]))
            assert ours.read_bytes() == theirs.read_bytes()
    assert (folder / "submission.csv").read_bytes() == (finished[0] / "submission.csv").read_bytes()


def test_a_folder_with_another_recipe_or_other_data_is_left_alone(finished, csv_source, runs_folder):
    folder = copy_of(finished, runs_folder / "kept")
    before = contents(folder)
    other = run(runs_folder, csv_source, folder, "--train.learning-rate", "0.5")
    assert other.returncode == 2
    assert "train.learning_rate: 0.001 there, 0.5 now" in other.stderr

    changed = runs_folder / "changed"
    shutil.copytree(csv_source, changed)
    lines = (changed / "test.csv").read_text().splitlines()
    (changed / "test.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    other = run(runs_folder, changed, folder)
    assert other.returncode == 2
    assert "holds a run on other data" in other.stderr
    assert contents(folder) == before


def test_a_damaged_member_is_trained_again_and_others_of_its_recipe_join(finished, csv_source, runs_folder):
    folder = copy_of(finished, runs_folder / "extended")
    damaged = folder / "members" / "relu-s0-f0" / "test_probabilities.npy"
    before = contents(folder / "members")
    damaged.write_bytes(b"broken")
    again = run(runs_folder, csv_source, folder, "--arms", "relu", "--seeds", "2")
    assert again.returncode == 0, again.stderr
    assert "test_probabilities.npy is not what was committed" in again.stdout
    after = contents(folder / "members")
    assert after[damaged] == before[damaged]
    assert all(after[path] == content for path, content in before.items() if damaged.parent not in path.parents)
    voters = [np.load(folder / "members" / f"relu-s{seed}-f0" / "test_probabilities.npy") for seed in (0, 1)]
    labels = np.mean(voters, axis=0, dtype=np.float64).argmax(axis=1)
    assert pd.read_csv(folder / "submission.csv")["Label"].tolist() == labels.tolist()


def test_when_no_member_can_be_trained_the_run_fails(csv_source, runs_folder):
    failed = run(runs_folder, csv_source, "failed", "--arms", "exponential")  # beyond float32
    assert failed.returncode == 1
    assert "no network could be trained" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_disk_without_room_for_a_checkpoint_ends_the_run_and_names_the_file(csv_source, runs_folder):
    """The system refuses files of more than a megabyte; a checkpoint takes ten."""
    full = subprocess.run(
        command(csv_source, "full", "--arms", "relu"),
        cwd=runs_folder,
        env=environment(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert full.returncode == 1
    assert "no room to write full/checkpoints/relu-s0-f0/epoch-0001.npz" in full.stderr
    assert "bytes are free there" in full.stderr
    assert "Traceback" not in full.stderr
    assert not (runs_folder / "full" / "submission.csv").exists()
    assert not list((runs_folder / "full").rglob("*.part"))


def test_what_the_data_does_not_allow(csv_source, runs_folder):
    refused = run(runs_folder, csv_source, "refused", "--train.batch-size", "90")
    assert refused.returncode == 2
    assert "train.batch_size is 90, but a network has only 80 rows" in refused.stderr
    assert not (runs_folder / "refused" / "config.json").exists()  # the folder stays free for the mended command
    assert "Traceback" not in refused.stderr
