"""Where a submission comes from: only what a run or a blend recorded is sent under its name."""

from pipeline.config.errors import UserError
from pipeline.config.schema import RunConfig
from pipeline.records.atomic import file_sha256
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record


def config_of(folder: RunFolder, sha256: str) -> RunConfig | None:
    """The config of the run that wrote a folder's submission; None where no run did. Prints what did not vote.

    Args:
        folder: A run's folder, a blend's, or another.
        sha256: Of its submission.

    Raises:
        UserError: the submission or the config is not what the run or the blend recorded.
    """
    record, is_run = read_submission_record(folder), folder.config.exists()
    if record is None and not is_run:
        return None
    if record is None or record.sha256 != sha256:
        raise UserError(
            f"{folder.submission} is not what {folder.submission_record} records: it was changed since, or the command "
            "was cut off. Give the run's or the blend's command again, which writes it anew and trains nothing that is "
            "finished. Or copy it elsewhere, and submit the copy."
        )
    if is_run and record.config_sha256 != file_sha256(folder.config):
        raise UserError(
            f"{folder.config} was changed since {folder.submission} was written: the run that it names now is not "
            "finished, and the predictions are not its. Rerun the run's command to finish it. The earlier "
            "predictions are in submissions/, and can be submitted from there."
        )
    if record.incomplete:
        print(f"{folder.path} is not complete: {record.incomplete}", flush=True)
    return folder.read_config() if is_run else None
