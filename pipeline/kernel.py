"""What a Kaggle kernel does around a run: log the machine, run, put the results where Kaggle shows them.

A bundle's loader starts it. Its working directory is all that survives of a kernel, and a kernel has no arguments.
"""

import platform
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.config.config_json import from_literal
from pipeline.config.errors import RunError, StoppedError, UserError
from pipeline.config.schema import RunConfig
from pipeline.device.accelerator import listed_gpus
from pipeline.device.host import cores, installed_version
from pipeline.records.atomic import atomic_replace, atomic_write_json, file_sha256
from pipeline.records.run_folder import RECEIPT, RunFolder
from pipeline.run import main as run

# Of the 12 and, on a TPU, 9 hours that Kaggle gives a kernel; the rest is for the vote and the report.
HOURS, TPU_HOURS = 11.5, 8.5
PACKAGES = ("tensorflow", "keras", "jax", "numpy", "pandas", "scikit-learn", "scipy", "matplotlib", "pydantic", "rich")


def main(content: object, identity: Mapping[str, str]) -> None:
    """Carry out the run of a bundle; a failure ends the process with its message, and the kernel with ERROR.

    Args:
        content: The bundle's CONFIG.
        identity: Which bundle this is: commit, run id and hash.
    """
    try:
        run_kernel(content, identity)
    except (UserError, RunError, OSError) as error:
        raise SystemExit(f"error: {error}") from None


def run_kernel(content: object, identity: Mapping[str, str]) -> None:
    """Carry out the run of a bundle in the working directory, and leave a receipt of all that it wrote.

    A kernel that Kaggle ends before leaves its finished members, and the submission that the whole pairs among them
    voted for.

    Args:
        content: The run's config, as `from_literal` takes it; without hours, it has what Kaggle gives a kernel.
        identity: Which bundle this is; goes into the receipt.

    Raises:
        UserError: the config or the data is not sound.
        RunError: not one member could be trained, or the disk is full.
        StoppedError: SIGTERM ended the training; what was finished has voted.
    """
    for line in describe_machine():
        print(line, flush=True)
    config = from_literal(content, "CONFIG, at the top of this kernel,")
    ending = run(replace(config, hours=kernel_hours(config)), publish=lambda folder: _copy_here(folder.submission))
    _leave_receipt(ending.folder, identity)
    if ending.stopped:
        raise StoppedError(ending.stopped)


def kernel_hours(config: RunConfig) -> float:
    """Hours for the training in a kernel: the config's, or what Kaggle gives its accelerator."""
    return config.hours or (TPU_HOURS if config.device == "tpu" else HOURS)


def _copy_here(path: Path) -> None:
    """Copy a result to where Kaggle looks for it."""
    with atomic_replace(Path(path.name)) as temporary:
        shutil.copyfile(path, temporary)


def _leave_receipt(folder: RunFolder, identity: Mapping[str, str]) -> None:
    """Copy the results to the working directory, and list all that was written, with hashes.

    Last, so that whoever fetches the output can tell that it is whole, and of which push.
    """
    shutil.rmtree(folder.all_checkpoints, ignore_errors=True)
    shown = (folder.submission, folder.report)
    for path in shown:
        _copy_here(path)
    written = [Path(path.name) for path in shown]
    written += [path for path in sorted(folder.path.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    atomic_write_json(
        Path(RECEIPT),
        {
            **identity,
            "folder": folder.path.as_posix(),
            "sha256": {path.as_posix(): file_sha256(path) for path in written},
        },
    )


def describe_machine() -> list[str]:
    """Versions and hardware, one line each; loads nothing that would take hold of a GPU."""
    lines = [
        f"python {platform.python_version()} on {platform.platform()}, {cores()} cores",
        "packages: " + ", ".join(f"{name} {installed_version(name)}" for name in PACKAGES),
    ]
    return lines + (listed_gpus() or ["no NVIDIA GPU"])
