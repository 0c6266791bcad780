"""One file for Kaggle, because a kernel has only one: a head, a loader, and the package word for word.

The head is for people: what the file is, and CONFIG, which they may change. The loader writes the modules that follow
it to a temporary folder and runs the package from there, so nothing below it is ever executed in place: an error, a
worker process and a saved network are those of the package.
"""

import ast
import hashlib
import json
import re
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pipeline import STAGES
from pipeline.config.config_json import NOT_IN_A_KERNEL, from_literal, to_json
from pipeline.config.errors import RunError, UserError
from pipeline.config.field_docs import field_docs
from pipeline.config.places import make_folder, runs_folder
from pipeline.config.rules import validate
from pipeline.config.schema import AugmentConfig, DeviceKind, Recipe, RunConfig, TrainConfig, member_specs
from pipeline.kaggle.metadata import CODE_FILE, METADATA, KernelMetadata
from pipeline.records.atomic import atomic_replace, atomic_write_json

PACKAGE = Path(__file__).parents[1]
MODULES_ON_TOP = ("__init__.py", "run.py", "kernel.py")
# The stage for this machine only, and what trains on several machines.
LEFT_OUT = ("kaggle/", "training/cluster.py", "training/nodes.py", "training/ray_connection.py")
CONFIG_TYPES = (RunConfig, Recipe, AugmentConfig, TrainConfig)
LARGEST = 900_000  # bytes; Kaggle takes 1 MB
MOST_FILES = 450  # in a kernel's output; Kaggle keeps 500
FILES_PER_MEMBER, OTHER_FILES = 6, 20
HASH = re.compile(r"[0-9a-f]{64}")
HASH_PLACEHOLDER = "0" * 64
WIDTH = 120

HEAD = '''\
"""ReLU and Swish on Digit Recognizer: the run "{name}", as one file.

As a Kaggle script it needs the competition's data attached, and no internet. Elsewhere: `python kernel.py` in a folder
that has the data in data/. It writes submission.csv, report.html and the run's folder, runs/NAME-RECIPE, to the working
directory; started there again, it resumes.

To change what it trains, edit CONFIG: "arms" are the activations, "seeds" the networks of each, "epochs" their length.
The time grows with arms x seeds x epochs: {minutes}
The log says how long yours should take; it is cut off after "hours", and what is finished then votes.

Below CONFIG stand a loader and the package pipeline/, word for word: an edit there takes effect, too.
"""

IDENTITY = {identity}

CONFIG = {config}
'''

MINUTES = "leaderboard's 2 x 3 x 30 train for 2 to 3 minutes on two T4s (estimated)."

LOADER = """
# The loader. It deletes __file__, or every worker process would begin by running this file again.
import os, re, sys, tempfile
from pathlib import Path

if "__file__" not in globals():
    raise SystemExit(
        "error: this program reads its own file, and a notebook's cell has none. Begin the cell with the line "
        "%%writefile kernel.py, run it, and start it in the next cell with: !python kernel.py"
    )
print("bundle:", IDENTITY, flush=True)  # first: it tells this log from others
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    parts = re.split(r"^# =+ (pipeline/\\S+) =+\\n", Path(__file__).read_text("utf-8"), flags=re.MULTILINE)
    for name, text in zip(parts[1::2], parts[2::2]):
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_text(text, "utf-8")
    del __file__
    sys.path.insert(0, folder)
    from pipeline.kernel import main

    raise SystemExit(main(CONFIG, IDENTITY))

"""


def write_bundle(folder: Path, config: RunConfig, metadata: KernelMetadata, run_id: str = "") -> str:
    """Write kernel.py and its metadata to a folder, for `kaggle kernels push -p FOLDER`; arguments as of `bundle`.

    Returns:
        The hash that the bundle carries of itself.

    Raises:
        UserError: the config cannot run as a kernel; nothing is written.
        RunError: the bundle is too large.
    """
    text, sha256 = bundle(config, run_id, metadata.accelerator)
    make_folder(folder)
    with atomic_replace(folder / CODE_FILE.name) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    fields = {name: value for name, value in asdict(metadata).items() if value is not None}
    atomic_write_json(folder / METADATA.name, fields | {"code_file": CODE_FILE.name})
    return sha256


def bundle(config: RunConfig, run_id: str = "", accelerator: DeviceKind = "auto") -> tuple[str, str]:
    """The bundle's text and its hash; both are the same for the same sources and arguments.

    Args:
        config: What the kernel runs.
        run_id: Marks the bundle of one push; empty if `kaggle kernels push` will send it.
        accelerator: What kernel-metadata.json asks for. The kernel ends at once if it does not get it.

    Raises:
        UserError: the config cannot run as a kernel.
        RunError: the bundle is too large.
    """
    check_config(config)
    config = replace(config, device=_device(config.device, accelerator))
    identity = {"commit": _commit(), "run_id": run_id, "bundle_sha256": HASH_PLACEHOLDER}
    head = HEAD.format(name=config.name, minutes=MINUTES, identity=repr(identity), config=config_literal(config))
    text = "".join([head, LOADER, *(_section(path) for path in modules())])
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    text = text.replace(HASH_PLACEHOLDER, sha256, 1)
    if (size := len(text.encode())) > LARGEST:
        raise RunError(f"the bundle is {size:,} bytes, over the {LARGEST:,} that it may have. Shorten the package.")
    return text, sha256


def check_config(config: RunConfig) -> None:
    """Raise a UserError if a config is unsound, names places of this machine, or leaves too many files."""
    validate(config)
    if config.data not in ("auto", "sample"):
        raise UserError(
            f"--data {config.data} is a place on this machine; a kernel finds the competition's data by itself. "
            "Leave --data out."
        )
    if config.out is not None:
        raise UserError(f"--out {config.out}: a kernel's run gets its folder under {runs_folder()}/. Leave --out out.")
    if config.engine != "local":
        raise UserError(
            f"--engine {config.engine}: a kernel is one machine, which trains by itself. Leave --engine out."
        )
    count = len(member_specs(config))
    most = (MOST_FILES - OTHER_FILES) // FILES_PER_MEMBER
    if count > most:
        raise UserError(
            f"the config has {count} networks of {FILES_PER_MEMBER} files each, and Kaggle keeps 500 files of a "
            f"kernel: at most {most} networks. Lower --seeds or --folds-used, or push several runs."
        )


def modules() -> list[Path]:
    """The modules that a kernel consists of, in the order of the data flow."""
    stages = [path for stage in STAGES for path in sorted((PACKAGE / stage).rglob("*.py"))]
    kept = [path for path in stages if not path.relative_to(PACKAGE).as_posix().startswith(LEFT_OUT)]
    if odd := [path for path in kept if not path.stem.isidentifier()]:
        raise UserError(f"{odd[0]} has a name that no module can have. Remove it, or name it otherwise.")
    return [PACKAGE / MODULES_ON_TOP[0], *kept, *(PACKAGE / name for name in MODULES_ON_TOP[1:])]


def config_literal(config: RunConfig) -> str:
    """A config as a dict in Python's own words, one field a line, each with what it means."""
    content = {name: value for name, value in json.loads(to_json(config)).items() if name not in NOT_IN_A_KERNEL}
    comments = {name: text for kind in CONFIG_TYPES for name, text in field_docs(kind).items()}
    return "\n".join(["{", *_field_lines(content, comments, " " * 4), "}"])


def _field_lines(content: Mapping[str, Any], comments: Mapping[str, str], indent: str) -> Iterator[str]:
    for name, value in sorted(content.items(), key=lambda item: isinstance(item[1], dict)):  # nested ones last
        if isinstance(value, dict):
            yield f'{indent}"{name}": {{'
            yield from _field_lines(value, comments, indent + " " * 4)
            yield indent + "},"
            continue
        literal = json.dumps(value) if isinstance(value, str | list) else repr(value)
        line, comment = f'{indent}"{name}": {literal},', comments[name]
        if len(line) + len(comment) + 4 > WIDTH:  # its first sentence says what it is
            comment = comment.partition(". ")[0].removesuffix(".") + "."
        if len(line) + len(comment) + 4 <= WIDTH:
            yield f"{line}  # {comment}"
        else:
            yield from textwrap.wrap(comment, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
            yield line


def read_bundle(source: str, where: str) -> tuple[RunConfig, str]:
    """The config at the top of a bundle, as somebody may have edited it, and its hash; nothing of it is executed.

    Raises:
        UserError: it is no bundle; `where` names it.
    """
    found = {}
    try:
        for node in ast.parse(source.partition("\n# ====")[0]).body:
            match node:
                case ast.Assign(targets=[ast.Name(id="CONFIG" | "IDENTITY" as name)], value=value):
                    found[name] = ast.literal_eval(value)
        sha256, content = str(found["IDENTITY"]["bundle_sha256"]), found["CONFIG"]
        if not HASH.fullmatch(sha256):
            raise ValueError("no hash")
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError):
        raise UserError(f"{where} is not what `python -m pipeline bundle` or `push` makes.") from None
    return from_literal(content, f"CONFIG in {where}"), sha256


def _section(path: Path) -> str:
    name = f"pipeline/{path.relative_to(PACKAGE).as_posix()}"
    text = path.read_text(encoding="utf-8")
    return f"# {'=' * 20} {name} {'=' * (WIDTH - 24 - len(name))}\n{text}" + "\n" * (not text.endswith("\n"))


def _device(wanted: DeviceKind, accelerator: DeviceKind) -> DeviceKind:
    """The device that a kernel has to compute on."""
    if wanted in ("gpu", "tpu") and wanted != accelerator:
        other, shape = ("tpu", "NvidiaTeslaT4") if wanted == "gpu" else ("gpu", "TpuV5E8")
        raise UserError(
            f"--device {wanted}, but kernel-metadata.json asks for no {wanted.upper()}. Set enable_{wanted} there to "
            f"true, enable_{other} to false, and machine_shape to {shape}."
        )
    return accelerator if wanted == "auto" else wanted


def _commit() -> str:
    """The commit that the package is at, and whether it was changed since."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + (" with changes" if _git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()
