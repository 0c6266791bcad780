"""The bundle's rules and text; that it computes what the package computes is tested in test_kernel.py."""

import ast
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from factories import constants

from pipeline.config.config_json import from_json
from pipeline.config.errors import UserError
from pipeline.config.presets import preset
from pipeline.kaggle.bundle import HASH_PLACEHOLDER, LARGEST, bundle, check_config
from pipeline.kaggle.bundle_modules import in_order, needed_modules, parse_module
from pipeline.kaggle.bundle_rules import order_breaches

ROOT = Path(__file__).parents[2]


def test_the_order_follows_from_the_imports_and_the_stages_break_ties():
    modules = in_order(needed_modules(ROOT / "pipeline", "kernel"))
    names = [module.name for module in modules]
    assert names[0].startswith("config.")
    assert names[-2:] == ["run", "kernel"]
    for at, module in enumerate(modules):
        assert module.sources <= set(names[:at])


def test_no_module_of_the_package_imports_from_a_later_stage():
    package = ROOT / "pipeline"
    names = [".".join(path.relative_to(package).with_suffix("").parts) for path in package.rglob("[!_]*.py")]
    assert len(names) > 50
    assert [line for name in names for line in order_breaches(parse_module(package, name))] == []


def test_the_text_is_deterministic_and_says_what_it_is(tiny):
    text, identity = bundle(tiny)
    assert bundle(tiny) == (text, identity)
    assert bundle(tiny, "run1") != (text, identity)
    assert bundle(replace(tiny, seeds=2))[1] != identity
    assert len(text.encode()) < LARGEST
    told = constants(text)
    assert told["IDENTITY"]["bundle_sha256"] == identity
    assert len(told["IDENTITY"]["commit"]) >= 7
    assert from_json(told["CONFIG"], "the bundle") == tiny
    assert HASH_PLACEHOLDER not in text


def test_it_is_flat_readable_and_in_order(tiny):
    text, _ = bundle(tiny)
    for node in ast.walk(ast.parse(text)):
        assert not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline"))
        assert not (isinstance(node, ast.Import) and any(alias.name.startswith("pipeline") for alias in node.names))
    banners = [line.split()[2] for line in text.splitlines() if line.startswith("# ====")]
    assert banners == [
        f"pipeline/{module.name.replace('.', '/')}.py"
        for module in in_order(needed_modules(ROOT / "pipeline", "kernel"))
    ]
    body = (ROOT / "pipeline" / "ensemble" / "soft_vote.py").read_text().partition("\n\n\ndef ")[2]
    assert body.strip() in text  # a module's own text, comments and all
    assert text.rstrip().endswith('if __name__ == "__main__":\n    run_kernel(CONFIG, IDENTITY)')
    assert max(len(line) for line in text.splitlines() if not line.startswith(("IDENTITY", "from "))) <= 120


def test_a_kernel_never_gets_places_of_this_machine(tiny):
    text, _ = bundle(replace(tiny, out="/home/ada/runs/x"))
    assert "/home/ada" not in text
    with pytest.raises(UserError, match="--data /home/ada/x.zip is a place on this machine"):
        check_config(replace(tiny, data="/home/ada/x.zip"))


def test_a_kernel_knows_its_accelerator_and_chooses_jax_on_a_tpu(tiny):
    def device(text):
        return from_json(constants(text)["CONFIG"], "the bundle").device

    gpu, tpu, jax = (
        bundle(tiny, accelerator="gpu")[0],
        bundle(tiny, accelerator="tpu")[0],
        bundle(replace(tiny, backend="jax"))[0],
    )
    assert (device(gpu), device(tpu), device(jax)) == ("gpu", "tpu", "auto")
    assert device(bundle(replace(tiny, device="cpu"), accelerator="gpu")[0]) == "cpu"
    assert "KERAS_BACKEND" not in gpu.partition("CONFIG =")[0]
    for text in (tpu, jax):
        before, _, after = text.partition('os.environ["KERAS_BACKEND"] = "jax"')
        assert "import keras" not in before
        assert "import keras" in after
    with pytest.raises(UserError, match="--device tpu, but kernel-metadata.json asks for no TPU. Set enable_tpu"):
        bundle(replace(tiny, device="tpu"), accelerator="gpu")


def test_a_kernel_needs_no_cluster(tiny):
    assert "import ray" not in bundle(tiny)[0]
    with pytest.raises(UserError, match="--engine ray: a kernel is one machine"):
        check_config(replace(tiny, engine="ray"))


def test_a_kernels_output_stays_within_kaggles_limit_of_files(tiny):
    check_config(replace(preset("leaderboard"), seeds=30))
    with pytest.raises(UserError, match="has 80 members of 6 files each.*at most 71"):
        check_config(replace(preset("leaderboard"), seeds=40))


def test_late_imports_of_own_modules_go_with_the_comment_that_explains_them(tiny):
    text, _ = bundle(tiny)
    comments = [
        before.strip()
        for module in needed_modules(ROOT / "pipeline", "kernel")
        for before, line in pairwise(module.text.splitlines())
        if line.startswith("    from pipeline.") and before.lstrip().startswith("#")
    ]
    assert comments
    assert not any(comment in text for comment in comments)
    assert "import tensorflow as tf" in text  # of other packages they stay
