"""The examples in docstrings print what they say."""

import doctest
from importlib import import_module

import pytest
from conftest import ROOT

FILES = [path.relative_to(ROOT) for path in sorted((ROOT / "pipeline").rglob("*.py")) if ">>>" in path.read_text()]
MODULES = [".".join(path.with_suffix("").parts) for path in FILES]


def test_what_a_reader_would_want_to_try_has_an_example():
    assert {"pipeline.network.activations", "pipeline.data.augment", "pipeline.ensemble.soft_vote"} <= {*MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_examples_print_what_they_say(module):
    results = doctest.testmod(import_module(module))
    assert results.attempted > 0
    assert results.failed == 0
