"""README's lines from Python, as a notebook would run them; the members are guessed."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from conftest import ROOT
from stand_in_worker import plan_faults, stand_in

from pipeline.config import presets
from pipeline.records.run_folder import RunFolder

(LINES,) = re.findall(r"```python\n(.*main\(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.fixture
def planned(tiny, csv_source, tmp_path, monkeypatch):
    """What the preset is in this test."""
    stand_in(monkeypatch)
    monkeypatch.chdir(tmp_path)
    config = replace(tiny, data=str(csv_source))
    RunFolder.of(config).path.mkdir(parents=True)
    RunFolder.of(config).lock.touch()
    plan_faults(RunFolder.of(config).path, capacity=1)
    monkeypatch.setattr(presets, "preset", lambda name: config)
    return config


def test_three_lines_train_and_give_a_table_and_the_report(planned, monkeypatch, capsys):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)  # it would show every line as a block of HTML
    names = {}
    exec(LINES, names)
    lines = capsys.readouterr().out.splitlines()
    assert any("relu-s0-f0" in line for line in lines)
    assert not any("<" in line for line in lines)
    ending = names["ending"]
    table = ending.predictions
    assert [*table.columns] == ["ImageId", "Label", "certainty"]
    assert table[["ImageId", "Label"]].equals(pd.read_csv(ending.folder.submission))
    assert table["certainty"].between(0.1, 1).all()
    shown = ending._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    assert '"' not in shown.split('"')[1].replace("&quot;", "")
    assert "&lt;title&gt;" in shown
    assert len(repr(ending)) < 300


SCRIPT = """
import multiprocessing
from pipeline.config.presets import preset
from pipeline.run import main

if __name__ == "__main__":  # as a run starts a worker
    process = multiprocessing.get_context("spawn").Process(target=print)
    process.start()
    process.join()
    raise SystemExit(process.exitcode)
main(preset("sample"))
"""


def test_a_script_without_a_guard_is_told_to_have_one(tmp_path):
    """Each worker process begins by running the script again."""
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'error: in a script, call main below `if __name__ == "__main__":`.\n'
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]
