"""What all figures share: styles, SVG that takes the page's colours, CSV, addresses."""

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.image import imread, imsave

from pipeline.report.plots import DARK_INK, INK, PALETTE, arm_styles, csv_text, data_uri, own_look, svg_text


def luminance(color):
    """WCAG 2, relative luminance of #rrggbb."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(
        weight * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
        for weight, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True)
    )


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_arms_differ_in_colour_and_for_those_who_do_not_see_it_in_more():
    styles = arm_styles([f"arm {i}" for i in range(8)])
    assert len({(s.color, str(s.line), s.marker) for s in styles.values()}) == 8
    assert styles["arm 6"].color == styles["arm 0"].color
    assert styles["arm 6"].marker != styles["arm 0"].marker
    assert arm_styles(["relu", "swish"])["swish"] == styles["arm 1"]


def test_lines_of_the_first_arms_stand_out_from_light_and_dark_pages():
    assert contrast("#ffffff", "#000000") == 21
    for color in PALETTE[:3]:
        assert min(contrast(color, "#ffffff"), contrast(color, "#14171a")) > 3
    assert min(contrast(INK, "#ffffff"), contrast(DARK_INK, "#14171a")) > 12


def test_svg_takes_its_ink_from_the_page_and_is_the_same_each_time():
    def draw():
        with own_look():
            figure = Figure()
            figure.subplots().plot([0, 1], label="a < b & c")
            figure.axes[0].legend(title="$1 to $2, $\\x")
            return svg_text(figure)

    text = draw()
    assert text == draw()
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert INK not in text.partition("</style>")[2]
    assert "currentColor" in text
    assert f"@media(prefers-color-scheme:dark){{svg{{color:{DARK_INK}}}}}" in text
    assert "a &lt; b &amp; c" in text  # letters, not outlines
    assert "$1 to $2, $\\x" in text  # no formula
    assert not re.search(r"fill: ?#ffffff", text)  # no background


def test_addresses_hold_their_text():
    text = 'name,β\n"a ""b""",100%\n<&#\'>'
    address = data_uri("text/csv", text)
    assert address.startswith("data:text/csv;charset=utf-8,")
    assert not set('"<>#&\n') & set(address)
    assert unquote(address.partition(",")[2]) == text


def test_csv_rounds_to_six_digits():
    text = csv_text(["a", "b"], [[1 / 3, None], [1234567, 2.0]])
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ["0.333333", ""], ["1234567", "2"]]


def test_matplotlibrc_decides_nothing():
    """usetex would need LaTeX, and a browser shows neither PDFs nor pictures that stand on their head."""
    picture, stream = np.arange(6, dtype=np.uint8).reshape(2, 3), io.BytesIO()
    with rc_context({"text.usetex": True, "savefig.format": "pdf", "image.origin": "lower", "font.size": 99}):
        with own_look():
            imsave(stream, picture, cmap="gray", vmin=0, vmax=255)
            assert not rcParams["text.usetex"]
            assert rcParams["font.size"] == 11
        assert rcParams["font.size"] == 99
    assert (imread(io.BytesIO(stream.getvalue()))[..., 0] * 255).round().astype(int).tolist() == picture.tolist()
