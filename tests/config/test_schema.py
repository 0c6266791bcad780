from dataclasses import fields, replace

import pytest

from pipeline.config.schema import AugmentConfig, MemberSpec, RunConfig, TrainConfig, digest, member_specs, recipe

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
ELSEWHERE = {"name", "data", "out", "device", "backend", "hours", "engine", "ray_address", "first_seed"}


def test_every_field_has_another_value():
    assert set(OTHER) == {field.name for field in fields(RunConfig)}


@pytest.mark.parametrize("field", OTHER)
def test_digest_sees_results_and_not_places_and_recipe_not_how_many_members(tiny, field):
    other = replace(tiny, **{field: OTHER[field]})
    assert other != tiny
    assert (digest(other) == digest(tiny)) == (field in ELSEWHERE)
    assert (recipe(other) == recipe(tiny)) == (field in ELSEWHERE | {"arms", "seeds", "folds_used"})


def test_members_have_all_settings_of_their_run(tiny):
    config = replace(tiny, **(OTHER | {"augment": AugmentConfig(zoom=0.3), "train": TrainConfig(epochs=7)}))
    specs = member_specs(config)
    for name in {field.name for field in fields(MemberSpec)} & set(OTHER):
        assert {getattr(spec, name) for spec in specs} == {getattr(config, name)}
    assert len({digest(spec) for spec in specs}) == len(specs) == 3 * 2


def test_members_pair_the_arms(tiny):
    config = replace(tiny, seeds=2, folds_used=3)
    assert [m.id for m in member_specs(config)] == [
        f"{arm}-s{seed}-f{fold}" for seed in (0, 1) for fold in (0, 1, 2) for arm in ("relu", "swish")
    ]
    later = replace(config, first_seed=7, folds_used=1, arms=("relu",))
    assert [m.id for m in member_specs(later)] == ["relu-s7-f0", "relu-s8-f0"]
    whole = replace(config, folds=0, folds_used=0)
    assert [m.id for m in member_specs(whole)] == ["relu-s0-all", "swish-s0-all", "relu-s1-all", "swish-s1-all"]
    assert {m.fold for m in member_specs(whole)} == {None}
