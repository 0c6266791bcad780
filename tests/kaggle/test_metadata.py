import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.errors import UserError
from pipeline.kaggle.metadata import METADATA, owned, read_metadata

ROOT = Path(__file__).parents[2]


@pytest.fixture
def change(tmp_path, monkeypatch):
    """Work beside a copy of the project's metadata; a function that changes some of its fields."""
    shutil.copy(ROOT / METADATA, tmp_path)
    monkeypatch.chdir(tmp_path)

    def change(**fields):
        content = json.loads(METADATA.read_text()) | fields
        METADATA.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))

    return change


def test_the_projects_own_metadata(change):
    metadata = read_metadata()
    assert not metadata.has_owner
    assert (metadata.kernel_type, metadata.language, metadata.machine_shape) == ("script", "python", "NvidiaTeslaT4")
    assert (metadata.is_private, metadata.enable_internet, metadata.accelerator) == (True, False, "gpu")


@pytest.mark.parametrize(("tpu", "accelerator"), [(True, "tpu"), (False, "auto")])
def test_the_accelerator_that_it_asks_for(tpu, accelerator, change):
    change(enable_gpu=False, enable_tpu=tpu, machine_shape="TpuV5E8" if tpu else "")
    assert read_metadata().accelerator == accelerator


def test_the_owner_takes_the_placeholders_place_and_nothing_else(change):
    before = METADATA.read_text()
    filled = owned(read_metadata(), "ada")
    assert filled.has_owner
    assert filled == replace(read_metadata(), id="ada/digit-recognizer-relu-vs-swish")
    assert METADATA.read_text() == before
    assert owned(filled, "bob") == filled  # an owner that stands there is left alone


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "digits"}, r'id must be owner/slug. Received: "digits"'),
        ({"id": "ada/abc", "title": "abc"}, "the slug must have at least 5 characters"),
        (
            {"title": "Other words", "code_file": "x.py"},
            "(?s)'other-words'.*code_file must be build/kernel.py",
        ),
        ({"competition_sources": []}, "competition_sources must hold 'digit-recognizer'"),
        ({"enable_tpu": True}, "enable_gpu and enable_tpu are both true"),
        ({"enable_gpu": False}, "machine_shape NvidiaTeslaT4 is a GPU, and enable_gpu is false. Change one"),
        ({"machine_shape": "TpuV5E8"}, "machine_shape TpuV5E8 is a TPU, and enable_tpu is false"),
        ({"enable_gpu": "true"}, "enable_gpu: Input should be a valid boolean"),
        ({"enable_internet": ...}, "enable_internet: Field required"),
        ({"enable_gpus": True}, "enable_gpus: Extra inputs are not permitted|enable_gpus: Unexpected"),
        ({"docker_image_pinning_type": "sometimes"}, "Input should be 'original' or 'latest'"),
    ],
)
def test_what_kaggle_would_not_take(fields, message, change):
    change(**fields)
    with pytest.raises(UserError, match=message):
        read_metadata()


def test_what_the_client_itself_writes_is_taken(change):
    """`kaggle kernels pull -m` adds the number and the image."""
    change(id_no=12345, docker_image=None, docker_image_pinning_type="original")
    metadata = read_metadata()
    assert (metadata.id_no, metadata.docker_image_pinning_type) == (12345, "original")


@pytest.mark.parametrize("user", ["ada@lovelace.org", "", 'ada"', "ada/x", "\u00e4da"])
def test_a_user_name_that_is_none_is_refused(user, change):
    with pytest.raises(UserError, match="is not a Kaggle user name.*the last part of the address of your profile"):
        owned(read_metadata(), user)


def test_no_metadata_or_no_json(change):
    METADATA.write_bytes("{}".encode("utf-16"))
    with pytest.raises(UserError, match=f"{METADATA} is UTF-16"):
        read_metadata()
    METADATA.write_text("{")
    with pytest.raises(UserError, match="the text: Invalid JSON"):
        read_metadata()
    METADATA.unlink()
    with pytest.raises(UserError, match="no kernel-metadata.json in"):
        read_metadata()
