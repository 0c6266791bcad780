from dataclasses import replace

import numpy as np
import pytest
from factories import changed

from pipeline.config.schema import AugmentConfig
from pipeline.data.augment import DRAWS_PER_IMAGE
from pipeline.training.draws import DRAWS, WEIGHTS, derive_seed, draw_epoch

ROWS = np.arange(100, 147)  # two batches of 20, and 7 left over


def test_an_epoch_is_whole_batches_and_other_rows_are_left_over_each_time(spec):
    left = []
    for epoch in (1, 2, 3):
        rows, transforms = draw_epoch(spec, epoch, ROWS, 28)
        assert (rows.shape, rows.dtype) == ((2, 20), np.int32)
        assert (transforms.shape, transforms.dtype) == ((2, 20, DRAWS_PER_IMAGE), np.float32)
        assert len(set(rows.ravel())) == 40
        left.append(set(ROWS) - set(rows.ravel()))
        again, same = draw_epoch(replace(spec, activation="relu"), epoch, ROWS, 28)
        assert (rows == again).all()
        assert (transforms == same).all()
    assert len(set(map(frozenset, left))) == 3


@pytest.mark.parametrize("change", [{"seed": 5}, {"fold": 3}, {"fold": None}])
def test_seed_and_fold_change_the_draws_and_the_weights(spec, change):
    other = replace(spec, **change)
    assert derive_seed(spec, WEIGHTS) != derive_seed(other, WEIGHTS)
    assert (draw_epoch(spec, 1, ROWS, 28)[0] != draw_epoch(other, 1, ROWS, 28)[0]).any()


def test_seeds_differ_by_seed_fold_purpose_and_epoch_and_are_those_of_earlier_runs(spec):
    members = [replace(spec, seed=seed, fold=fold) for seed in (0, 1, 2) for fold in (None, 0, 1, 2)]
    seeds = [derive_seed(m, *purpose) for m in members for purpose in ((WEIGHTS,), (DRAWS, 1), (DRAWS, 2))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    third = replace(spec, seed=2, fold=3)
    assert [derive_seed(third, WEIGHTS), derive_seed(third, DRAWS, 5)] == [7443881106978827724, 1686515514154506338]


def test_shifts_are_fractions_of_the_side(spec):
    shifts = changed(spec, augment=AugmentConfig(rotation=0, zoom=0, shift=0.2))
    small, large = (draw_epoch(shifts, 1, ROWS, side)[1][..., [2, 5]] for side in (14, 28))
    np.testing.assert_allclose(2 * small, large, rtol=1e-5)
    assert 2.7 < np.abs(small).max() <= 2.8


def test_the_last_epochs_are_clean_and_distortion_does_not_change_the_rows(spec):
    plain = changed(spec, augment=AugmentConfig())
    ends = changed(spec, augment=AugmentConfig(elastic=2, shear=10, clean_epochs=2))
    identity = np.array([1, 0, 0, 0, 1, 0, *np.zeros(DRAWS_PER_IMAGE - 6)])
    for epoch, clean in ((1, False), (2, True), (3, True)):  # of the spec's 3
        rows, transforms = draw_epoch(ends, epoch, ROWS, 28)
        assert (rows == draw_epoch(plain, epoch, ROWS, 28)[0]).all()
        assert (transforms == identity).all() == clean
    assert (draw_epoch(plain, 3, ROWS, 28)[1] != identity).any()
