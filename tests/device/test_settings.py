"""The settings that people have: what each does to a process that trains, and what is said about it."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

from pipeline.config.errors import UserError
from pipeline.device.accelerator import found_device
from pipeline.device.host import processor
from pipeline.device.settings import device_environment, settings_warning, training_environment


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home folder without settings, none in the environment but those of conftest, and both backends installed."""
    monkeypatch.setattr("pipeline.device.settings.find_spec", lambda name: name)
    for name in ("KERAS_HOME", "KERAS_BACKEND", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write_keras_json(home, content):
    (home / ".keras").mkdir(exist_ok=True)
    (home / ".keras/keras.json").write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("device", "backend", "expected"),
    [
        ("gpu", "auto", {}),
        ("gpu", "jax", {"KERAS_BACKEND": "jax"}),
        ("tpu", "auto", {"KERAS_BACKEND": "jax"}),
        ("cpu", "tensorflow", {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}),
    ],
)
def test_processes_get_what_makes_them_use_device_and_backend(device, backend, expected):
    assert device_environment(device, backend) == expected


def test_the_backend_is_that_of_the_flag_then_of_the_environment_then_of_keras_json(home, monkeypatch):
    assert training_environment()["KERAS_BACKEND"] == "tensorflow"
    write_keras_json(home, "[" * 100_000)
    assert training_environment()["KERAS_BACKEND"] == "tensorflow"
    write_keras_json(home, {"backend": "jax"})
    assert training_environment()["KERAS_BACKEND"] == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert training_environment()["KERAS_BACKEND"] == "tensorflow"
    assert training_environment(backend="jax")["KERAS_BACKEND"] == "jax"


def test_a_backend_that_cannot_be_used_is_named_with_its_setting_and_the_remedy(home, monkeypatch):
    write_keras_json(home, {"backend": "theano"})
    with pytest.raises(UserError, match=r"the backend in \S+keras.json must be .*Received: 'theano'.*--backend"):
        training_environment()
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(UserError, match=r"KERAS_BACKEND must be 'tensorflow' or 'jax'. Received: 'torch'"):
        training_environment()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("pipeline.device.settings.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"KERAS_BACKEND is 'jax', which is not installed.*pip install jax.*tensorflow"):
        training_environment()


def test_without_onednn_the_device_is_another_one_that_has_no_bfloat16(monkeypatch):
    assert settings_warning() == ""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert training_environment()["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert "TF_ENABLE_ONEDNN_OPTS=0 is set" in settings_warning()
    assert "a fifth" in settings_warning()
    if (found := found_device()).kind == "cpu":
        assert found.name == f"{processor()}, TF_ENABLE_ONEDNN_OPTS=0"
        assert found.precision == "float32"
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
        assert found_device().name == processor()


def test_other_settings_that_change_bits_are_recorded_as_well(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_prefer_vector_width=512")
    assert settings_warning().startswith("XLA_FLAGS=--xla_cpu_prefer_vector_width=512 is set")


def test_no_home_folder_and_none_in_the_passwd_file(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: {}["no such user"])
    assert training_environment()["KERAS_BACKEND"] == "tensorflow"


def test_the_backend_of_a_notebooks_figures_and_a_broken_matplotlibrc_are_not_ours(home, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://not_installed_here")
    (tmp_path / "matplotlibrc").write_bytes(b"font.size: 12\nfont.family: \xe9\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "compare", "none"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
