"""Where a submission comes from: only what a run or a blend recorded is sent under its name."""

from pipeline.config.errors import UserError
from pipeline.config.schema import RunConfig
from pipeline.records.atomic import file_sha256
from pipeline.records.blend_record import read_blend
from pipeline.records.outcome import read_outcome
from pipeline.records.run_folder import RunFolder


def config_of(folder: RunFolder, sha256: str) -> RunConfig | None:
    """The config of the run that wrote a folder's submission; None where no run did. Prints what did not vote.

    Args:
        folder: A run's folder, a blend's, or another.
        sha256: Of its submission.

    Raises:
        UserError: the submission is not what the run or the blend recorded.
    """
    if folder.blend.exists():
        _check_blend(folder, sha256)
    return _run_config(folder, sha256) if folder.config.exists() else None


def _run_config(folder: RunFolder, sha256: str) -> RunConfig:
    """The config of a run, if it is the one that its submission was written under.

    Raises:
        UserError: the submission or the config was changed since.
    """
    outcome = read_outcome(folder)
    if outcome and outcome.submission_sha256 != sha256:
        raise UserError(
            f"{folder.submission} is not what the run wrote: it was changed since. Rerun the run's command, which "
            "writes it anew and trains nothing that is finished. Or copy it elsewhere, and submit the copy."
        )
    if outcome and outcome.config_sha256 != file_sha256(folder.config):
        raise UserError(
            f"{folder.config} was changed since {folder.submission} was written: the run that it names now is not "
            "finished, and the predictions are not its. Rerun the run's command to finish it. The earlier "
            "predictions are in submissions/, and can be submitted from there."
        )
    if outcome and outcome.is_partial:
        print(f"{folder.path} is not complete: {outcome.voters} of {outcome.members} members voted", flush=True)
    return folder.read_config()


def _check_blend(folder: RunFolder, sha256: str) -> None:
    """Say what a blend lacks; raise a UserError if its submission is not the one that was recorded."""
    blend = read_blend(folder)
    if blend.submission_sha256 != sha256:
        raise UserError(
            f"{folder.submission} is not what {folder.blend} records: it was changed since, or the blend was cut off. "
            "Blend the runs again. Or copy it elsewhere, and submit the copy."
        )
    if blend.missing:
        have = blend.networks
        print(f"{folder.path} is not complete: {have} of {have + blend.missing} networks voted", flush=True)
