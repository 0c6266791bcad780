"""Each rule of bundling, broken in a copy of the package."""

import shutil

import pytest
from conftest import ROOT

from pipeline.config.errors import RunError
from pipeline.kaggle import bundle as bundle_module
from pipeline.kaggle.bundle import bundle


@pytest.mark.parametrize(
    ("module", "addition", "message"),
    [
        (
            "data.digits",
            "import pipeline.config.places\n",
            r"digits.py, line 1: import .*: write `from",
        ),
        ("data.digits", "from ..config.places import on_kaggle\n", "line 1: relative import"),
        (
            "data.digits",
            "from pipeline.config.places import on_kaggle as x\n",
            "line 1: on_kaggle as x: a flat",
        ),
        (
            "data.digits",
            "from pipeline.run import main\n",
            "line 1: .* on top of the stages, data among them",
        ),
        ("data.csv_files", "from pipeline.data.digits import load\n", r"line \d+: .* circle: data\.\w+ -> data"),
        (
            "data.digits",
            "from pipeline.records.members import invalid_reason\n",
            "line 1: .*: records comes after data",
        ),
        ("data.digits", "from pipeline.data.nothing import invalid_reason\n", "line 1: there is no module"),
        ("data.digits", "from pipeline import STAGES\n", "line 1: imports from the package itself"),
        (
            "run",
            "from pipeline.kaggle.bundle import bundle\n",
            "run.py, line 1: .* is never in the bundle",
        ),
        ("data.digits", "from math import *\n", r"line 1: import of \*"),
        ("data.digits", "import pickle\n", "line 1: no pickles"),
        ("data.digits", "HERE = __file__\n", "line 1: __file__: the bundle has no files"),
        ("data.digits", "print('hello')\n", "line 1: only imports, assignments, functions"),
        ("data.digits", "if __name__ == '__main__':\n    pass\n", "line 1: only imports"),
        (
            "data.digits",
            "def atomic_replace(): ...\n",
            "digits.py, line 1 and .*atomic.py.*: the name atomic_replace",
        ),
        ("data.digits", "from time import sleep\ndef NDArray(): ...\n", "the name NDArray is used for 2 things"),
        ("data.digits", "CONFIG = 1\n", "the bundle itself and .*digits.py, line 1: the name CONFIG"),
        ("data.digits", "def compile(): ...\n", "Python's own names and .*digits.py, line 1: the name compile"),
    ],
)
def test_breaches_are_told_with_file_and_line(module, addition, message, tiny, tmp_path, monkeypatch):
    package = tmp_path / "pipeline"
    shutil.copytree(ROOT / "pipeline", package, ignore=shutil.ignore_patterns("__pycache__"))
    path = package / f"{module.replace('.', '/')}.py"
    path.write_text(addition + path.read_text().split('"""', 2)[2])
    monkeypatch.setattr(bundle_module, "PACKAGE", package)
    with pytest.raises(RunError, match=message):
        bundle(tiny)
