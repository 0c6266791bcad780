"""The calls to Kaggle that the commands make, one function each: what is asked, and what to do when it is refused.

What an answer holds is read inside `Kaggle.ask`, so that an odd answer is explained like a broken one. The client's
request classes are imported in the functions: their package loads the whole client.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import COMPETITION
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.connection import CHUNK, fetch_file, transfer
from pipeline.kaggle.refusals import NoAnswerError
from pipeline.records.run_folder import SUBMISSION

COMPETITION_REMEDIES = {
    403: f"Join the competition first: accept its rules at https://www.kaggle.com/c/{COMPETITION}/rules",
    404: f"Is https://www.kaggle.com/c/{COMPETITION} still open?",
}
# Kaggle answers 403, not 404, for a kernel that is not there.
KERNEL_REMEDIES = dict.fromkeys((403, 404), "Is that the kernel's owner/slug, as in its address, and is it yours?")
PAGE = 100


@dataclass(frozen=True)
class OutputFile:
    """A file in a kernel's output."""

    name: str
    """Its path in the kernel's working directory."""
    url: str


def kernel_status(kaggle: Kaggle, kernel: str) -> tuple[str, str]:
    """The status of a kernel's latest session, such as RUNNING, and Kaggle's reason for a failure, if it gives one."""
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

    request = ApiGetKernelSessionStatusRequest()
    request.user_name, request.kernel_slug = split_kernel(kernel)

    def read(client: Any) -> tuple[str, str]:
        response = client.kernels.kernels_api_client.get_kernel_session_status(request)
        return response.status.name, response.failure_message or ""

    return kaggle.ask(f"the status of {kernel}", read, KERNEL_REMEDIES)


def kernel_output(kaggle: Kaggle, kernel: str) -> tuple[list[OutputFile], str]:
    """The files that a kernel's latest session wrote, and its log."""
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

    files: list[OutputFile] = []
    log = ""
    request = ApiListKernelSessionOutputRequest()
    request.user_name, request.kernel_slug = split_kernel(kernel)
    request.page_size = PAGE

    def read(client: Any) -> tuple[list[OutputFile], str, str]:
        response = client.kernels.kernels_api_client.list_kernel_session_output(request)
        page = [OutputFile(file.file_name, file.url) for file in response.files or []]
        return page, response.log or "", response.next_page_token or ""

    while True:
        page, told, request.page_token = kaggle.ask(f"the output of {kernel}", read, KERNEL_REMEDIES)
        files, log = files + page, log or told
        if not request.page_token:
            return files, log


def download_outputs(files: list[OutputFile], folder: Path) -> None:
    """Download a kernel's files into a folder, under their names."""

    def download(session: Any) -> None:
        for file in files:
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            fetch_file(session, file.url, target)

    transfer("downloading the output", download)


def kernel_source(kaggle: Kaggle, kernel: str) -> tuple[str, int]:
    """The text of a kernel's latest version, and that version's number, 0 if Kaggle does not tell it."""
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest

    request = ApiGetKernelRequest()
    request.user_name, request.kernel_slug = split_kernel(kernel)

    def read(client: Any) -> tuple[str, int]:
        response = client.kernels.kernels_api_client.get_kernel(request)
        return response.blob.source or "", response.metadata.current_version_number or 0

    return kaggle.ask(f"the source of {kernel}", read, KERNEL_REMEDIES)


def download_submission_of(kaggle: Kaggle, kernel: str, version: int, target: Path) -> None:
    """Download the submission that one version of a kernel wrote."""
    from kagglesdk.kernels.types.kernels_api_service import ApiDownloadKernelOutputRequest

    request = ApiDownloadKernelOutputRequest()
    request.owner_slug, request.kernel_slug = split_kernel(kernel)
    request.version_number, request.file_path = version, SUBMISSION

    def download(client: Any) -> None:
        response = client.kernels.kernels_api_client.download_kernel_output(request)
        with target.open("wb") as stream:
            for chunk in response.iter_content(CHUNK):
                stream.write(chunk)

    remedy = f"Is there a {SUBMISSION} in the output of that version, and is the kernel yours?"
    kaggle.ask(f"the output of {kernel} version {version}", download, dict.fromkeys((403, 404), remedy))


def submissions_left(kaggle: Kaggle) -> tuple[int, int]:
    """How many submissions are left today, and how many were made."""
    from kagglesdk.competitions.types.competition_api_service import ApiGetSubmissionLimitsRequest

    request = ApiGetSubmissionLimitsRequest()
    request.competition_name = COMPETITION

    def read(client: Any) -> tuple[int, int]:
        limits = client.competitions.competition_api_client.get_submission_limits(request)
        return limits.num_allowed_now, limits.num_today

    return kaggle.ask("the limit of submissions", read, COMPETITION_REMEDIES)


def submit_upload(kaggle: Kaggle, name: str, content: bytes, description: str) -> None:
    """Upload a file's content and submit it.

    Raises:
        NoAnswerError: nobody can tell whether it was submitted; for any other error it was not.
    """
    from kagglesdk.competitions.types.competition_api_service import (
        ApiCreateSubmissionRequest,
        ApiStartSubmissionUploadRequest,
    )

    start = ApiStartSubmissionUploadRequest()
    start.competition_name, start.file_name = COMPETITION, name
    start.content_length, start.last_modified_epoch_seconds = len(content), int(time.time())
    try:
        upload = kaggle.ask(
            "starting the upload",
            lambda client: client.competitions.competition_api_client.start_submission_upload(start),
            COMPETITION_REMEDIES,
        )
        transfer(
            "uploading the submission",
            lambda session: session.put(upload.create_url, data=content).raise_for_status(),
        )
    except NoAnswerError as error:
        raise RunError(f"{error} Nothing was submitted.") from None
    create = ApiCreateSubmissionRequest()
    create.competition_name, create.blob_file_tokens = COMPETITION, upload.token
    create.submission_description = description
    kaggle.ask(
        "submitting",
        lambda client: client.competitions.competition_api_client.create_submission(create),
        COMPETITION_REMEDIES,
        repeat=False,
    )


def submit_kernel_output(kaggle: Kaggle, kernel: str, version: int, description: str) -> None:
    """Have Kaggle submit what a version of a kernel wrote.

    Raises:
        NoAnswerError: nobody can tell whether it was submitted; for any other error it was not.
    """
    from kagglesdk.competitions.types.competition_api_service import ApiCreateCodeSubmissionRequest

    request = ApiCreateCodeSubmissionRequest()
    request.competition_name, request.file_name = COMPETITION, SUBMISSION
    request.kernel_owner, request.kernel_slug = split_kernel(kernel)
    request.kernel_version, request.submission_description = version, description
    kaggle.ask(
        "submitting the kernel's output",
        lambda client: client.competitions.competition_api_client.create_code_submission(request),
        COMPETITION_REMEDIES,
        repeat=False,
    )


def submissions(kaggle: Kaggle, pages: int) -> Iterator[Any]:
    """The account's submissions to the competition, newest first, as the client's `ApiSubmission`, 100 a page."""
    from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

    request = ApiListSubmissionsRequest()
    request.competition_name, request.page_size = COMPETITION, PAGE

    def read(client: Any) -> tuple[list[Any], str]:
        response = client.competitions.competition_api_client.list_submissions(request)
        return list(response.submissions or []), response.next_page_token or ""

    for _ in range(pages):
        page, request.page_token = kaggle.ask("the list of submissions", read, COMPETITION_REMEDIES)
        yield from page
        if not request.page_token:
            return


def rank(kaggle: Kaggle) -> tuple[int, int]:
    """The rank of the account's best submission, 0 if the leaderboard does not tell it, and the number of teams."""
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    request = ApiGetCompetitionRequest()
    request.competition_name = COMPETITION

    def read(client: Any) -> tuple[int, int]:
        competition = client.competitions.competition_api_client.get_competition(request)
        return competition.user_rank or 0, competition.team_count or 0

    return kaggle.ask("the rank", read, COMPETITION_REMEDIES)


def split_kernel(kernel: str) -> tuple[str, str]:
    """Owner and slug of "owner/slug"; a UserError if it is not of that form."""
    owner, _, slug = kernel.partition("/")
    if not owner or not slug or "/" in slug:
        raise UserError(f"a kernel is named owner/slug. Received: {kernel!r}")
    return owner, slug
