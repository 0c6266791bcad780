"""The bundle's three parts; that it computes what the package computes is tested in test_kernel.py."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from conftest import ROOT
from factories import constants

from pipeline.config.config_json import NOT_IN_A_KERNEL, from_literal
from pipeline.config.errors import RunError, UserError
from pipeline.config.presets import PRESETS, preset
from pipeline.config.schema import AugmentConfig, Recipe, RunConfig, TrainConfig
from pipeline.kaggle import bundle as module
from pipeline.kaggle.bundle import HASH_PLACEHOLDER, LARGEST, bundle, check_config, config_literal

PACKAGE = ROOT / "pipeline"


def started(text, folder, **options):
    (folder / "kernel.py").write_text(text)
    return subprocess.run(
        [sys.executable, "kernel.py"], cwd=folder, capture_output=True, text=True, timeout=100, check=False, **options
    )


def test_the_modules_are_there_word_for_word_but_for_what_no_kernel_needs(tiny):
    text, _ = bundle(tiny)
    parts = re.split(r"^# =+ (\S+) =+\n", text, flags=re.MULTILINE)[1:]
    bundled = dict(zip(parts[::2], parts[1::2], strict=True))
    assert all((ROOT / name).read_text() == content for name, content in bundled.items())
    left_out = {path for path in PACKAGE.rglob("*.py") if str(path.relative_to(ROOT)) not in bundled}
    assert {path.parent.name for path in left_out} == {"pipeline", "training", "kaggle"}
    assert {path.name for path in left_out if path.parent.name == "training"} == {
        *("cluster.py", "nodes.py", "ray_connection.py")
    }
    assert not any("import ray" in content for content in bundled.values())


def test_a_module_without_a_last_line_end_or_with_an_odd_name(tiny, tmp_path, monkeypatch):
    package = Path(shutil.copytree(module.PACKAGE, tmp_path / "pipeline"))
    monkeypatch.setattr(module, "PACKAGE", package)
    rules = package / "config/rules.py"
    rules.write_text(rules.read_text().rstrip("\n"))
    assert len(re.findall("^# =+ pipeline/", bundle(tiny)[0], re.MULTILINE)) == len(module.modules())
    shutil.copy(rules, package / "config/rules copy.py")
    with pytest.raises(UserError, match="rules copy.py has a name that no module can have"):
        bundle(tiny)


def test_the_text_is_deterministic_and_says_what_it_is(tiny):
    text, sha256 = bundle(tiny)
    assert bundle(tiny) == (text, sha256)
    assert len({bundle(tiny, "run1")[1], bundle(replace(tiny, seeds=2))[1], sha256}) == 3
    assert len(text.encode()) < LARGEST
    identity = constants(text)["IDENTITY"]
    assert identity["bundle_sha256"] == sha256
    assert len(identity["commit"]) >= 7
    assert HASH_PLACEHOLDER not in text


def test_a_bundle_that_is_too_large_is_not_made(tiny, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 100_000)
    with pytest.raises(RunError, match="over the 100,000 that it may have"):
        bundle(tiny)


@pytest.mark.parametrize("name", PRESETS)
def test_the_config_at_its_top_is_the_runs_with_a_comment_for_every_field(name):
    config = replace(preset(name), out="/home/ada/x", hours=2.5)
    text = config_literal(config)
    assert from_literal(eval(text), "CONFIG") == replace(config, out=None)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 120
    names = {field.name for kind in (RunConfig, Recipe, AugmentConfig, TrainConfig) for field in fields(kind)}
    for field in names - {*NOT_IN_A_KERNEL, "recipe", "augment", "train"}:
        (at,) = [i for i, line in enumerate(lines) if line.strip().startswith(f'"{field}":')]
        assert "# " in lines[at] + lines[at - 1], field


def test_a_kernel_as_people_edit_it(tiny, tmp_path):
    """Comments, trailing commas, another arm; an edit of the package below; and mistakes, each with its own error."""
    text = bundle(tiny)[0]
    config = '"arms": ["relu", "swish"],'
    assert text.count(config) == 1
    edited = text.replace(config, '"arms": ["relu", "gelu",],  # and no more').replace("no competition", "no bananas")
    done = started(edited, tmp_path)
    assert (done.returncode, done.stderr[:24]) == (1, "error: no bananas data f")
    assert from_literal(constants(edited)["CONFIG"], "CONFIG").arms == ("relu", "gelu")
    assert "Traceback" not in done.stderr
    for mistake, words in (
        ('"arms": ("relu"),', "arms: Input should be a valid array. Received: 'relu'"),
        ('"arms": {"relu"},', "arms: Input should be a valid array"),
        ('"arms": [], "sedes": 2,', "sedes: "),
        ('"arms": ["relu"], (1, 2): 3,', "keys must be str"),
    ):
        with pytest.raises(UserError, match="CONFIG, at the top, is not a run's config") as caught:
            from_literal(constants(text.replace(config, mistake))["CONFIG"], "CONFIG, at the top,")
        assert words in str(caught.value)


def test_in_a_notebooks_cell_it_says_where_it_belongs(tiny):
    with pytest.raises(SystemExit, match="^error: .*a notebook's cell.*%%writefile kernel.py"):
        exec(bundle(tiny)[0], {})


def test_a_kernel_never_gets_places_of_this_machine(tiny):
    with pytest.raises(UserError, match="--out /home/ada/runs/x: a kernel's run gets its folder under runs/"):
        check_config(replace(tiny, out="/home/ada/runs/x"))
    with pytest.raises(UserError, match="--data /home/ada/x.zip is a place on this machine"):
        check_config(replace(tiny, data="/home/ada/x.zip"))
    with pytest.raises(UserError, match="--engine ray: a kernel is one machine"):
        check_config(replace(tiny, engine="ray"))


@pytest.mark.parametrize(
    ("wanted", "accelerator", "device"),
    [("auto", "gpu", "gpu"), ("auto", "tpu", "tpu"), ("auto", "auto", "auto"), ("cpu", "gpu", "cpu")],
)
def test_a_kernel_knows_its_accelerator(wanted, accelerator, device, tiny):
    assert constants(bundle(replace(tiny, device=wanted), accelerator=accelerator)[0])["CONFIG"]["device"] == device


def test_an_accelerator_that_the_metadata_does_not_ask_for(tiny):
    with pytest.raises(UserError, match="asks for no TPU. Set enable_tpu .* true, .* machine_shape to TpuV5E8"):
        bundle(replace(tiny, device="tpu"), accelerator="gpu")


def test_a_kernels_output_stays_within_kaggles_limit_of_files(tiny):
    check_config(replace(preset("leaderboard"), seeds=30))
    with pytest.raises(UserError, match="has 80 networks of 6 files each.*at most 71"):
        check_config(replace(preset("leaderboard"), seeds=40))
