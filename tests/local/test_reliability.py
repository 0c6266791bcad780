"""docs/reliability.md: every promise names a test that there is."""

import ast
import re

from conftest import ROOT

PROMISES = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def named_tests():
    """File and function of each test that the page names; a name without a file is in the file before it."""
    file = None
    for path, function in re.findall(r"`(?:([\w/]+\.py)::)?(test_\w+)(?:\[[^`]*\])?`", PROMISES):
        file = path or file
        yield file, function


def test_every_promise_has_a_test_that_exists():
    tests = set(named_tests())
    assert len(tests) > 60
    defined = {
        file: {node.name for node in ast.parse((ROOT / "tests" / file).read_text()).body if hasattr(node, "name")}
        for file in {file for file, _ in tests}
    }
    assert [f"{file}::{function}" for file, function in sorted(tests) if function not in defined[file]] == []


def test_every_row_names_a_test():
    rows = [
        line for line in PROMISES.splitlines() if line.startswith("| ") and not line.startswith(("| fault", "| ---"))
    ]
    assert len(rows) >= 60
    assert [row for row in rows if "test_" not in row and "the same" not in row and "all of" not in row] == []
