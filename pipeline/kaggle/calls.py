"""The calls to Kaggle that the commands make, one function each: what is asked, and what to do when it is refused.

The client's request classes are imported in the functions: their package loads the whole client.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import COMPETITION
from pipeline.kaggle.client import CHUNK, Kaggle, NoAnswerError, fetch_file, transfer
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
    """The status of a kernel's latest session, such as RUNNING, and Kaggle's word on why it failed, if it did."""
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

    request = ApiGetKernelSessionStatusRequest()
    request.user_name, request.kernel_slug = split_kernel(kernel)
    response = kaggle.ask(
        f"the status of {kernel}",
        lambda client: client.kernels.kernels_api_client.get_kernel_session_status(request),
        KERNEL_REMEDIES,
    )
    return response.status.name, response.failure_message or ""


def kernel_output(kaggle: Kaggle, kernel: str) -> tuple[list[OutputFile], str]:
    """The files that a kernel's latest session wrote, and its log."""
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

    files, log, token = [], "", ""
    while True:
        request = ApiListKernelSessionOutputRequest()
        request.user_name, request.kernel_slug = split_kernel(kernel)
        request.page_size, request.page_token = PAGE, token
        response = kaggle.ask(
            f"the output of {kernel}",
            lambda client: client.kernels.kernels_api_client.list_kernel_session_output(request),  # noqa: B023
            KERNEL_REMEDIES,
        )
        files += [OutputFile(file.file_name, file.url) for file in response.files]
        log, token = log or response.log or "", response.next_page_token or ""
        if not token:
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
    """The text of a kernel's latest version, and that version's number."""
    from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelRequest

    request = ApiGetKernelRequest()
    request.user_name, request.kernel_slug = split_kernel(kernel)
    response = kaggle.ask(
        f"the source of {kernel}",
        lambda client: client.kernels.kernels_api_client.get_kernel(request),
        KERNEL_REMEDIES,
    )
    return response.blob.source or "", response.metadata.current_version_number or 0


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
    limits = kaggle.ask(
        "the limit of submissions",
        lambda client: client.competitions.competition_api_client.get_submission_limits(request),
        COMPETITION_REMEDIES,
    )
    return limits.num_allowed_now, limits.num_today


def submit_upload(kaggle: Kaggle, path: Path, description: str) -> None:
    """Upload a file and submit it.

    Raises:
        NoAnswerError: whether it was submitted cannot be told; for any other error it was not.
    """
    from kagglesdk.competitions.types.competition_api_service import (
        ApiCreateSubmissionRequest,
        ApiStartSubmissionUploadRequest,
    )

    start = ApiStartSubmissionUploadRequest()
    start.competition_name, start.file_name = COMPETITION, path.name
    start.content_length, start.last_modified_epoch_seconds = path.stat().st_size, int(path.stat().st_mtime)
    try:
        upload = kaggle.ask(
            "starting the upload",
            lambda client: client.competitions.competition_api_client.start_submission_upload(start),
            COMPETITION_REMEDIES,
        )
        transfer(
            "uploading the submission",
            lambda session: session.put(upload.create_url, data=path.read_bytes()).raise_for_status(),
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
        NoAnswerError: whether it was submitted cannot be told; for any other error it was not.
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


def latest_submissions(kaggle: Kaggle) -> list[Any]:
    """The account's latest submissions to the competition, newest first, as the client's `ApiSubmission`."""
    from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

    request = ApiListSubmissionsRequest()
    request.competition_name, request.page_size = COMPETITION, PAGE
    response = kaggle.ask(
        "the list of submissions",
        lambda client: client.competitions.competition_api_client.list_submissions(request),
        COMPETITION_REMEDIES,
    )
    return list(response.submissions)


def rank(kaggle: Kaggle) -> tuple[int, int]:
    """The rank of the account's best submission, 0 if the leaderboard does not tell it, and the number of teams."""
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    request = ApiGetCompetitionRequest()
    request.competition_name = COMPETITION
    competition = kaggle.ask(
        "the rank",
        lambda client: client.competitions.competition_api_client.get_competition(request),
        COMPETITION_REMEDIES,
    )
    return competition.user_rank or 0, competition.team_count


def split_kernel(kernel: str) -> tuple[str, str]:
    """Owner and slug of "owner/slug"; a UserError if it is not of that form."""
    owner, _, slug = kernel.partition("/")
    if not owner or not slug or "/" in slug:
        raise UserError(f"a kernel is named owner/slug. Received: {kernel!r}")
    return owner, slug
