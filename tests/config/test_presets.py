import pytest

from pipeline.config.config_json import from_json, to_json
from pipeline.config.errors import UserError
from pipeline.config.presets import PRESETS, preset
from pipeline.config.rules import problems


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_sound_and_survive_json(name):
    config = preset(name)
    assert problems(config) == []
    assert config.name == name
    assert from_json(to_json(config), "here") == config


def test_unknown_preset_suggests_the_nearest():
    with pytest.raises(UserError, match="did you mean 'original'"):
        preset("orignal")
