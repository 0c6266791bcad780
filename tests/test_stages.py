"""The package follows its data flow: a stage imports from itself and from earlier ones."""

import ast

from conftest import ROOT

from pipeline import STAGES

PACKAGE = ROOT / "pipeline"


def later_imports(path):
    """The modules from which one of a stage imports although they come after it; those on top of all come last."""
    rank = {stage: i for i, stage in enumerate(STAGES)}
    own = rank[path.relative_to(PACKAGE).parts[0]]
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not followed here"
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            first, _, rest = name.partition(".")
            if first == "pipeline" and rest and rank.get(rest.partition(".")[0], len(STAGES)) > own:
                yield f"{path}: {name}"


def test_no_module_of_a_stage_imports_from_a_later_one():
    paths = [path for stage in STAGES for path in (PACKAGE / stage).rglob("*.py")]
    assert len(paths) > 50
    assert [line for path in paths for line in later_imports(path)] == []


def test_a_later_import_would_be_found(tmp_path, monkeypatch):
    module = PACKAGE / "data" / "digits.py"
    monkeypatch.setattr(
        type(module), "read_text", lambda _: "from pipeline.records.atomic import x\nimport pipeline.run"
    )
    assert len(list(later_imports(module))) == 2
