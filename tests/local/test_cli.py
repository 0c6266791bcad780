import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY_FLAGS
from factories import constants

from pipeline.arguments import parse_run
from pipeline.cli import main
from pipeline.config.config_json import from_json
from pipeline.config.presets import PRESETS, preset
from pipeline.config.schema import TrainConfig
from pipeline.evidence import comparison as compare
from pipeline.kaggle.bundle import BUNDLE
from pipeline.kaggle.metadata import METADATA, PLACEHOLDER

HEAVY = ("tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib", "pydantic", "numpy")


def exit_code(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


def test_fields_of_a_preset_can_be_overridden():
    config = parse_run(
        ["original", "--train.epochs", "3", "--seeds", "2", "--out", "x", "--arms", "elu", "swish"]
    ).config
    expected = preset("original")
    assert (config.train.epochs, config.seeds, config.out, config.arms) == (3, 2, "x", ("elu", "swish"))
    assert config.train.batch_size == expected.train.batch_size == TrainConfig().batch_size
    assert parse_run([]).config == preset("sample")
    assert parse_run(["--seeds", "3"]).config.seeds == 3


def test_labels_belong_to_the_command_not_to_the_config(monkeypatch):
    wanted = parse_run(["leaderboard", "--labels", "private.csv"])
    assert (wanted.config, wanted.labels) == (preset("leaderboard"), Path("private.csv"))
    seen = {}
    monkeypatch.setattr(compare, "compare_runs", lambda *arguments: seen.update(enumerate(arguments)))
    main(["compare", "a", "b", "--arms", "elu", "mish", "--out", "o", "--data", "sample", "--labels", "private.csv"])
    assert list(seen.values()) == [(Path("a"), Path("b")), Path("o"), "sample", ("elu", "mish"), Path("private.csv")]


def test_labels_judge_a_finished_run(finished, csv_source, digits, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "judged"
    shutil.copytree(finished[0], folder, ignore=shutil.ignore_patterns(".lock"))
    labels = tmp_path / "labels.csv"
    rows = "".join(f"{image_id},{digit}\n" for image_id, digit in zip(digits.image_ids, digits.labels, strict=False))
    labels.write_text("ImageId,Label\n" + rows)
    monkeypatch.chdir(tmp_path)
    before = (folder / "submission.csv").read_bytes()
    main(["run", "original", "--data", str(csv_source), "--out", str(folder), *TINY_FLAGS, "--labels", str(labels)])
    told = capsys.readouterr().out
    right = sum(f"{line}\n".encode() in before for line in rows.splitlines())
    assert f"this submission would score {right / 30:.5f} on the held-back labels" in told
    assert (folder / "submission.csv").read_bytes() == before
    (paired,) = json.loads((folder / "comparison.json").read_text())["paired"]
    assert paired["images"] == 20 + 30
    labels.write_text("ImageId,Label\n1,2\n")
    with pytest.raises(SystemExit, match="2"):
        main(["run", "original", "--data", str(csv_source), "--out", str(folder), *TINY_FLAGS, "--labels", str(labels)])


def test_without_a_preset_kaggle_gets_the_strongest(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).parents[2] / METADATA, METADATA)
    METADATA.write_text(METADATA.read_text().replace(PLACEHOLDER, "ada"))
    main(["bundle", "--train.epochs", "3"])
    told = constants(BUNDLE.read_text())["CONFIG"]
    assert from_json(told, "bundle") == parse_run(["leaderboard", "--train.epochs", "3"]).config
    assert (
        "kernel-metadata.json: ada/digit-recognizer-relu-vs-swish\nnow: kaggle kernels push" in capsys.readouterr().out
    )


@pytest.mark.parametrize("arguments", [["--help"], ["run", "original", "--help"], ["push", "original", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom pipeline.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "HEAVY []" in done.stdout
    assert "original" in done.stdout


def test_help_lists_every_preset_and_every_field_with_its_reason(capsys):
    main([])
    overview = capsys.readouterr().out
    assert all(name in overview for name in PRESETS)
    assert exit_code("run", "original", "--help") == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for part in ("--train.epochs INT", "--augment.rotation FLOAT Degrees; largest rotation", "--out", "(default: 30)"):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "unknown command 'fly'"),
        (["pusch"], "unknown command 'pusch'; did you mean 'push'?"),
        (["bundle", "orignal"], "unknown preset 'orignal'; did you mean 'original'?"),
        (["bundle"], "no kernel-metadata.json in"),
        (["push", "--wach"], "--wach"),
        (["submit", "-k", "ada/kernel"], "a kernel by both -k OWNER/SLUG and -v VERSION"),
        (["submit", "x.csv", "-k", "ada/kernel", "-v", "1"], "name either a run or CSV, or a kernel"),
        (["submit"], "no finished run under runs/"),
        (["fetch"], "nothing was pushed from here"),
        (["download", "everything"], "everything"),
        (["run", "orignal"], "unknown preset 'orignal'; did you mean 'original'?"),
        (["run", "original", "--epocs", "3"], "--epocs"),
        (["run", "original", "--train.epochs", "many"], "--train.epochs"),
        (["run", "original", "--arms", "swich"], "unknown activation 'swich'; did you mean 'swish'?"),
        (["run", "original", "--seeds", "0", "--train.epochs", "0"], "train.epochs must be at least 1"),
        (["run", "original", "--data", "nowhere.zip"], "no data at nowhere.zip"),
    ],
)
def test_mistakes_are_told_with_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert exit_code(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert "Traceback" not in captured.err
