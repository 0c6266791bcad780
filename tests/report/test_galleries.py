import base64
import csv
import io
from dataclasses import replace

import matplotlib.image
import numpy as np

from pipeline.report import galleries
from pipeline.report.galleries import disagreements, misread_by_all


def table(gallery):
    return list(csv.DictReader(io.StringIO(gallery.csv)))


def test_images_that_all_get_wrong_and_where_arms_differ(known):
    assert sorted(row["image"] for row in table(misread_by_all(known))) == ["2", "3"]
    apart = table(disagreements(known))
    assert {row["image"]: (row["relu_reads"], row["swish_reads"]) for row in apart} == {
        "1": ("7", "1"),
        "3": ("7", "8"),
    }
    same = replace(known, votes={"relu": known.vote}, right=np.ones(4, np.int64))
    assert misread_by_all(same) is None
    assert disagreements(same) is None


def test_a_tile_shows_its_image_and_says_how_it_is_read(known):
    images = known.images.copy()
    images[2, 5, 7] = 255
    tile, _ = misread_by_all(replace(known, images=images)).shown
    assert tile.digit == 2
    assert tile.readings == ["relu 7, 91%", "swish 7, 91%"]
    assert tile.alt == "A handwritten 2. Readings: relu 7, 91%; swish 7, 91%."
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(tile.png.partition(",")[2])))
    assert pixels.shape[:2] == (28, 28)
    assert (pixels[5, 7, 0], pixels[7, 5, 0]) == (0, 1)  # ink is dark


def test_eight_are_shown_the_rest_is_folded_and_very_many_are_counted(known, monkeypatch):
    many = replace(
        known,
        images=np.zeros((30, 28, 28), np.uint8),
        truth=np.zeros(30, np.uint8),
        votes={"relu": np.eye(10)[[1] * 30]},
        vote=np.eye(10)[[1] * 30] * np.linspace(0.5, 1, 30)[:, None],
        right=np.zeros(30, np.int64),
    )
    found = misread_by_all(many)
    assert (len(found.shown), len(found.folded), len(table(found))) == (8, 22, 30)
    assert [row["image"] for row in table(found)][:2] == ["29", "28"]  # the surest first
    assert found.caption.startswith("30 of 30 held-back images, the surest readings first; below each")
    monkeypatch.setattr(galleries, "MOST_DIGITS", 20)
    found = misread_by_all(many)
    assert (len(found.shown), len(found.folded), len(table(found))) == (8, 12, 30)
    assert "(20 pictured, all in the CSV)" in found.caption
