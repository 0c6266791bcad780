"""The report in a real browser: headless Chromium, driven by Playwright; skipped where either is missing."""

import io
import shutil
from dataclasses import replace

import pytest
from conftest import TINY
from matplotlib.image import imread
from studies import findings_of, with_held_back

from pipeline.records.run_folder import RunFolder
from pipeline.report.page import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (requirements-dev.txt)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)")

SIZES = {"narrow": (320, 700), "wide": (1280, 800)}  # pixels
SWITCHES = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
CONTRAST_AA = 4.5

# Every element with text of its own: its words, and the contrast of its colour with the background below it.
CONTRASTS = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const background = element => {
    for (; element; element = element.parentElement) {
      const color = rgb(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  return [...document.body.querySelectorAll('*')]
    .filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => {
      const [low, high] = [luminance(rgb(getComputedStyle(e).color)), luminance(background(e))].sort((a, b) => a - b);
      return [e.textContent.trim().slice(0, 40), (high + 0.05) / (low + 0.05)];
    });
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory, digits):
    """Three arms in eight pairs, one network failed."""
    folder = RunFolder(tmp_path_factory.mktemp("report"))
    folder.submission.touch()
    config = replace(TINY, arms=("relu", "swish", "swish_beta"), seeds=4, folds_used=2)
    findings = findings_of(with_held_back(digits), config, ["swish-s3-f1"], folder=folder, seconds=62.0, trained=23)
    write_report(folder, findings)
    return folder.report


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, report):
    """A function that opens the report at one of SIZES, in light or dark."""
    pages = []

    def opened(size="wide", scheme="light"):
        width, height = SIZES[size]
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        pages.append(page)
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(report.as_uri())
        return page

    yield opened
    for page in pages:
        page.close()


def unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_is_whole_and_can_be_read(open_page, report, size, scheme):
    page, (width, height) = open_page(size, scheme), SIZES[size]
    headline = page.locator("h1").bounding_box()
    assert headline["y"] + headline["height"] < height  # in the first screen
    assert page.locator(".next pre").first.bounding_box()["y"] < height
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out to the side

    images = page.eval_on_selector_all("img", "all => all.map(i => [i.complete, i.naturalWidth, i.alt.length])")
    assert len(images) > 15
    assert all(complete and natural >= 28 and alt > 20 for complete, natural, alt in images)
    assert page.evaluate("Math.max(...[...document.images].map(i => i.getBoundingClientRect().right))") <= width

    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert [found for found in contrasts if found[1] < CONTRAST_AA] == []
    assert page.said == []
    assert [url for url in page.asked if not url.startswith("data:")] == [report.as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ink_of_figures_is_that_of_the_page(open_page, scheme):
    page = open_page("wide", scheme)
    pixels = imread(io.BytesIO(page.locator("#training figure img").first.screenshot()))[..., :3].mean(axis=2)
    dark, light = (pixels < 0.2).mean(), (pixels > 0.8).mean()
    ground, ink = (light, dark) if scheme == "light" else (dark, light)
    assert ground > 0.6
    assert 0.005 < ink < 0.2


def test_a_table_that_scrolls_says_so(open_page):
    narrow, wide = (open_page(size) for size in SIZES)
    assert narrow.evaluate("(e => e.scrollWidth > e.clientWidth)(document.querySelector('.scroll'))")
    assert narrow.locator(".hint").is_visible()
    assert not wide.locator(".hint").is_visible()


def test_on_paper_all_is_open_and_whole(open_page):
    page = open_page("narrow")
    page.emulate_media(media="print")
    hidden = page.eval_on_selector_all("details > :not(summary)", "all => all.filter(e => !e.checkVisibility()).length")
    assert (page.locator("details").count() > 1, hidden) == (True, 0)
    assert not page.locator(".hint").first.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"


def test_numbers_can_be_downloaded(open_page):
    page = open_page()
    with page.expect_download() as download:
        page.click("a[download='mistakes.csv']")
    assert download.value.suggested_filename == "mistakes.csv"
    with open(download.value.path()) as stream:  # noqa: PTH123
        lines = stream.read().splitlines()
    assert lines[0].startswith("ImageId,digit,vote_reads,vote_probability")
    assert len(lines) > 2
