"""The outcome of a run as one self-contained HTML page: no other file, no network, no script."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from jinja2 import Environment

from pipeline.config.config_json import to_json
from pipeline.config.schema import RunConfig
from pipeline.data.digits import Digits
from pipeline.evidence.comparison import Comparison
from pipeline.records.atomic import atomic_replace, atomic_write_json
from pipeline.records.members import Member, group_by_arm, write_metrics
from pipeline.records.run_folder import RunFolder
from pipeline.report.activation_figures import activation_curves, learned_betas
from pipeline.report.answer import answer, images_to_predict
from pipeline.report.difference_figures import epoch_differences, paired_differences
from pipeline.report.facts import environment, facts, machines
from pipeline.report.galleries import disagreements, misread_by_all
from pipeline.report.next_steps import next_steps
from pipeline.report.plots import Plot, arm_styles, csv_text, data_uri, own_look, svg_text
from pipeline.report.scored_images import ScoredImages, score_images
from pipeline.report.sentences import (
    details,
    ensemble_lines,
    fairness_lines,
    headline,
    is_unfinished,
    mcnemar_lines,
    submission_votes,
)
from pipeline.report.style import STYLE
from pipeline.report.table import used_columns
from pipeline.report.template import TEMPLATE
from pipeline.report.training_figures import epoch_times, learning_curves
from pipeline.report.vote_figures import confusions, reliability


def write_report(
    folder: RunFolder,
    configs: Sequence[RunConfig],
    digits: Digits,
    members: Sequence[Member],
    comparison: Comparison,
    note: str = "",
) -> None:
    """Write environment.json, comparison.json, metrics.csv and report.html; arguments as of `render_report`."""
    atomic_write_json(folder.environment, machines(members))
    atomic_write_json(folder.comparison, asdict(comparison))
    with atomic_replace(folder.metrics) as temporary:
        write_metrics(temporary, members)
    with atomic_replace(folder.report) as temporary:
        temporary.write_text(render_report(configs, digits, members, comparison, note, folder), encoding="utf-8")


def render_report(
    configs: Sequence[RunConfig],
    digits: Digits,
    members: Sequence[Member],
    comparison: Comparison,
    note: str = "",
    folder: RunFolder | None = None,
) -> str:
    """One run, or several compared, as one HTML page.

    Args:
        configs: The runs' configs.
        digits: Their data.
        members: Their finished members.
        comparison: What is said of them.
        note: That they are half-finished; else empty.
        folder: The run's folder, if it has one.
    """
    scored = score_images(members, digits)
    columns, rows = used_columns(comparison)
    submission = folder if folder and folder.submission.exists() else None
    with own_look():  # figures are drawn when the template asks for their text
        return (
            Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
            .from_string(TEMPLATE)
            .render(
                title=" and ".join(dict.fromkeys(config.name for config in configs)),
                style=STYLE,
                arms=list(group_by_arm(members)),
                note=note,
                failed=comparison.failed,
                wanted=len(members) + len(comparison.failed),
                answer=answer(comparison, images_to_predict(digits)),
                steps=next_steps(configs, comparison, submission, is_unfinished(note)),
                submission=submission and submission.submission.as_posix(),
                voters=submission_votes(comparison),
                comparisons=comparison.paired,
                headline=headline,
                details=details,
                columns=columns,
                rows=rows,
                scores_csv=csv_text(columns, rows),
                ensembles=ensemble_lines(comparison),
                fairness=fairness_lines(comparison.fairness),
                tests=mcnemar_lines(comparison),
                galleries=[g for g in (misread_by_all(scored), disagreements(scored)) if g] if scored else [],
                facts=facts(configs, digits, members, comparison, datetime.now(UTC)),
                **_plots(members, comparison, scored),
                configs=configs,
                to_json=to_json,
                environment=environment(members),
                svg_text=svg_text,
                data_uri=data_uri,
            )
        )


def _plots(members: Sequence[Member], comparison: Comparison, scored: ScoredImages | None) -> dict[str, list[Plot]]:
    """The figures that the members give rise to, by the part of the page that shows them."""
    styles, paired = arm_styles(group_by_arm(members)), comparison.paired
    smoothing = [member.spec.recipe.train.label_smoothing for member in members]
    plots: dict[str, list[Plot | None]] = {
        "difference": [paired_differences(paired, styles), epoch_differences(paired)] if paired else [],
        "training": [learning_curves(members, styles), epoch_times(members, styles)],
        "votes": [confusions(scored), reliability(scored, styles, smoothing)] if scored else [],
        "activations": [activation_curves(members, styles), learned_betas(members, styles)],
    }
    return {part: [plot for plot in found if plot] for part, found in plots.items()}
