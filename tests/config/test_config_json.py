import json
import os
from dataclasses import replace

import pytest

from pipeline.config.config_json import from_json, to_json
from pipeline.config.errors import UserError


def test_unknown_keys_and_wrong_types_are_all_told_with_what_to_do(tiny):
    text = to_json(tiny).replace('"width": 1', '"width": "2", "widht": 1')
    told = r"(?s)here is .*recipe.width: .*integer. Received: '2'\n.*recipe.widht: .*\nMend these entries"
    with pytest.raises(UserError, match=told):
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


def test_places_keep_the_bytes_that_are_no_utf8(tiny):
    config = replace(tiny, out=os.fsdecode(b"runs/caf\xe9"), data="a{}b$c\n")
    assert from_json(to_json(config), "here") == config
