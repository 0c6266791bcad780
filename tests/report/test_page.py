import base64
import io
import re

import matplotlib.image
import pytest

from pipeline.report.page import render_report


@pytest.mark.parametrize(("fold", "held_back", "figures"), [(0, True, 6), (0, False, 6), (None, False, 2)])
def test_page_is_whole_in_itself(outcome, fold, held_back, figures):
    html = render_report(*outcome(fold, held_back))
    assert len(html) < 3_000_000
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []
    assert "http" not in html
    pictures = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)"', html)
    assert len(pictures) == figures
    for alt, content in pictures:
        assert len(alt) > 20
        assert matplotlib.image.imread(io.BytesIO(base64.b64decode(content))).size > 10_000
    if fold is not None:  # the headline in words, then what it rests on
        assert re.search(
            r'class="headline">Swish against relu, cannot decide: needs at least 6 pairs, has 2\.</p>\s*<p>[-+]\d', html
        )
    assert "Versions and hardware" in html
    assert ("<th>held-back accuracy</th>" in html) == held_back
    assert "elu-s0-f0</b> failed and is left out: &lt;worker&gt; died" in html
    assert "&lt;a chip&gt;" in html
