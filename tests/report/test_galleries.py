import base64
import csv
import io
from dataclasses import replace

import matplotlib.image
import numpy as np

from pipeline.config.schema import AugmentConfig
from pipeline.data.augment import apply_transforms, draw_transforms
from pipeline.report import galleries
from pipeline.report.galleries import disagreements, distort, distortions, least_sure, mistakes


def table(gallery):
    return list(csv.DictReader(io.StringIO(gallery.csv)))


def pixels(png):
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(png.partition(",")[2])))[..., 0]


def test_what_the_vote_misreads_and_where_arms_differ(known):
    assert [(row["ImageId"], row["digit"], row["vote_reads"]) for row in table(mistakes(known))] == [
        ("3", "2", "7"), ("4", "3", "8"),
    ]  # fmt: skip
    apart = table(disagreements(known))
    assert {row["ImageId"]: (row["relu_reads"], row["swish_reads"]) for row in apart} == {
        "2": ("7", "1"),
        "4": ("7", "8"),
    }
    assert mistakes(replace(known, truth=known.guesses)) is None
    assert disagreements(replace(known, votes={"relu": known.vote})) is None


def test_without_labels_the_least_sure_come_first_and_no_digit_is_claimed(known):
    vote = np.eye(10)[[0, 1, 7, 8]] * np.array([0.9, 0.4, 0.8, 0.3])[:, None]
    read = replace(known, where="unlabelled", truth=known.truth[:0], vote=vote)
    found = least_sure(read)
    assert [row["ImageId"] for row in table(found)] == ["4", "2", "3", "1"]
    assert "digit" not in table(found)[0]
    assert found.tiles[0].head == "ImageId 4"
    assert found.tiles[0].alt.startswith("A handwritten digit, ImageId 4. Readings: vote 8, 30%; relu 7, 91%")


def test_a_tile_shows_its_image_and_says_which_it_is_and_how_it_is_read(known):
    images = known.images.copy()
    images[2, 5, 7] = 255
    tile = mistakes(replace(known, images=images)).tiles[0]
    assert tile.head == "is 2"
    assert tile.lines == ["ImageId 3", "vote 7, 91%", "relu 7, 91%", "swish 7, 91%"]
    assert tile.alt == "A handwritten 2, ImageId 3. Readings: vote 7, 91%; relu 7, 91%; swish 7, 91%."
    shown = pixels(tile.png)
    assert shown.shape == (28, 28)
    assert (shown[5, 7], shown[7, 5]) == (0, 1)  # ink is dark


def test_many_are_shown_and_very_many_are_in_the_csv_only(known, monkeypatch):
    many = replace(
        known,
        id_name="train_row",
        ids=np.arange(100, 130),
        images=np.zeros((30, 28, 28), np.uint8),
        truth=np.zeros(30, np.uint8),
        votes={"relu": np.eye(10)[[1] * 30]},
        vote=np.eye(10)[[1] * 30] * np.linspace(0.5, 1, 30)[:, None],
    )
    found = mistakes(many)
    assert (len(found.tiles), len(table(found))) == (30, 30)
    assert [row["train_row"] for row in table(found)][:2] == ["129", "128"]  # the surest first
    assert found.caption.startswith("30 of 30 held-back images, the surest mistakes first")
    monkeypatch.setattr(galleries, "MOST", 26)
    found = mistakes(many)
    assert (len(found.tiles), len(table(found))) == (26, 30)
    assert "26 are pictured" in found.caption


def test_distortions_are_those_of_the_training(digits):
    config = AugmentConfig(rotation=20, zoom=0.2, shift=0.2, shear=15, elastic=2)
    images, transforms = digits.images[:20], draw_transforms(config, 20, np.random.default_rng(1))
    trained = np.asarray(apply_transforms(images[..., None], transforms))[..., 0]
    assert np.abs(distort(images, transforms) - trained).max() < 0.51


def test_originals_stand_above_what_is_made_of_them(digits):
    picture = distortions([AugmentConfig(clean_epochs=2)], digits)
    shown = pixels(picture.png)
    assert shown.shape == (5 * 32, 10 * 32)
    original = 1 - digits.images[np.argmax(digits.labels == 3)] / 255
    assert np.abs(shown[2:30, 98:126] - original).max() < 0.01
    assert np.abs(shown[34:62, 98:126] - original).max() > 0.5
    assert "The last 2 epochs see" in picture.caption
    still = AugmentConfig(rotation=0, zoom=0, shift=0)
    assert distortions([still], digits) is None
    assert distortions([AugmentConfig(), still], digits) is None
    assert distortions([AugmentConfig()], replace(digits, images=digits.images[:0])) is None
