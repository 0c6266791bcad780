import re
from dataclasses import replace

import numpy as np
import pytest

from pipeline.data.checks import data_warnings, share_warning


def test_sound_digits_give_no_warning(digits, sample):
    assert data_warnings(digits) == data_warnings(sample) == []


CHANGES = {
    "inverted": (lambda x: 255 - x, r"mean pixel is 22\d\.\d, .* images 3\d\.\d, as if black and white were swapped"),
    "0 and 1": (lambda x: (x > 127).astype(np.uint8), r"their mean pixel is 0\.1, that of the labelled images 3"),
    "transposed": (lambda x: x.transpose(0, 2, 1), "they look transposed"),
    "turned": (lambda x: np.rot90(x, 1, (1, 2)), "they look turned by 270 degrees"),
    "shuffled": (
        lambda x: np.random.default_rng(0).permuted(x.reshape(len(x), -1), axis=1).reshape(x.shape),
        "strokes",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_images_unlike_the_labelled_ones_give_one_warning(name, sample):
    change, message = CHANGES[name]
    (text,) = data_warnings(replace(sample, test_images=change(sample.test_images)))
    assert text.startswith("the images to predict are unlike the labelled ones: ")
    assert re.search(message, text)


def test_copies_are_told_with_those_that_contradict(digits):
    order = np.concatenate([np.arange(100), np.arange(40)[::-1]])
    labels = digits.labels[order]
    (text,) = data_warnings(replace(digits, images=digits.images[order], labels=labels))
    assert text.startswith(
        "40 labelled rows repeat the picture of an earlier row, such as the rows 39 and 100 (counted from 0); 0 of them"
    )
    labels[-1] ^= 1
    (text,) = data_warnings(replace(digits, images=digits.images[order], labels=labels))
    assert "1 of them have another label" in text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([300] * 10, None),
        ([60] + [300] * 9, None),
        ([50] + [300] * 9, r"lopsided: 1\.8% are 0\."),
        ([3, 300, *[6] * 8], r"lopsided: 0\.9% are 0, 85\.5% are 1, 1\.7% are 2,"),
        ([1, 30, *[1] * 8], None),  # chance does that to so few
    ],
)
def test_labels_of_mostly_one_digit(rows, message, sample):
    keep = np.concatenate([np.flatnonzero(sample.labels == digit)[:count] for digit, count in enumerate(rows)])
    warnings = data_warnings(replace(sample, images=sample.images[keep], labels=sample.labels[keep]))
    lopsided = [text for text in warnings if text.startswith("the labels are lopsided")]
    assert len(lopsided) == (message is not None)
    assert message is None or re.search(message, lopsided[0])


def test_predicted_shares_unlike_the_labelled_ones(sample, digits):
    assert share_warning(sample, sample.held_back_labels) is None
    predicted = np.where(sample.held_back_labels == 3, 8, sample.held_back_labels)
    assert "(3: 0% predicted, 10% labelled, 8: 20% predicted, 10% labelled)" in share_warning(sample, predicted)
    assert share_warning(sample, predicted[:10]) is None  # too few to tell
    # Of 30 against 100 images, five standard errors of a share of 10% are 31%; of 2,000 against 3,000, 4%.
    spread = np.arange(30) % 10
    assert share_warning(digits, np.where(np.arange(30) < 10, 8, spread)) is None
    assert "8: 47% predicted" in share_warning(digits, np.where(np.arange(30) < 12, 8, spread))
    for more, warned in ((95, False), (110, True)):
        predicted = sample.held_back_labels.copy()
        predicted[np.flatnonzero(predicted == 3)[:more]] = 8
        assert (share_warning(sample, predicted) is not None) == warned
