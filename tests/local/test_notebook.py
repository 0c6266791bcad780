"""README's lines from Python, as a notebook would run them; the members are guessed."""

import re
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
