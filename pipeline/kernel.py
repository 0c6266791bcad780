"""What a Kaggle kernel does around a run: log the machine, run, put the results where Kaggle shows them.

The last module of the bundle. Its working directory is all that survives of a kernel, and a kernel has no arguments.
"""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.config.config_json import from_json
from pipeline.config.schema import digest
from pipeline.network.accelerator import listed_gpus
from pipeline.records.atomic import atomic_replace, atomic_write_json, file_sha256
from pipeline.records.run_folder import RECEIPT
from pipeline.run import main

PACKAGES = ("tensorflow", "keras", "jax", "numpy", "pandas", "scikit-learn", "scipy", "matplotlib", "pydantic", "rich")


def run_kernel(config_json: str, identity: dict[str, str]) -> None:
    """Carry out the run of a bundle in the working directory, and leave a receipt of all that it wrote.

    Args:
        config_json: The run's config.
        identity: Which bundle this is: commit, run id and hash; goes into the receipt.

    Raises:
        UserError: the config or the data is not sound.
        RunError: not one member could be trained.
    """
    for line in [f"bundle: {identity}", *describe_machine()]:
        print(line, flush=True)
    config = from_json(config_json, "CONFIG, at the top of this kernel,")
    folder = main(config)
    shutil.rmtree(folder.all_checkpoints, ignore_errors=True)
    results = []
    for path in (folder.submission, folder.report):
        results.append(Path(path.name))
        with atomic_replace(results[-1]) as temporary:
            shutil.copyfile(path, temporary)
    written = [*results, *(path for path in sorted(folder.path.rglob("*")) if path.is_file() and path != folder.lock)]
    # Last, so that whoever fetches the output can tell that it is whole, and of which push.
    atomic_write_json(
        Path(RECEIPT),
        {
            **identity,
            "name": config.name,
            "config_digest": digest(config),
            "folder": folder.path.as_posix(),
            "sha256": {path.as_posix(): file_sha256(path) for path in written},
        },
    )


def describe_machine() -> list[str]:
    """Versions and hardware, one line each; loads nothing that would take hold of a GPU."""
    lines = [
        f"python {platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores",
        "packages: " + ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
    ]
    return lines + (listed_gpus() or ["no NVIDIA GPU"])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
