"""The calls to Kaggle that the commands make, one function each: what is asked, and what to do when it is refused."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from pipeline.config.errors import RunError, UserError
from pipeline.config.text import printable
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.connection import fetch_file, transfer, write_file
from pipeline.kaggle.refusals import NoAnswerError
from pipeline.records.run_folder import SUBMISSION

PAGE, MOST_PAGES = 100, 100  # entries; a list that goes on after these has no end
LARGEST_OUTPUT = 4 << 30  # bytes of all files of a kernel


@dataclass(frozen=True)
class Submission:
    """A submission, as Kaggle lists it."""

    description: str
    date: datetime | None
    status: str
    """PENDING, COMPLETE or ERROR."""
    score: float | None
    """Accuracy on the public part of the test images; None if there is none yet."""
    error: str
    """Why it could not be scored."""


def kernel_status(kaggle: Kaggle, kernel: str) -> tuple[str, str]:
    """The status of a kernel's latest session, such as RUNNING, and Kaggle's reason for a failure, if it gives one."""
    return kaggle.ask(
        f"the status of {kernel}",
        "kernels.get_kernel_session_status",
        lambda answer: (str(answer.status.name), str(answer.failure_message or "")),
        **named(kernel, "user_name"),
    )


def kernel_output(kaggle: Kaggle, kernel: str) -> tuple[dict[str, str], str]:
    """The addresses of the files that a kernel's latest session wrote, by path in its folder; and its log."""
    files: dict[str, str] = {}
    log = ""
    for page, part in _pages(
        kaggle,
        f"the output of {kernel}",
        "kernels.list_kernel_session_output",
        lambda answer: ({str(file.file_name): str(file.url) for file in answer.files or []}, str(answer.log or "")),
        **named(kernel, "user_name"),
    ):
        files, log = files | page, log or part
    return files, log


def download_outputs(files: Mapping[str, str], names: Iterable[str], folder: Path) -> None:
    """Download those of a kernel's files that have one of these names into a folder, under their names.

    Raises:
        RunError: they are larger than any kernel's.
    """
    left = LARGEST_OUTPUT
    for name in names:
        if name in files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            left -= fetch_file("downloading the output", files[name], target)
        if left < 0:
            raise RunError(f"the output has more than {LARGEST_OUTPUT:,} bytes: it is not one of this program's.")


def kernel_source(kaggle: Kaggle, kernel: str) -> tuple[str, int]:
    """The text of a kernel's latest version, and that version's number, 0 if Kaggle does not say."""
    return kaggle.ask(
        f"the source of {kernel}",
        "kernels.get_kernel",
        lambda answer: (str(answer.blob.source or ""), _whole(answer.metadata.current_version_number)),
        **named(kernel, "user_name"),
    )


def download_submission_of(kaggle: Kaggle, kernel: str, version: int, target: Path) -> None:
    """Download the submission that one version of a kernel wrote."""
    kaggle.ask(
        f"the output of {kernel} version {version}",
        "kernels.download_kernel_output",
        lambda answer: write_file(answer, target),
        remedy=f"Is there a {SUBMISSION} in the output of that version, and is the kernel yours?",
        **named(kernel, "owner_slug"),
        version_number=version,
        file_path=SUBMISSION,
    )


def submissions_left(kaggle: Kaggle) -> tuple[int, int]:
    """How many submissions are left today, and how many were made."""
    return kaggle.ask(
        "the limit of submissions",
        "competitions.get_submission_limits",
        lambda answer: (_whole(answer.num_allowed_now), _whole(answer.num_today)),
    )


def submit_upload(kaggle: Kaggle, name: str, content: bytes, description: str) -> None:
    """Upload a file's content and submit it.

    Raises:
        NoAnswerError: nobody can tell whether it was submitted; for any other error it was not.
    """
    try:
        address, token = kaggle.ask(
            "starting the upload",
            "competitions.start_submission_upload",
            attrgetter("create_url", "token"),
            file_name=name,
            content_length=len(content),
            last_modified_epoch_seconds=int(time.time()),
        )
        transfer(
            "uploading the submission",
            lambda session: session.put(address, data=content).raise_for_status(),
            redirects=False,
        )
    except NoAnswerError as error:
        raise RunError(f"{error} Nothing was submitted.") from None
    kaggle.ask(
        "submitting",
        "competitions.create_submission",
        _taken,
        once=True,
        blob_file_tokens=token,
        submission_description=description,
    )


def submit_kernel_output(kaggle: Kaggle, kernel: str, version: int, description: str) -> None:
    """Have Kaggle submit what a version of a kernel wrote.

    Raises:
        NoAnswerError: nobody can tell whether it was submitted; for any other error it was not.
    """
    kaggle.ask(
        "submitting the kernel's output",
        "competitions.create_code_submission",
        _taken,
        once=True,
        file_name=SUBMISSION,
        **named(kernel, "kernel_owner"),
        kernel_version=version,
        submission_description=description,
    )


def submissions(kaggle: Kaggle) -> Iterator[Submission]:
    """The account's submissions to the competition, newest first."""
    for page in _pages(
        kaggle,
        "the list of submissions",
        "competitions.list_submissions",
        lambda answer: [_submission(each) for each in answer.submissions or []],
    ):
        yield from page


def rank(kaggle: Kaggle) -> tuple[int, int]:
    """The rank of the account's best submission, 0 if the leaderboard does not say, and the number of teams."""
    return kaggle.ask(
        "the rank",
        "competitions.get_competition",
        lambda answer: (_whole(answer.user_rank or 0), _whole(answer.team_count or 0)),
    )


def named(kernel: str, owner: str) -> dict[str, Any]:
    """The fields that name a kernel, "owner/slug", in a request; `owner` is what that one calls the owner.

    Raises:
        UserError: it is not of that form.
    """
    user, _, slug = kernel.partition("/")
    if not user or not slug or "/" in slug:
        raise UserError(f"a kernel is named owner/slug. Received: {kernel!r}")
    return {owner: user, "kernel_slug": slug}


def _submission(answer: Any) -> Submission:
    score = None
    with suppress(TypeError, ValueError):  # None, "", "None"
        score = float(answer.public_score)
    return Submission(
        str(answer.description or ""),
        answer.date if isinstance(answer.date, datetime) else None,
        str(answer.status.name),
        score if score is not None and math.isfinite(score) else None,
        printable(answer.error_description or ""),
    )


def _taken(answer: Any) -> None:
    """Raise a NoAnswerError where Kaggle's answer to a submission says nothing."""
    if not (answer.ref or answer.message):
        raise NoAnswerError("submitting: Kaggle's answer says nothing.")


def _whole(value: Any) -> int:
    """A number in an answer; the client does not look."""
    if not isinstance(value, int):
        raise TypeError
    return value


def _pages(kaggle: Kaggle, what: str, call: str, read: Callable[[Any], Any], **fields: Any) -> Iterator[Any]:
    """What `read` makes of each page of a list.

    Raises:
        RunError: the list has no end.
    """
    fields["page_size"] = PAGE
    for _ in range(MOST_PAGES):
        page, token = kaggle.ask(what, call, lambda answer: (read(answer), answer.next_page_token), **fields)
        yield page
        if not token:
            return
        fields["page_token"] = token
    raise RunError(f"{what}: Kaggle's list does not end after {MOST_PAGES} pages. Try again later.")
