import json

import pytest

from pipeline.config.config_json import from_json, to_json
from pipeline.config.errors import UserError


def test_json_with_unknown_key_or_wrong_type_is_refused(tiny):
    text = to_json(tiny).replace('"seeds": 1', '"seeds": "many", "sedes": 1')
    with pytest.raises(UserError, match=r"(?s)here.*seeds.*sedes"):
        from_json(text, "here")


def test_the_config_of_an_earlier_version_names_what_it_lacks(tiny):
    content = json.loads(to_json(tiny))
    del content["width"], content["augment"]["elastic"], content["train"]["fresh_statistics"]
    with pytest.raises(UserError) as caught:
        from_json(json.dumps(content), "runs/old/config.json")
    told = str(caught.value)
    assert told.startswith("runs/old/config.json was written by an earlier version")
    assert [line for line in told.splitlines() if line.startswith("  - ")] == [
        "  - width: that version trained as with 1",
        "  - augment.elastic: that version trained as with 0.0",
        "  - train.fresh_statistics: that version trained as with False",
    ]
    assert from_json(json.dumps(content), "here", complete=False) == tiny
    assert from_json(to_json(tiny).replace('"device": "auto",', ""), "here") == tiny  # no member depends on it
    assert "submission" not in told


def test_a_config_without_a_field_of_all_versions_is_damaged(tiny):
    content = json.loads(to_json(tiny))
    del content["train"]["learning_rate"], content["seeds"], content["width"]
    for complete in (True, False):
        with pytest.raises(UserError, match="^here is not a run's config: it lacks seeds, train.learning_rate. Add"):
            from_json(json.dumps(content), "here", complete=complete)


def test_a_value_of_the_wrong_type_is_told_with_what_to_do(tiny):
    text = to_json(tiny).replace('"width": 1', '"width": "2"')
    with pytest.raises(UserError, match=r"- width: .*integer. Received: '2'\nMend these entries, or start a new run.$"):
        from_json(text, "here")
