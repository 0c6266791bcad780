"""Each rule of bundling, broken in a copy of the package."""

import shutil

import pytest
from conftest import ROOT

from pipeline import bundle as bundle_module
from pipeline.bundle import bundle
from pipeline.config import RunError


@pytest.mark.parametrize(
    ("module", "addition", "message"),
    [
        ("data", "import pipeline.paths\n", r"data.py, line 1: import pipeline.paths: write `from pipeline.paths"),
        ("data", "from .paths import on_kaggle\n", "line 1: relative import"),
        ("data", "from pipeline.paths import on_kaggle as x\n", "line 1: on_kaggle as x: a flat file has no second"),
        ("data", "from pipeline.run import main\n", "line 1: imports from run, which is not above data"),
        ("data", "from math import *\n", r"line 1: import of \*"),
        ("data", "import pickle\n", "line 1: no pickles"),
        ("data", "HERE = __file__\n", "line 1: __file__: the bundle has no files"),
        ("data", "print('hello')\n", "line 1: only imports, assignments, functions"),
        ("data", "if __name__ == '__main__':\n    pass\n", "line 1: only imports"),
        (
            "data",
            "def written_aside(): ...\n",
            "paths.py, line .* and .*data.py, line 1: the name written_aside",
        ),
        ("data", "from time import sleep\ndef NDArray(): ...\n", "the name NDArray is used for 2 things"),
        ("data", "CONFIG = 1\n", "the bundle itself and .*data.py, line 1: the name CONFIG"),
        ("data", "def compile(): ...\n", "Python's own names and .*data.py, line 1: the name compile"),
    ],
)
def test_breaches_are_told_with_file_and_line(module, addition, message, tiny, tmp_path, monkeypatch):
    package = tmp_path / "pipeline"
    shutil.copytree(ROOT / "pipeline", package, ignore=shutil.ignore_patterns("__pycache__"))
    path = package / f"{module}.py"
    path.write_text(addition + path.read_text().split('"""', 2)[2])
    monkeypatch.setattr(bundle_module, "PACKAGE", package)
    with pytest.raises(RunError, match=message):
        bundle(tiny)
