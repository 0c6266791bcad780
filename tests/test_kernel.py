"""What a kernel says and refuses; a whole one runs in test_kernels.py."""

import platform
from importlib.metadata import version

import pytest

from pipeline.config import UserError, to_json
from pipeline.kernel import RECEIPT, describe_machine, run_kernel


def test_the_log_begins_with_versions_and_hardware():
    text = "\n".join(describe_machine())
    assert f"python {platform.python_version()}" in text
    assert f"keras {version('keras')}" in text
    assert "cores" in text
    assert "GPU" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"seeds"', '"sedes"'), "CONFIG, at the top of this kernel, is not a run's config"),
        (lambda text: text.replace('"seeds": 1', '"seeds": 0'), "seeds must be at least 1"),
        (lambda text: text, "no competition data found"),
    ],
)
def test_a_kernel_that_cannot_run_leaves_no_receipt(change, message, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        run_kernel(change(to_json(tiny)), {"commit": "abc", "run_id": "1", "bundle_sha256": "2"})
    assert not (tmp_path / RECEIPT).exists()
    assert capsys.readouterr().out.startswith("bundle: {'commit': 'abc'")
