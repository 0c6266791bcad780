import ast
import json
import re
import resource
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT, TINY_FLAGS, copy_of
from factories import changed, constants, record_votes

from pipeline.arguments import summary
from pipeline.cli import main, read
from pipeline.commands import COMMANDS
from pipeline.config.command import run_command
from pipeline.config.config_json import from_literal
from pipeline.config.presets import PRESETS, preset
from pipeline.config.schema import TrainConfig
from pipeline.data.digits import load
from pipeline.kaggle import watch
from pipeline.kaggle.metadata import CODE_FILE, METADATA, PLACEHOLDER
from pipeline.kaggle.pushes import find_push
from pipeline.records import opened_runs
from pipeline.records.readers import read_sealed, sealed
from pipeline.records.run_folder import RunFolder

HEAVY = ("tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib", "pydantic", "numpy")


def exit_code(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


def test_fields_of_a_preset_can_be_overridden():
    config = read(
        "run", ["original", "--train.epochs", "3", "--seeds", "2", "--out", "x", "--arms", "elu", "swish"]
    ).config
    expected = preset("original")
    assert (config.recipe.train.epochs, config.seeds, config.out, config.arms) == (3, 2, "x", ("elu", "swish"))
    assert config.recipe.train.batch_size == expected.recipe.train.batch_size == TrainConfig().batch_size
    assert read("run", []).config == preset("sample")
    assert read("run", ["--seeds", "3"]).config.seeds == 3


def test_home_is_understood_behind_the_sign_of_a_flag(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    wanted = read("run", ["--out=~/x", "--data", "a~b", "--labels=~/y.csv", "--name=x~"])
    assert (wanted.config.out, wanted.config.data, wanted.config.name) == ("/home/ada/x", "a~b", "x~")
    assert wanted.labels == Path("/home/ada/y.csv")


def test_labels_belong_to_the_command_not_to_the_config(monkeypatch):
    wanted = read("run", ["leaderboard", "--labels", "private.csv"])
    assert (wanted.config, wanted.labels) == (preset("leaderboard"), Path("private.csv"))
    seen = {}
    monkeypatch.setattr("pipeline.compare.compare_runs", lambda *arguments: seen.update(enumerate(arguments)))
    main(["compare", "a", "b", "--arms", "elu", "mish", "--out", "o", "--data", "sample", "--labels", "private.csv"])
    assert list(seen.values()) == [(Path("a"), Path("b")), Path("o"), "sample", ("elu", "mish"), Path("private.csv")]


def test_labels_judge_a_finished_run(finished, csv_source, digits, tmp_path, monkeypatch, capsys):
    folder = copy_of(finished, tmp_path / "judged")
    labels = tmp_path / "labels.csv"
    rows = "".join(f"{image_id},{digit}\n" for image_id, digit in zip(digits.image_ids, digits.labels, strict=False))
    labels.write_text("ImageId,Label\n" + rows)
    monkeypatch.chdir(tmp_path)
    before = (folder / "submission.csv").read_bytes()
    main(["run", "original", "--data", str(csv_source), "--out", str(folder), *TINY_FLAGS, "--labels", str(labels)])
    told = capsys.readouterr().out
    right = len(set(rows.split()) & set(before.decode().split()))
    assert f"score    {right / 30:.4f}   {30 - right} of 30 held-back digits wrong" in told
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
    bundled = from_literal(constants(CODE_FILE.read_text())["CONFIG"], "bundle")
    expected = read("run", ["leaderboard", "--train.epochs", "3"]).config
    assert bundled == replace(expected, device="gpu")  # as kernel-metadata.json says
    assert "kaggle kernels push -p build" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["push", "original", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom pipeline.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "HEAVY []" in done.stdout
    assert "original" in done.stdout


@pytest.mark.parametrize("command", ["", *COMMANDS, "run leaderboard-residual"])
def test_help_fits_a_terminal_and_breaks_no_sentence(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    main([]) if not command else exit_code(*command.split(), "--help")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(line.strip("│| ") for line in lines)
    assert "None" not in text
    assert "(default: )" not in text
    assert summary(COMMANDS[command.split()[0]]) in text if command else all(name in text for name in COMMANDS)
    if not command or hasattr(COMMANDS[command.split()[0]], "usual_preset"):
        assert all(name in text for name in PRESETS)
    for line, following in pairwise(line.strip("│|").rstrip() for line in lines):
        indents = [len(each) - len(each.lstrip()) for each in (line, following)]
        if indents[0] == indents[1] > 8:  # two lines of one text: the next word would not have fitted
            assert len(line) + 1 + len(following.split()[0]) > 77, line


def test_the_short_help_has_what_people_change_and_the_long_one_all(capsys):
    assert exit_code("run", "original", "--help") == exit_code("help", "run") == 0
    short = capsys.readouterr().out
    assert exit_code("run", "original", "--help-all") == 0
    text = " ".join(re.sub("[│|]", " ", capsys.readouterr().out).split())
    for part in ("--train.epochs INT", "--augment.rotation FLOAT Degrees; largest rotation", "--out", "(default: 30)"):
        assert part in text
    shown = set(re.findall(r"^\W*--([\w.-]+) [A-Z[{]", short, re.MULTILINE))
    assert shown == {
        *("labels", "data", "out", "architecture", "arms", "seeds", "folds", "folds-used", "hours", "device"),
        "train.epochs",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pusch"], "unknown command 'pusch'; did you mean 'push'?"),
        (["Train", "quick"], "unknown command 'Train'; did you mean 'run'?"),
        (["quick", "--seeds", "2"], "a command comes first, such as run: python -m pipeline run quick --seeds 2"),
        (["--seeds", "2"], "python -m pipeline run --seeds 2"),
        (["bundle", "orignal"], "unknown preset 'orignal'; did you mean 'original'?"),
        (["bundle"], "no kernel-metadata.json in"),
        (["push", "--wach"], "unknown flag '--wach'; did you mean '--watch'?"),
        (["submit", "x.csv", "-k", "ada/kernel", "-v", "1"], "name either a run or CSV, or a kernel"),
        (["submit"], "no finished run under runs/"),
        (["submit", "nowhere.csv"], "nowhere.csv is not there"),
        (["run", "."], ". is no preset. Data is named with --data"),
        (["fetch"], "nothing was pushed from here"),
        (["run", "original", "--epocs", "3"], "unknown flag '--epocs'; did you mean '--train.epochs'?"),
        (["run", "--Learning_Rate", "3"], "did you mean '--train.learning-rate'?"),
        (["run", "--lr", "3"], "unknown flag '--lr'. See python -m pipeline run --help"),
        (["run", "--hours", "1h"], "--hours: expected a number, received '1h'"),
        (["run", "--seeds", "9" * 5000], "--seeds: expected a whole number"),
        (["run", "sample", "quick"], "'quick' is too much"),
        (["run", "--train.fresh-statistics", "true"], "'true' is too much"),
        (["run", "original", "--arms", "swich"], "unknown activation 'swich'; did you mean 'swish'?"),
        (["run", "original", "--seeds", "0", "--train.epochs", "0"], "train.epochs must be between 1 and 100,000"),
        (["run", "original", "--data", "nowhere.zip"], "no data at nowhere.zip"),
    ],
)
def test_mistakes_are_told_with_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert exit_code(*arguments) == 2
    captured = capsys.readouterr()
    assert message in " ".join(re.sub("[│|]", " ", captured.err + captured.out).split())
    assert "Traceback" not in captured.err


@pytest.fixture
def mine(account, csv_source, server):
    """Predictions in the working directory that are all right; the competition's small data beside them."""
    shutil.copytree(csv_source, "data")
    Path("mine.csv").write_text("ImageId,Label\n" + "".join(f"{i},{d}\n" for i, d in enumerate(server.truth, 1)))
    return "mine.csv"


def test_submit_passes_on_the_file_the_message_and_again(server, mine, capsys):
    main(["submit", mine, "-m", "my words"])
    assert server.submissions[0]["description"].startswith("my words [")
    assert exit_code("submit", mine) == 2
    assert "add --again" in capsys.readouterr().err
    main(["submit", mine, "--again"])
    assert len(server.submissions) == 2


def test_submit_passes_on_the_kernel_its_version_and_again(server, mine):
    server.version, server.outputs = 7, {"submission.csv": Path(mine).read_bytes()}
    kernel = ["submit", "-k", "ada/my-kernel", "-v", "7"]
    main(kernel)
    assert exit_code(*kernel) == 2
    main([*kernel, "--again", "-m", "twice"])
    assert [entry["description"].partition(" [")[0] for entry in server.submissions] == [
        "twice",
        "ada/my-kernel version 7",
    ]


def test_without_a_name_submit_takes_the_run_that_finished_last(server, mine, tiny):
    for name in ("later", "earlier"):
        folder = RunFolder(Path("runs") / name)
        folder.path.mkdir(parents=True)
        shutil.copy(mine, folder.submission)
        folder.write_config(replace(tiny, name=name))
        record_votes(folder, 1)
    written = read_sealed(folder.submission_record) | {"written": "2026-01-01T00:00:00.000000+00:00"}
    folder.submission_record.write_text(json.dumps(sealed(written)))
    main(["submit"])
    assert server.submissions[0]["description"].startswith("later ")


def test_push_then_fetch_then_fetch_again(server, account, tiny, capsys):
    server.runs_kernels = False
    shutil.copy(ROOT / METADATA, METADATA)
    main(["push", "original", "--train.epochs", "2"])
    assert "when it is complete: python -m pipeline fetch" in capsys.readouterr().out
    pushed, folder = find_push(None)
    assert folder.read_config().recipe.train.epochs == 2
    server.leave_output(pushed, also={"submission.csv": b"ImageId,Label\n1,2\n"})
    main(["fetch"])
    (copy,) = Path("submissions").glob("original-*.csv")
    assert copy.read_bytes() == folder.submission.read_bytes() == b"ImageId,Label\n1,2\n"
    calls = len(server.calls)
    main(["fetch", str(folder.path)])
    assert len(server.calls) == calls
    assert f"{folder.path} has its output already" in capsys.readouterr().out


def test_an_interrupted_command_exits_with_130_and_says_how_to_go_on(server, account, pushed, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    server.status = "RUNNING"
    server.faults["Logs"] = [404]
    monkeypatch.setattr(watch.time, "sleep", interrupted)
    assert exit_code("fetch") == 130
    captured = capsys.readouterr()
    assert "The kernel goes on: " in captured.out
    assert "interrupted; nothing that was finished is lost" in captured.err


def test_download_and_runs(server, account, capsys):
    main(["download"])
    assert Path("data/digit-recognizer.zip").exists()
    main(["runs"])
    assert "no runs yet: python -m pipeline run" in capsys.readouterr().out


def test_compare_passes_on_the_arms(account, tiny, digits, capsys):
    folder = RunFolder(Path("runs/x"))
    folder.path.mkdir(parents=True)
    folder.claim(tiny, digits)
    assert exit_code("compare", "runs/x", "--arms", "gelu") == 2
    assert "--arms names gelu, but the arms of these runs are relu, swish" in capsys.readouterr().err
    assert exit_code("compare") == 2
    assert "compare needs at least one run's folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "in_the_way"),
    [(["bundle"], "build"), (["download"], "data"), (["submit", "mine.csv"], "submissions")],
)
def test_a_folder_that_cannot_be_made_is_told_with_a_remedy_that_the_command_has(arguments, in_the_way, mine, capsys):
    shutil.copy(ROOT / METADATA, METADATA)
    shutil.rmtree(in_the_way, ignore_errors=True)
    Path(in_the_way).touch()
    assert exit_code(*arguments) == 2
    told = capsys.readouterr().err
    assert f"cannot write to the folder {in_the_way}" in told
    assert "--out" not in told


def test_a_full_disk_exits_with_1(account, capsys):
    shutil.copy(ROOT / METADATA, METADATA)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        assert exit_code("bundle") == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in capsys.readouterr().err
    assert not CODE_FILE.exists()


def test_an_error_of_the_operating_system_is_a_sentence_too(monkeypatch, capsys):
    def fail(_):
        raise PermissionError(13, "Permission denied", "runs")

    monkeypatch.setattr(COMMANDS["runs"], "__call__", fail)
    assert exit_code("runs") == 1
    assert capsys.readouterr().err == "error: [Errno 13] Permission denied: 'runs'\n"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "sys.version_info = (3, 9, 18)",
            r"Python 3\.11 to 3\.13 is needed, and this is Python 3\.9\.18 .*python3\.13 -m venv",
        ),
        ("sys.version_info = (3, 14, 0)", r"this is Python 3\.14\.0 \("),
        ("sys.modules['tyro'] = None", r"tyro.*, in Python 3\..*: .* -m pip install -r \".*requirements\.txt\""),
        ("sys.modules['pandas'] = None", r"pandas.* -m pip install -r"),
    ],
)
def test_an_unsuitable_python_is_a_sentence_with_the_remedy(setting, message):
    code = f"import runpy, sys; sys.argv = ['pipeline', 'run', '--data', '.']; {setting}; "
    done = subprocess.run(
        [sys.executable, "-c", code + "runpy.run_module('pipeline', run_name='__main__')"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert re.match(f"error: .*{message}", done.stderr)


def test_any_python_can_read_the_entry():
    """No f-string, annotation or other syntax that Python 2.7 lacks, in all that it reads before the check."""
    for name in ("__init__.py", "__main__.py"):
        tree = ast.parse((ROOT / "pipeline" / name).read_bytes().decode("ascii"))
        modern = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Starred, ast.Nonlocal, ast.AsyncFunctionDef)
        assert not [node for node in ast.walk(tree) if isinstance(node, modern)]
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        assert not any(node.returns or node.args.kwonlyargs for node in functions)


def test_the_version_is_the_latest_of_the_changelog(capsys):
    main(["--version"])
    released = re.findall(r"^## (\d[\d.]+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert capsys.readouterr().out.split()[1] == f"{released[0]},"


def test_blend_reads_the_data_that_it_is_given(make_run, csv_source, tiny, monkeypatch, capsys):
    runs = [str(make_run(changed(tiny, name=name, data="gone", arms=(name,)))) for name in ("relu", "elu")]
    monkeypatch.setattr(opened_runs, "load", load)
    assert exit_code("blend", *runs) == 2
    assert "gone" in capsys.readouterr().err
    main(["blend", *runs, "--data", str(csv_source), "--out", "blend"])
    assert Path("blend/submission.csv").exists()


@pytest.mark.parametrize(
    "change",
    [{}, {"seeds": 3, "arms": ("elu", "swish_beta")}, {"name": "mine", "data": "x y"}, {"folds": 4}],
)
def test_the_command_that_is_told_carries_out_the_same_config(change):
    for name in PRESETS:
        config = changed(preset(name), **change)
        config = changed(config, epochs=7, fresh_statistics=not config.recipe.train.fresh_statistics)
        words = shlex.split(run_command(replace(config, out="runs/some where")))
        assert words[:4] == ["python", "-m", "pipeline", "run"]
        assert read("run", words[4:]).config == replace(config, out="runs/some where")
    assert run_command(replace(preset("study"), out="x")) == "python -m pipeline run study --out x"
