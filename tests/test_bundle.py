"""The bundle's rules and text; that it computes what the package computes is tested in test_kernel.py."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bundle import HASH_PLACEHOLDER, LARGEST, bundle, check_config
from pipeline.bundle_rules import MODULES
from pipeline.config import UserError, from_json
from pipeline.presets import preset

ROOT = Path(__file__).parents[1]
LOCAL = {
    "__init__", "__main__", "arguments", "bundle", "bundle_rules", "cli", "compare_runs", "download", "fetch",
    "kaggle_api", "kaggle_calls", "kernel_metadata", "presets", "push", "runs", "submission_log", "submit", "watch",
}  # fmt: skip


def constants(text):
    """The literals at the top of a bundle."""
    return {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("CONFIG", "IDENTITY")
    }


def test_every_module_is_in_the_bundle_or_meant_not_to_be():
    assert {path.stem for path in (ROOT / "pipeline").glob("*.py")} == set(MODULES) | LOCAL


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
    assert "from pipeline" not in text
    assert "import pipeline" not in text
    banners = [line.split()[2] for line in text.splitlines() if line.startswith("# ====")]
    assert banners == [f"pipeline/{name}.py" for name in MODULES]
    body = (ROOT / "pipeline" / "ensemble.py").read_text().partition("\n\n\ndef ")[2]
    assert body.strip() in text  # a module's own text, comments and all
    assert text.rstrip().endswith('if __name__ == "__main__":\n    run_kernel(CONFIG, IDENTITY)')
    assert max(len(line) for line in text.splitlines() if not line.startswith(("IDENTITY", "from "))) <= 120


def test_a_kernel_never_gets_places_of_this_machine(tiny):
    text, _ = bundle(replace(tiny, out="/home/ada/runs/x"))
    assert "/home/ada" not in text
    with pytest.raises(UserError, match="--data /home/ada/x.zip is a place on this machine"):
        check_config(replace(tiny, data="/home/ada/x.zip"))


def test_a_kernels_output_stays_within_kaggles_limit_of_files(tiny):
    check_config(replace(preset("leaderboard"), seeds=30))
    with pytest.raises(UserError, match="has 80 members of 6 files each.*at most 71"):
        check_config(replace(preset("leaderboard"), seeds=40))


def test_late_imports_of_own_modules_go_with_the_comment_that_explains_them(tiny):
    text, _ = bundle(tiny)
    assert "Here and not above" in (ROOT / "pipeline" / "engine.py").read_text()
    assert "Here and not above" not in text
    assert "import tensorflow as tf" in text  # of other packages they stay
