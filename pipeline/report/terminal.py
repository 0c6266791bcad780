"""What a command shows on a terminal, or in a log: pure functions from data to lines, and one that prints them."""

import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipeline.config.schema import RunConfig
from pipeline.config.text import printable
from pipeline.data.digits import Digits
from pipeline.evidence.contributions import Blend
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import SubmissionRecord
from pipeline.report.findings import Findings
from pipeline.report.next_steps import Step, blend_steps
from pipeline.report.sentences import comparison_lines
from pipeline.report.summary import Summary, summarize
from pipeline.report.table import kinds_of, score_rows, single_rows, used, vote_rows
from pipeline.report.words import count, text_table

MOST_ARMS = 6  # in the table on a screen
WARNING = "WARNING: "


def new_console() -> Console:
    """A console on stdout, as wide as the terminal; in a notebook, one stream of lines and no block for each."""
    return Console(highlight=False, soft_wrap=True, force_jupyter=False)


def show(console: Console, lines: Sequence[str]) -> None:
    """Print lines; warnings stand out, and nothing in a name controls the terminal."""
    for line in lines:
        console.print(printable(line), style="bold red" if line.startswith(WARNING) else None, markup=False)


def starting_lines(config: RunConfig, folder: RunFolder, digits: Digits, width: int) -> list[str]:
    """Which run this is, where, and what it trains on."""
    sizes = f"{len(digits.labels):,} labelled, {len(digits.image_ids):,} to predict"
    return [f"run: {config.name} in {folder.path}", *_wrapped(f"data: {digits.source}; {sizes}", width)]


def run_screen(findings: Findings, folder: RunFolder, width: int, copy: Path | None = None) -> list[str]:
    """The end of a run: what was made, how good it is, where it is, with a copy or none, and what to do next."""
    summary, comparison = summarize(findings), findings.comparison
    kind = kinds_of(comparison)[0]
    singles, vote = single_rows(comparison, kind), vote_rows(comparison, kind)[-1:]
    table = [*singles[:MOST_ARMS], *(vote if len(findings.members) > 1 else [])]
    lines = [line for warning in summary.warnings for line in _wrapped(WARNING + warning, width)]
    lines += _wrapped(summary.made, width)
    lines += ["", *_places(summary, folder, copy, width), "", *text_table(*used(table), width)]
    if len(singles) > MOST_ARMS:
        lines.append(f"  and {len(singles) - MOST_ARMS} more in the report")
    if remarks := [*summary.remarks, *([summary.question] if summary.question else [])]:
        lines += ["", *(line for remark in remarks for line in _wrapped(remark, width))]
    return [*lines, *_next(summary.steps, width)]


def _places(summary: Summary, folder: RunFolder, copy: Path | None, width: int) -> list[str]:
    """The score, the submission, its copy and the report."""
    value, of_what = summary.score
    interval = f" ({summary.interval})" if summary.interval else ""
    lines = _wrapped(f"  score    {value}   {of_what}{interval}", width, indent=" " * (14 + len(value)))
    places = [("file", folder.submission, summary.submission), ("report", folder.report, summary.report)]
    if copy:
        places.insert(1, ("copy", copy, "which no later run overwrites"))
    size = max(len(str(path)) for _, path, _ in places)
    for name, path, remark in places:
        with_remark = f"  {name:<6}   {path!s:<{size}}   {remark}"
        lines.append(with_remark if len(with_remark) <= width else f"  {name:<6}   {path}")
    return lines


def _next(steps: Sequence[Step], width: int) -> list[str]:
    """What to do next, after a blank line; nothing if there is nothing to do."""
    lines = [line for step in steps for line in _step_lines(step, width)]
    return ["", *lines] if lines else []


def _step_lines(step: Step, width: int) -> list[str]:
    """A step with its commands, each of them to be copied as it stands."""
    lines = [f"Next, {step.why}:"]
    size = max(len(command) for command, _ in step.commands)
    for command, remark in step.commands:
        line = f"  {command:<{size}}   # {remark}" if remark else f"  {command}"
        lines += [line] if len(line) <= width else [*_folded(command, width), *([f"  # {remark}"] if remark else [])]
    return lines


def _folded(command: str, width: int) -> list[str]:
    """A command in lines that a shell takes for one, broken between its words only."""
    lines = [" "]
    for word in map(shlex.quote, shlex.split(command)):
        if len(f"{lines[-1]} {word} \\") > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {word}"
    return lines


def comparison_screen(findings: Findings, folder: RunFolder, width: int) -> list[str]:
    """A comparison: the answer, the arms side by side, all that was tested, and where the report is."""
    summary, found = summarize(findings), findings.answer
    return [
        *(line for warning in summary.warnings for line in _wrapped(WARNING + warning, width)),
        *_wrapped(f"{found.headline}.", width),
        "",
        *text_table(*used(score_rows(findings.comparison)), width),
        "",
        *(line for text in (*found.remarks, *comparison_lines(findings.comparison)) for line in _wrapped(text, width)),
        "",
        f"report: {folder.report}",
    ]


def blend_screen(
    blend: Blend | None,
    record: SubmissionRecord,
    notes: Sequence[str],
    places: tuple[RunFolder, Path],
    is_sample: bool,
    width: int,
) -> list[str]:
    """A blend: how good it is with each run and without it, where it is, with its copy, and what to do next."""
    folder, copy = places
    lines = [line for note in notes for line in _wrapped(WARNING + note, width)]
    lines += [f"{count(record.voters, 'network')} of {count(len(record.runs), 'run')} vote.", ""]
    if blend is None:
        text = "not known: the runs share no validation rows, and no labels of the images to predict are known"
        lines += _wrapped(f"  score    {text}", width, " " * 11)
        table = text_table(("", "networks"), [[name, str(len(ids))] for name, ids in record.members.items()], width)
    else:
        whole = blend.whole
        of_what = f"{whole.errors:,} of {whole.images:,} {blend.where} digits wrong"
        lines.append(f"  score    {whole.accuracy:.4f}   {of_what}")
        rows = [
            [run.run, str(run.networks), str(run.alone.errors), f"{run.alone.accuracy:.4f}", f"{run.saved_errors:+d}"]
            for run in blend.contributions
        ]
        rows.append(["all", str(blend.networks), str(whole.errors), f"{whole.accuracy:.4f}", ""])
        table = text_table(("", "networks", "wrong", "accuracy", "saves"), rows, width)
    lines += [f"  file     {folder.submission}", f"  copy     {copy}", "", *table]
    if blend:
        lines += ["", *(line for text in _contributions(blend) for line in _wrapped(text, width))]
    harmful = [run.run for run in blend.contributions if run.interval[1] < 0] if blend else []
    better = [path for name, path in record.runs.items() if name not in harmful] if harmful else []
    return [*lines, *_next(blend_steps(folder, is_sample, better), width)]


def _contributions(blend: Blend) -> list[str]:
    """What a run saves, explained; which runs make the blend worse; and how many vote, where that differs."""
    texts = ["A run saves the errors that the blend makes without it, less those that it makes with it."]
    for run in blend.contributions:
        if run.saved_errors < 0:
            low, high = (-x for x in reversed(run.interval))
            shown = "makes the blend worse" if run.interval[1] < 0 else "does not help here"
            more = f"{-run.saved_errors} more wrong with it than without (95%: {low:+.1f} to {high:+.1f})"
            texts.append(f"{run.run} {shown}: {more}.")
    if blend.votes < blend.networks:
        texts.append(
            f"{blend.votes:.3g} of the {blend.networks} networks vote on a validation image, all on one to predict."
        )
    return texts


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """A text in lines of at most that width, as far as its words allow."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
