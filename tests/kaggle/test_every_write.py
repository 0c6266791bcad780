"""Push, fetch, download and submit with a fault at every file operation: nothing half, nothing twice, nothing lost."""

import shutil
from pathlib import Path

import faults
import pytest
from faults import FINISHED

from pipeline.data.digits import load
from pipeline.kaggle.download import ARCHIVE, download_data
from pipeline.kaggle.fetch import fetch, is_fetched
from pipeline.kaggle.metadata import METADATA, read_metadata
from pipeline.kaggle.push import confirmed, push
from pipeline.kaggle.pushes import find_push
from pipeline.kaggle.submission_log import read_log
from pipeline.kaggle.submit import submit_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # the server's threads, at the fork
]


def each_fault(prepare, command, check, kills):
    """As `faults.each_fault`, each time in an empty working directory."""
    work = Path.cwd()

    def afresh():
        for path in work.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        prepare()

    faults.each_fault(afresh, command, check, kills, work)


@pytest.mark.parametrize("kills", [False, True])
def test_push(kills, account, server, tiny):
    server.runs_kernels = False

    def prepare():
        shutil.copy(Path(__file__).parents[2] / METADATA, METADATA)
        server.version, server.kernel = 0, None

    def check(code):
        read_metadata()  # as the user wrote it
        if server.version:  # a kernel runs: it can be found and followed
            pushed, folder = find_push(None)
            assert confirmed(account, pushed, folder).version == 1
            assert pushed.mark in server.kernel["text"]
        else:
            assert code != FINISHED
            if kills:  # what is left over does not stand in the way
                push(account, tiny)
                assert find_push(None)[0].mark in server.kernel["text"]

    each_fault(prepare, lambda: push(account, tiny), check, kills)


@pytest.mark.parametrize("kills", [False, True])
def test_fetch(kills, account, server, pushed):
    before, folder = pushed
    record, config = folder.push.read_bytes(), folder.config.read_bytes()
    server.leave_output(before, "ab")

    def prepare():
        folder.path.mkdir(parents=True)
        folder.push.write_bytes(record)
        folder.config.write_bytes(config)

    def check(code):
        assert find_push(None) == (before, folder)
        assert is_fetched(folder) or code != FINISHED
        for path in folder.path.iterdir():
            if path.name in ("a", "b"):
                assert path.read_bytes() == server.outputs[f"runs/tiny/{path.name}"]
        if not is_fetched(folder):
            fetch(account, before, folder)
            assert not list(folder.path.glob(".*.part"))
        assert (folder.path / "b").read_bytes() == server.outputs["runs/tiny/b"]
        assert not kills or not list(Path("runs").glob(".fetch-*"))

    each_fault(prepare, lambda: fetch(account, before, folder), check, kills)


@pytest.mark.parametrize("kills", [False, True])
def test_download(kills, account, server, csv_source):
    def check(code):
        if (archive := Path("data") / ARCHIVE).exists():
            assert archive.read_bytes() == server.archive
        download_data()
        assert [path.name for path in Path("data").iterdir()] == [ARCHIVE]
        assert load("auto").digest() == load(str(csv_source)).digest()

    each_fault(lambda: None, download_data, check, kills)


@pytest.mark.parametrize("kills", [False, True])
def test_submit(kills, account, server, csv_source):
    """However it ends, the same command afterwards ends with a score, and one submission was spent."""

    def prepare():
        server.submissions, server.left = [], 5
        shutil.copytree(csv_source, "data")
        Path("mine.csv").write_text("ImageId,Label\n" + "".join(f"{i},{d}\n" for i, d in enumerate(server.truth, 1)))

    def check(code):
        read_log()
        for entry in read_log():  # scored before the fault: the command again says so, and asks for --again
            if entry.status == "complete":
                break
        else:
            assert submit_file(account, Path("mine.csv")).score == 1
        assert len(server.submissions) == 1
        assert read_log()[-1].status == "complete"

    each_fault(prepare, lambda: submit_file(account, Path("mine.csv")), check, kills)
