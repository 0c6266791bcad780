from dataclasses import replace

import numpy as np
from factories import rows

from pipeline.report import galleries


def test_images_that_all_get_wrong_and_where_arms_differ(known):
    everybody = rows(galleries.misread_by_all(known))
    assert sorted(row["image"] for row in everybody) == ["2", "3"]
    apart = rows(galleries.disagreements(known))
    assert {row["image"]: (row["relu_reads"], row["swish_reads"]) for row in apart} == {
        "1": ("7", "1"),
        "3": ("7", "8"),
    }
    same = replace(known, votes={"relu": known.vote}, right=np.ones(4, np.int64))
    assert galleries.misread_by_all(same) is None
    assert galleries.disagreements(same) is None
