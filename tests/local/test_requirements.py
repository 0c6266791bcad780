"""What is imported is required, and the supported versions of Python are the same everywhere."""

import ast
import re
import sys
from importlib.metadata import packages_distributions

from conftest import ROOT


def required(*files):
    lines = "\n".join((ROOT / file).read_text() for file in files)
    return {name.lower() for name in re.findall(r"^([\w-]+)", lines, re.MULTILINE)}


def imported(folder):
    """Top-level names of all that is imported in a folder."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def test_what_is_imported_is_required_by_name():
    known = required("requirements.txt", "requirements-dev.txt", "requirements-cluster.txt")
    ours = {"pipeline", "benchmarks", *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    distributions = packages_distributions()
    foreign = {*imported("pipeline"), *imported("tests")} - ours - set(sys.stdlib_module_names)
    missing = {
        name
        for name in foreign
        if not known & {one.lower().replace("_", "-") for one in (name, *distributions.get(name, []))}
    }
    assert missing == {"kagglesdk"}  # a part of kaggle


def test_the_versions_of_python_are_the_same_everywhere():
    versions = re.findall(
        r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())[1]
    )
    assert versions == ["3.11", "3.12", "3.13"]
    assert f"Python {versions[0]}, {versions[1]} and {versions[2]}" in (ROOT / "requirements.txt").read_text()
    assert f"Python {versions[0]}, {versions[1]} or {versions[2]}" in (ROOT / "README.md").read_text()
    assert " ".join(f"python{version}" for version in reversed(versions)) in (ROOT / ".ci/run").read_text()
