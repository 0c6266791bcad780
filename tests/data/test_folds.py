from dataclasses import replace

import numpy as np
import pytest
from factories import changed
from sklearn.model_selection import StratifiedKFold

from pipeline.config.errors import UserError
from pipeline.data.folds import check_rows, first_copies, split_rows, validation_folds


def test_folds_are_stratified_cover_every_row_once_and_depend_on_the_seed(digits):
    folds = validation_folds(digits, 5, 0)
    for fold in range(5):
        assert np.bincount(digits.labels[folds == fold], minlength=10).tolist() == [2] * 10
    assert (folds == validation_folds(digits, 5, 0)).all()
    assert (folds != validation_folds(digits, 5, 1)).any()


def test_without_copies_the_folds_are_scikit_learns(sample):
    expected = np.empty(len(sample.labels), np.int64)
    splits = StratifiedKFold(20, shuffle=True, random_state=3).split(sample.labels, sample.labels)
    for fold, (_, validation) in enumerate(splits):
        expected[validation] = fold
    assert (validation_folds(sample, 20, 3) == expected).all()


def test_copies_share_a_fold_and_no_member_is_validated_on_what_it_trained_on(digits, spec):
    order = np.concatenate([np.arange(100), np.arange(40)[::-1]])
    twice = replace(digits, images=digits.images[order], labels=digits.labels[order])
    assert (first_copies(twice.images) == order).all()
    folds = validation_folds(twice, 5, 0)
    assert (folds == folds[order]).all()
    assert (folds[:100] == validation_folds(digits, 5, 0)).all()
    training, validation = split_rows(spec, twice)
    assert not set(order[training]) & set(order[validation])
    assert sorted([*training, *validation]) == list(range(140))


def test_class_absent_from_a_fold(digits):
    keep = (digits.labels != 7) | (np.arange(100) < 30)
    few = replace(digits, images=digits.images[keep], labels=digits.labels[keep])
    with pytest.raises(UserError, match="digit 7 has 3 labelled rows.*5 folds"):
        validation_folds(few, 5, 0)


@pytest.mark.parametrize(("folds", "used", "rows"), [(5, 1, 80), (3, 3, 66), (3, 1, None), (0, 0, 100)])
def test_a_batch_may_have_all_rows_of_a_member_and_no_more(folds, used, rows, digits, tiny):
    """Three folds of 100 rows are unequal: the largest of those that are used counts."""
    config = changed(tiny, folds=folds, folds_used=used)
    rows = rows or 100 - int((validation_folds(digits, folds, config.recipe.split_seed) == 0).sum())
    check_rows(changed(config, batch_size=rows), digits)
    with pytest.raises(UserError, match=f"batch_size is {rows + 1}, but a network has only {rows} rows"):
        check_rows(changed(config, batch_size=rows + 1), digits)
