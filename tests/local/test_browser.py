"""The report in a real browser: headless Chromium, driven by Playwright; skipped where either is missing."""

import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (requirements-dev.txt)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

LARGEST = 3_000_000  # bytes
NARROW, WIDE = 360, 1400  # pixels
SWITCHES = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_the_report_loads_whole_and_quietly(browser, finished, width, scheme):
    report = finished[0] / "report.html"
    assert report.stat().st_size < LARGEST
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]

    images = page.eval_on_selector_all("img", "all => all.map(i => [i.complete, i.naturalWidth, i.alt.length])")
    assert len(images) >= 5
    assert all(complete and natural > 100 and alt > 20 for complete, natural, alt in images)
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out to the side
    assert page.evaluate("Math.max(...[...document.images].map(i => i.getBoundingClientRect().right))") <= width

    page.click("figure details summary")
    assert "," in page.inner_text("figure details pre")
    color = page.evaluate("getComputedStyle(document.body).color")
    brightness = sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")[:3])) / 3
    assert (brightness > 128) == (scheme == "dark")
    page.close()
