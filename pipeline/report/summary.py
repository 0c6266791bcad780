"""What the reader needs to know first: the terminal and the page say the same."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from pipeline.data.checks import share_warning
from pipeline.data.digits import CLASSES
from pipeline.records.members import group_by_arm
from pipeline.records.scores import Score
from pipeline.report.findings import Findings
from pipeline.report.next_steps import Pace, Step, next_steps, out_of_fold_accuracy
from pipeline.report.readings import Readings
from pipeline.report.words import all_of, count, duration, joined

MOST_NAMED = 2  # digits, and mistakes, in a sentence


@dataclass(frozen=True)
class Summary:
    """The first things of a report, in words."""

    title: str
    """The score; without one, on how many images the networks agree."""
    made: str
    """What was trained and what votes."""
    warnings: list[str]
    score: tuple[str, str]
    """The accuracy, or that it is unknown; and what it is of."""
    interval: str
    """Of the accuracy, for other digits; empty where it is unknown."""
    submission: str
    """What the file is, in a few words."""
    report: str
    """What the report shows."""
    remarks: list[str]
    question: str
    """Which activation to take; empty where there is no choice, or nothing to tell by."""
    steps: list[Step]


def summarize(findings: Findings) -> Summary:
    """The first things that there are to say of a run."""
    comparison, digits = findings.comparison, findings.digits
    doubt = share_warning(digits, findings.predicted)
    failed = [f"{member} is left out: {reason}" for member, reason in comparison.failed.items()]
    title, score, interval = _scored(*findings.score) if findings.score else _agreement(findings)
    question = findings.answer.headline if comparison.paired else ""
    return Summary(
        title=title,
        made=_made(findings),
        warnings=[*failed, *(text for text in (findings.note, doubt) if text)],
        score=score,
        interval=interval,
        submission=f"{len(digits.image_ids):,} rows, format checked",
        report=_report(findings),
        remarks=[text for text in (_voters(findings), _hardest(findings.known), _expected(findings)) if text],
        question=f"{joined([arm.activation for arm in comparison.arms], 'or')}? {question}." if question else "",
        steps=_steps(findings, bool(doubt)),
    )


def _made(findings: Findings) -> str:
    members, trained = findings.members, findings.trained
    arms = ", ".join(f"{len(group)} {arm}" for arm, group in group_by_arm(members).items())
    votes = "it votes alone" if len(members) == 1 else f"{all_of(len(members))} vote"
    if not trained:
        return f"{count(len(members), 'network')}, trained before ({arms}); {votes}."
    return f"{count(trained, 'network')} trained in {duration(findings.seconds)}; {votes} ({arms})."


def _scored(where: str, score: Score) -> tuple[str, tuple[str, str], str]:
    """The title, the score with what it is of, and its interval, where digits are known."""
    wrong = f"{score.errors:,} of {score.images:,} {where} digits wrong"
    right = binomtest(score.images - score.errors, score.images).proportion_ci(method="wilson")
    accuracy = f"{score.accuracy:.4f}"
    return f"Score {accuracy}: {wrong}", (accuracy, wrong), f"95%: {right.low:.4f} to {right.high:.4f}"


def _agreement(findings: Findings) -> tuple[str, tuple[str, str], str]:
    """The same where no digit is known."""
    networks, images = len(findings.members), len(findings.digits.image_ids)
    if networks == 1:
        return f"One network read {images:,} images", ("unknown", "only Kaggle knows the digits of these images"), ""
    agreed = images - int(findings.apart.any(axis=0).sum())
    return (
        f"{networks} networks voted on {images:,} images; they agree on {agreed:,}",
        ("unknown", f"{all_of(networks)} networks agree on {agreed:,} of {images:,} images"),
        "",
    )


def _voters(findings: Findings) -> str:
    """That fewer networks vote on a validation image than on one to predict, if so."""
    vote = findings.comparison.ensembles[-1]
    if not findings.score or findings.score[0] == "held-back" or vote.votes is None or vote.votes == vote.members:
        return ""
    return (
        f"A validation image is read by the {vote.votes:.3g} networks that did not train on it, one to predict by all "
        f"{vote.members}."
    )


def _hardest(known: Readings | None) -> str:
    """Which digits the vote misreads, and as what."""
    if known is None:
        return ""
    mistakes = known.confusion
    np.fill_diagonal(mistakes, 0)
    if not mistakes.any():
        return "No digit is misread."
    wrong = mistakes.sum(axis=1)
    worst = np.flatnonzero(wrong == wrong.max())[:MOST_NAMED]
    text = f"Hardest: {joined(list(map(str, worst)))}, {wrong.max()} wrong{' each' if len(worst) > 1 else ''}."
    most = [divmod(int(place), CLASSES) for place in np.argsort(-mistakes, axis=None, kind="stable")[:MOST_NAMED]]
    often = ", ".join(
        f"{'an' if digit == 8 else 'a'} {digit} is read as {guess}"
        for digit, guess in most
        if mistakes[digit, guess] > 1
    )
    return f"{text} Most often {often}." if often else text


def _report(findings: Findings) -> str:
    shown = findings.known and count(len(findings.known.mistakes), "mistake")
    return f"{shown or 'the least sure digits'}, curves{', tests' if findings.comparison.paired else ''}"


def _expected(findings: Findings) -> str:
    """What a recipe reached elsewhere, where nothing tells of its score here."""
    if findings.score or not findings.folder:
        return ""
    accuracy = out_of_fold_accuracy(findings.configs[0].recipe)
    if accuracy is None:
        return "This machine cannot know the score. With --folds 10 --folds-used 1 a tenth of the labelled rows tells."
    return (
        "This machine cannot know the score. On labelled digits that they had not seen, two networks of this recipe "
        f"reached {accuracy:.4f}."
    )


def _steps(findings: Findings, is_doubtful: bool) -> list[Step]:
    """What to do after a run; nothing after a comparison. Its speed is that of single networks if none was trained."""
    if not findings.folder:
        return []
    recipe, rate = findings.members[0].spec.recipe, findings.rate
    pace = Pace(findings.rate_of_one, recipe, is_lowest=True) if rate is None else Pace(rate, recipe)
    images = len(findings.digits.labels)
    return next_steps(
        findings.configs[0], findings.folder, pace, images=images, missing=findings.missing, is_doubtful=is_doubtful
    )
