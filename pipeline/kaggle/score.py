"""Find a submission at Kaggle again, and wait for its score."""

import time
from dataclasses import replace
from functools import partial

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle.calls import Submission, rank, submissions
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.submission_log import Entry, record
from pipeline.kaggle.waiting import going_on, looks

PATIENCE = 1800.0  # seconds


def find_submission(kaggle: Kaggle, entry: Entry) -> Submission | None:
    """The submission at Kaggle that carries the entry's mark; None if there is none."""
    return next((s for s in submissions(kaggle) if entry.is_described_by(s.description)), None)


def wait_for_score(kaggle: Kaggle, entry: Entry, command: str) -> Entry:
    """Wait until a submission is scored; record and print the outcome.

    Args:
        kaggle: The account.
        entry: The submission, which has been sent.
        command: What to give to go on waiting, when something ends the waiting.

    Raises:
        RunError: Kaggle could not score it, or has not for long.
        KeyboardInterrupt: as always.
    """
    end = time.monotonic() + PATIENCE
    with going_on(f"{entry.source} is sent. To see its score, which costs nothing: {command}"):
        for found in looks(partial(find_submission, kaggle, entry)):
            outcome = _outcome(entry, found) if found else entry
            if outcome.status != entry.status:
                break
            if time.monotonic() > end:
                absent = "" if found else " It is not in this account's list: is it another's? --again sends it anew."
                raise RunError(f"no score after {PATIENCE / 60:.0f} minutes.{absent}")
    record(outcome)
    if outcome.status == "error":
        raise RunError(f"Kaggle could not score {outcome.source}: {outcome.error}")
    print(f"score: {outcome.score:.5f}; {_rank(kaggle)}", flush=True)
    return outcome


def _outcome(entry: Entry, found: Submission) -> Entry:
    """The entry with the score or the error that Kaggle gives it; as it was if there is neither yet."""
    if found.status == "ERROR":
        return replace(entry, status="error", error=found.error or "no reason given")
    if found.status == "COMPLETE" and found.score is not None:
        return replace(entry, status="complete", score=found.score)
    return entry


def _rank(kaggle: Kaggle) -> str:
    """The account's rank in words; the score counts without it, so a failure is printed, not raised."""
    try:
        place, teams = rank(kaggle)
    except (UserError, RunError) as error:
        return f"the rank is not known ({error})"
    return f"your best is at rank {place:,} of {teams:,}" if place else "the leaderboard does not tell your rank"
