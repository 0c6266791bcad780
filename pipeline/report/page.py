"""The outcome of a run as one self-contained HTML page: no other file, no network, no script."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment

from pipeline.config.config_json import to_json
from pipeline.records.atomic import atomic_replace, atomic_write_json
from pipeline.records.members import group_by_arm, write_metrics
from pipeline.records.run_folder import RunFolder
from pipeline.report.difference_figures import epoch_differences, paired_differences
from pipeline.report.facts import environment, facts
from pipeline.report.findings import Findings
from pipeline.report.galleries import disagreements, distortions, least_sure, mistakes
from pipeline.report.plots import arm_styles, data_uri, own_look, svg_text
from pipeline.report.sentences import comparison_lines
from pipeline.report.style import STYLE
from pipeline.report.summary import summarize
from pipeline.report.table import score_rows, used
from pipeline.report.template import TEMPLATE
from pipeline.report.training_figures import learning_curves
from pipeline.report.vote_figures import by_digit, certainty, confusions, shares
from pipeline.report.words import joined


def write_report(folder: RunFolder, findings: Findings) -> None:
    """Write environment.json, comparison.json, metrics.csv and report.html."""
    atomic_write_json(folder.environment, environment(findings.members))
    atomic_write_json(folder.comparison, asdict(findings.comparison))
    with atomic_replace(folder.metrics) as temporary:
        write_metrics(temporary, findings.members)
    with atomic_replace(folder.report) as temporary:
        temporary.write_text(render_report(findings), encoding="utf-8", errors="replace")


def render_report(findings: Findings) -> str:
    """One run, or several compared, as one HTML page: the entry first, or, where there is none, the comparison."""
    summary = summarize(findings)
    heads, rows = used(score_rows(findings.comparison))
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE)
    with own_look():  # figures are drawn when the template asks for their text
        return page.render(
            style=STYLE,
            name=" and ".join(dict.fromkeys(config.name for config in findings.configs)),
            arms=list(group_by_arm(findings.members)),
            findings=findings,
            summary=summary,
            facts=facts(findings, datetime.now(UTC)),
            environment=environment(findings.members),
            heads=["who", *heads[1:]],
            rows=rows,
            digits=by_digit(findings.known) if findings.known else [],
            comparison_lines=comparison_lines(findings.comparison),
            **_pictures(findings),
            joined=joined,
            to_json=to_json,
            svg_text=svg_text,
            data_uri=data_uri,
        )


def _pictures(findings: Findings) -> dict[str, Any]:
    """The figures and galleries that there are, by the part of the page that shows them."""
    members, known, unlabelled = findings.members, findings.known, findings.unlabelled
    paired, styles = findings.comparison.paired, arm_styles(group_by_arm(members))
    found: dict[str, list[Any]] = {
        "mistakes": [mistakes(known), disagreements(known)] if known else [],
        "confused": [confusions(known)] if known else [],
        "unlabelled": [least_sure(unlabelled), disagreements(unlabelled)] if unlabelled else [],
        "predictions": [certainty(unlabelled), shares(unlabelled, findings.digits.labels)] if unlabelled else [],
        "training": [learning_curves(members, styles)],
        "distorted": [distortions([config.recipe.augment for config in findings.configs], findings.digits)],
        "difference": [paired_differences(paired, styles), epoch_differences(paired)] if paired else [],
    }
    return {part: [each for each in all_of if each] for part, all_of in found.items()}
