import json
import os
from dataclasses import replace

import pytest

from pipeline.config.config_json import from_json, to_json
from pipeline.config.errors import UserError


def test_json_with_unknown_key_or_wrong_type_is_refused(tiny):
    text = to_json(tiny).replace('"seeds": 1', '"seeds": "many", "sedes": 1')
    with pytest.raises(UserError, match=r"(?s)here.*seeds.*sedes"):
        from_json(text, "here")


def test_the_config_of_an_earlier_version_is_refused_in_one_sentence(tiny):
    content = json.loads(to_json(tiny))
    flat = content.pop("recipe") | content
    with pytest.raises(UserError, match=r"^runs/old/config.json was written by an earlier version.*start a new run\.$"):
        from_json(json.dumps(flat), "runs/old/config.json")


def test_every_missing_field_is_named(tiny):
    content = json.loads(to_json(tiny))
    del content["recipe"]["train"]["learning_rate"], content["recipe"]["width"], content["device"]
    with pytest.raises(UserError, match=r"^here is not a run's config: it lacks device, train\.learning_rate, width\."):
        from_json(json.dumps(content), "here")


def test_a_value_of_the_wrong_type_is_told_with_what_to_do(tiny):
    text = to_json(tiny).replace('"width": 1', '"width": "2"')
    with pytest.raises(
        UserError, match=r"- recipe.width: .*integer. Received: '2'\nMend these entries, or start a new run.$"
    ):
        from_json(text, "here")


def test_places_keep_the_bytes_that_are_no_utf8(tiny):
    config = replace(tiny, out=os.fsdecode(b"runs/caf\xe9"), data="a{}b$c\n")
    assert from_json(to_json(config), "here") == config
