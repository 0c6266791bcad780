"""The outcome of a run as one self-contained HTML page with plots."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from jinja2 import Environment

from pipeline.config.config_json import to_json
from pipeline.config.schema import RunConfig
from pipeline.data.digits import Digits
from pipeline.evidence.comparison import Comparison
from pipeline.records.atomic import atomic_replace, atomic_write_json
from pipeline.records.members import Member, group_by_arm, write_metrics
from pipeline.records.run_folder import RunFolder
from pipeline.report.figures import (
    Plot,
    activation_curves,
    confusions,
    epoch_times,
    learning_curves,
    paired_differences,
    reliability,
)
from pipeline.report.galleries import disagreements, misread_by_all
from pipeline.report.scored_images import score_images
from pipeline.report.sentences import details, ensemble_lines, fairness_lines, headline, mcnemar_lines
from pipeline.report.table import used_columns

TEMPLATE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ configs[0].name }}: {{ arms | join(" against ") }}</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; }
  th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #8886; }
  th:first-child, td:first-child { text-align: left; }
  img { max-width: 100%; background: white; }
  figure { margin: 2rem 0; }
  figcaption, footer { color: #888; }
  .headline { font-size: 1.5rem; line-height: 1.2; font-weight: bold; }
  .failed { border-left: .3rem solid #c33; padding-left: 1rem; }
  pre { overflow: auto; max-height: 20rem; font-size: .8rem; }
</style>
<h1>{{ arms | join(" against ") }} on handwritten digits</h1>
{% for config in configs %}
<p>Run <b>{{ config.name }}</b>: {{ config.architecture }}, {{ config.train.epochs }} epochs.</p>
{% endfor %}
<p>Data: {{ source }}; {{ labelled }} labelled images, {{ unlabelled }} to predict.</p>
{% if note %}<p class="failed">{{ note }}</p>{% endif %}
{% for result in paired %}
{% if loop.first %}<p class="headline">{{ headline(result)[:1] | upper }}{{ headline(result)[1:] }}.</p>
<p>{% else %}<p><b>{{ headline(result) }}</b>: {% endif %}{{ details(result) }}</p>
{% endfor %}
{% for line in fairness %}<p>{{ line }}</p>{% endfor %}
{% for id, reason in failed.items() %}
<p class="failed"><b>{{ id }}</b> failed and is left out: {{ reason }}</p>
{% endfor %}
<div class="wide"><table>
  <tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
  {% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</table></div>
<p>Single networks: mean over the n members, ± their standard deviation. Ensembles: soft voting with equal weights.
  Seconds per epoch: median, first epochs left out. Ratio: median over pairs of the same seed and fold.</p>
{% for line in others %}<p>{{ line }}</p>{% endfor %}
{% for figure in figures %}
<figure>
  <img alt="{{ figure.alt }}" src="data:image/png;base64,{{ figure.png }}">
  <figcaption>{{ figure.caption }}</figcaption>
  <details><summary>Numbers as CSV</summary><pre>{{ figure.csv }}</pre></details>
</figure>
{% endfor %}
{% for text in config_texts %}<details><summary>Config</summary><pre>{{ text }}</pre></details>{% endfor %}
<details><summary>Versions and hardware</summary><pre>{{ environment }}</pre></details>
</html>
"""


def write_report(
    folder: RunFolder,
    configs: Sequence[RunConfig],
    digits: Digits,
    members: Sequence[Member],
    comparison: Comparison,
    note: str = "",
) -> None:
    """Write environment.json, comparison.json, metrics.csv and report.html; arguments as of `render_report`."""
    atomic_write_json(folder.environment, members[0].environment)
    atomic_write_json(folder.comparison, asdict(comparison))
    with atomic_replace(folder.metrics) as temporary:
        write_metrics(temporary, members)
    with atomic_replace(folder.report) as temporary:
        temporary.write_text(render_report(configs, digits, members, comparison, note), encoding="utf-8")


def render_report(
    configs: Sequence[RunConfig], digits: Digits, members: Sequence[Member], comparison: Comparison, note: str = ""
) -> str:
    """One run, or several compared, as one HTML page that needs no other file and no network.

    Args:
        configs: The runs' configs.
        digits: Their data.
        members: Their finished members.
        comparison: What is said of them.
        note: A sentence that nobody should overlook.
    """
    columns, rows = used_columns(comparison)
    return (
        Environment(autoescape=True)
        .from_string(TEMPLATE)
        .render(
            configs=configs,
            arms=list(group_by_arm(members)),
            note=note,
            source=digits.source,
            labelled=f"{len(digits.labels):,}",
            unlabelled=f"{len(digits.image_ids):,}",
            failed=comparison.failed,
            columns=columns,
            rows=rows,
            paired=comparison.paired,
            headline=headline,
            details=details,
            fairness=fairness_lines(comparison.fairness),
            others=[*mcnemar_lines(comparison), *ensemble_lines(comparison)],
            figures=[_embed(plot) for plot in _plots(members, digits, comparison)],
            config_texts=[to_json(config) for config in configs],
            environment=json.dumps(members[0].environment, indent=2),
        )
    )


def _plots(members: Sequence[Member], digits: Digits, comparison: Comparison) -> list[Plot]:
    """The figures that the members give rise to, the answer first."""
    known = score_images(members, digits)
    plots = [
        paired_differences(comparison.paired) if comparison.paired else None,
        learning_curves(members),
        epoch_times(members),
        *([misread_by_all(known), disagreements(known), confusions(known), reliability(known)] if known else []),
        activation_curves(members),
    ]
    return [plot for plot in plots if plot]


def _embed(plot: Plot) -> dict[str, str]:
    """A figure as the template takes it."""
    stream = io.BytesIO()
    plot.figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    png = base64.b64encode(stream.getvalue()).decode()
    return {"png": png, "alt": plot.alt, "caption": plot.caption, "csv": plot.csv}
