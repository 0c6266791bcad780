from dataclasses import asdict, fields, replace

import pytest
from factories import changed

from pipeline.config.config_json import from_json, to_json
from pipeline.config.schema import AugmentConfig, Recipe, RunConfig, TrainConfig, digest, member_specs, settings

# Another value for every field of a run.
OTHER = {
    "name": "other",
    "data": "x.zip",
    "out": "y",
    "architecture": "deotte",
    "width": 2,
    "dropout": 0.5,
    "arms": ("swish",),
    "seeds": 3,
    "first_seed": 5,
    "folds": 4,
    "folds_used": 2,
    "split_seed": 1,
    "device": "gpu",
    "backend": "jax",
    "hours": 2.5,
    "engine": "ray",
    "ray_address": "auto",
    "augment": AugmentConfig(elastic=1),
    "train": TrainConfig(epochs=4),
}
ELSEWHERE = {"name", "data", "out", "device", "backend", "hours", "engine", "ray_address"}
WHICH = {"arms", "seeds", "first_seed", "folds_used"}


def test_every_field_has_another_value():
    assert set(OTHER) == {field.name for kind in (RunConfig, Recipe) for field in fields(kind)} - {"recipe"}


@pytest.mark.parametrize("field", OTHER)
def test_a_runs_digest_sees_its_recipe_and_its_members_and_no_places(tiny, field):
    other = changed(tiny, **{field: OTHER[field]})
    assert other != tiny
    assert (digest(other) == digest(tiny)) == (field in ELSEWHERE)
    assert (digest(other.recipe) == digest(tiny.recipe)) == (field in ELSEWHERE | WHICH)


def test_whole_numbers_from_a_script_are_the_floats_that_the_folder_gives_back():
    recipe = Recipe(dropout=1, augment=AugmentConfig(rotation=15, zoom=0), train=TrainConfig(label_smoothing=0))
    config = RunConfig("x", recipe=recipe)
    again = from_json(to_json(config), "x")
    assert (digest(config), digest(recipe)) == (digest(again), digest(again.recipe))
    assert digest(member_specs(config)[0]) == digest(member_specs(again)[0])
    assert isinstance(recipe.folds, int)


def test_every_member_has_the_recipe_and_a_digest_of_its_own(tiny):
    specs = member_specs(changed(tiny, seeds=2, folds_used=3))
    assert {spec.recipe for spec in specs} == {tiny.recipe}
    assert len({digest(spec) for spec in specs}) == len(specs) == 2 * 2 * 3


def test_settings_have_the_names_of_the_flags(tiny):
    found = settings(asdict(tiny))
    assert (found["name"], found["arms"], found["folds"], found["train.epochs"]) == ("tiny", ("relu", "swish"), 5, 3)
    assert not any(name.startswith("recipe") for name in found)


def test_members_pair_the_arms(tiny):
    config = replace(tiny, seeds=2, folds_used=3)
    assert [m.id for m in member_specs(config)] == [
        f"{arm}-s{seed}-f{fold}" for seed in (0, 1) for fold in (0, 1, 2) for arm in ("relu", "swish")
    ]
    later = replace(config, first_seed=7, folds_used=1, arms=("relu",))
    assert [m.id for m in member_specs(later)] == ["relu-s7-f0", "relu-s8-f0"]
    whole = changed(config, folds=0, folds_used=0)
    assert [m.id for m in member_specs(whole)] == ["relu-s0-all", "swish-s0-all", "relu-s1-all", "swish-s1-all"]
    assert {m.fold for m in member_specs(whole)} == {None}
