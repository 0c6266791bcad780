"""Output never decides the outcome: real pipes, a full device, terminals that lack characters."""

import io
import os
import subprocess
import sys

import pytest
from conftest import ROOT, command, copy_of, environment

from pipeline.cli import main
from pipeline.streams import TolerantStream, tolerant_output


def stream_on(descriptor, **options):
    return open(descriptor, "w", encoding="utf-8", **options)  # noqa: PTH123


@pytest.fixture
def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return stream_on(writer)


def test_a_closed_pipe_and_a_full_device_swallow_what_comes(closed_pipe):
    for stream, kind in ((closed_pipe, BrokenPipeError), (stream_on("/dev/full"), OSError)):
        tolerant = TolerantStream(stream)
        for _ in range(3):
            assert tolerant.write("text\n") == 5
            tolerant.flush()
        assert type(tolerant.failure) is kind
        stream.close()  # without an error: what was left in its buffer went nowhere


def test_a_sound_stream_gets_everything():
    content = io.BytesIO()
    stream = TolerantStream(io.TextIOWrapper(content, "utf-8"))
    assert stream.write("± one\n") == 6
    stream.flush()
    assert content.getvalue() == "± one\n".encode()
    assert (stream.failure, stream.encoding) == (None, "utf-8")


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("ascii", "0.5 +/- 0.1 beta*x -> ? ?"), ("cp1252", "0.5 ± 0.1 beta·x -> ? ?"), ("utf-8", "0.5 ± 0.1 β·x → ✓ ┃")],
)
def test_characters_that_a_terminal_lacks_have_stand_ins(encoding, expected, monkeypatch):
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding))
    with tolerant_output():
        print("0.5 ± 0.1 β·x → ✓ ┃", end="")
    assert content.getvalue().decode(encoding) == expected


def test_without_stdout_nothing_is_printed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    main(["--help"])
    assert sys.stdout is None


@pytest.mark.parametrize("arguments", [[], ["--help"], ["runs"]])
def test_a_command_that_only_prints_fails_if_it_cannot(arguments, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", stream_on("/dev/full"))
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 1
    assert "the output is not complete: it could not be written (No space left on device)" in capsys.readouterr().err


def test_help_into_a_closed_pipe_ends_without_a_word():
    """As `python -m pipeline --help | true`, up to the interpreter's own last flush."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "--help"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_finished_run_counts_though_nobody_can_take_its_output(finished, csv_source, tmp_path):
    folder = copy_of(finished, tmp_path / "again")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            command(csv_source, folder),
            cwd=tmp_path,
            env=environment() | {"PYTHONIOENCODING": "ascii"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=200,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "the output is not complete: it could not be written (No space left on device)\n"
    (copy,) = (tmp_path / "submissions").iterdir()
    assert copy.read_bytes() == (finished[0] / "submission.csv").read_bytes()
