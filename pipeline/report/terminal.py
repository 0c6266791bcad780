"""What a run shows on a terminal, or in a log."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pipeline.config.schema import RunConfig
from pipeline.data.checks import share_warning
from pipeline.data.digits import Digits
from pipeline.evidence.comparison import Comparison
from pipeline.evidence.contributions import Blend
from pipeline.records.members import Member
from pipeline.records.run_folder import RunFolder
from pipeline.report.answer import answer, images_to_predict
from pipeline.report.next_steps import next_steps
from pipeline.report.sentences import comparison_lines, submission_votes
from pipeline.report.table import used_columns

LOG_WIDTH = 160  # columns, where there is no terminal to ask


def new_console() -> Console:
    """A console on stdout, as wide as the terminal; in a notebook, one stream of lines and no block for each."""
    return Console(
        force_jupyter=False, highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else LOG_WIDTH
    )


def show_run(console: Console, config: RunConfig, folder: RunFolder) -> None:
    """Say which run this is, and where."""
    console.print(f"run: {config.name} in {folder.path}", markup=False)


def show_data(console: Console, digits: Digits) -> None:
    """Say what it trains on."""
    sizes = f"{len(digits.labels):,} labelled, {len(digits.image_ids):,} to predict"
    console.print(f"data: {digits.source}; {sizes}", markup=False)


def comparison_table(comparison: Comparison) -> Table:
    """The comparison as a table for the terminal."""
    heads, rows = used_columns(comparison)
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def show_comparison(console: Console, comparison: Comparison, digits: Digits) -> None:
    """Print the answer, the comparison's table and its sentences."""
    found = answer(comparison, images_to_predict(digits))
    console.print(f"{found.headline}.", style="bold", markup=False)
    for line in found.remarks:
        console.print(line, markup=False)
    console.print(comparison_table(comparison))
    for line in comparison_lines(comparison):
        console.print(line, markup=False)


def show_outcome(
    console: Console,
    folder: RunFolder,
    digits: Digits,
    comparison: Comparison,
    note: str,
    seconds: float,
) -> None:
    """Print what came out of a run, failures first, and where it is; `note` is what nobody should overlook, if any."""
    for member, reason in comparison.failed.items():
        console.print(f"WARNING: {member} is left out: {reason}", style="bold red", markup=False)
    show_comparison(console, comparison, digits)
    votes = submission_votes(comparison)
    console.print(f"submission: {folder.submission}, {votes}", markup=False)
    console.print(f"report: {folder.report}", markup=False)
    if note:
        console.print(f"WARNING: {note}", style="bold red", markup=False)
    console.print(f"done in {seconds:.0f} s")


def show_shares(console: Console, labels: NDArray[np.int64], digits: Digits) -> None:
    """Warn if predicted labels, shape (m,), are spread unlike the labelled digits."""
    if warning := share_warning(digits, labels):
        console.print(f"WARNING: {warning}", style="bold red", markup=False)


def show_blend(console: Console, groups: Mapping[str, Sequence[Member]], blend: Blend | None) -> None:
    """Print the runs of a blend, the blend, and what each run adds."""
    if blend is None:
        for name, group in groups.items():
            console.print(f"networks of {name}: {len(group)}", markup=False)
        console.print("not judged: the runs share no validation rows, and no labels of the images to predict are known")
        return
    table = Table("who", "networks", f"accuracy, {blend.whole.images:,} {blend.where} images", "errors", "errors saved")
    for run in blend.contributions:
        low, high = run.interval
        saved = f"{run.saved_errors:+d} (95% {low:+z.1f} to {high:+z.1f})"
        table.add_row(run.run, str(run.networks), f"{run.alone.accuracy:.5f}", str(run.alone.errors), saved)
    table.add_row("blend, equal votes", str(blend.networks), f"{blend.whole.accuracy:.5f}", str(blend.whole.errors), "")
    for column in table.columns[1:]:
        column.justify = "right"
    console.print(table)
    if blend.votes < blend.networks:
        voters = f"{blend.votes:.3g} of the {blend.networks} networks"
        console.print(f"On a validation image {voters} vote, on an image to predict all.", markup=False)


def show_score(console: Console, labels: NDArray[np.int64], digits: Digits) -> None:
    """Print what predicted labels, shape (m,), would score, where the digits of the test images are known."""
    if digits.held_back_labels is not None:
        accuracy = float((labels == digits.held_back_labels).mean())
        console.print(f"this submission would score {accuracy:.5f} on the held-back labels", markup=False)


def show_next(
    console: Console,
    configs: Sequence[RunConfig],
    comparison: Comparison,
    folder: RunFolder | None,
    half_finished: bool = False,
) -> None:
    """Print what to do next; arguments as of `next_steps`."""
    for step in next_steps(configs, comparison, folder, half_finished):
        console.print(f"next: {step.why}:", markup=False)
        for command in step.commands:
            console.print(f"  {command}", markup=False)
