"""Turn the package into one flat file, because a Kaggle kernel has only one.

The file is an import block, the config, and then the text of `kernel` and of all modules that it needs. Each module
stands under a banner, after those that it imports from. That works because the modules keep the rules of
`bundle_rules`.
"""

import ast
import hashlib
import subprocess
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from pipeline.config.config_json import to_json
from pipeline.config.errors import RunError, UserError
from pipeline.config.places import make_folder
from pipeline.config.rules import validate
from pipeline.config.schema import DeviceKind, RunConfig, member_specs
from pipeline.device.accelerator import device_environment
from pipeline.kaggle.bundle_modules import Module, in_order, is_own, needed_modules
from pipeline.kaggle.bundle_rules import breaches
from pipeline.records.atomic import atomic_replace

PACKAGE = Path(__file__).parents[1]
MAIN_MODULE = "kernel"
BUNDLE = Path("build/kernel.py")
LARGEST = 600_000  # bytes; Kaggle takes 1 MB
MOST_FILES = 450  # in a kernel's output; Kaggle keeps 500
FILES_PER_MEMBER, OTHER_FILES = 6, 20
HASH_PLACEHOLDER = "0" * 64


def write_bundle(config: RunConfig, run_id: str = "", accelerator: DeviceKind = "auto") -> str:
    """Write build/kernel.py; arguments as of `bundle`. Returns the hash that the bundle carries of itself.

    Raises:
        UserError: the config cannot run as a kernel.
        RunError: the package breaks a rule of bundling.
    """
    text, identity = bundle(config, run_id, accelerator)
    make_folder(BUNDLE.parent)
    with atomic_replace(BUNDLE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return identity


def bundle(config: RunConfig, run_id: str = "", accelerator: DeviceKind = "auto") -> tuple[str, str]:
    """The bundle's text and its hash; both are the same for the same sources and arguments.

    Args:
        config: What the kernel runs.
        run_id: Marks the bundle of one push; empty if `kaggle kernels push` will send it.
        accelerator: What kernel-metadata.json asks for. The kernel ends at once if it does not get it.

    Raises:
        UserError: the config cannot run as a kernel.
        RunError: the package breaks a rule of bundling.
    """
    check_config(config)
    config = replace(config, out=None, device=_device(config.device, accelerator))
    modules = needed_modules(PACKAGE, MAIN_MODULE)
    if broken := breaches(PACKAGE, modules):
        raise RunError("the package cannot be bundled:\n" + "\n".join(f"  - {line}" for line in broken))
    modules = in_order(modules)
    parts = [
        _header(config, run_id),
        *_backend_choice(config),
        _import_block(modules),
        f'CONFIG = """\\\n{to_json(config)}"""\n',
        *(_section(module) for module in modules),
        'if __name__ == "__main__":\n    run_kernel(CONFIG, IDENTITY)\n',
    ]
    text = "\n\n".join(parts)
    compile(text, str(BUNDLE), "exec")
    identity = hashlib.sha256(text.encode()).hexdigest()
    text = text.replace(HASH_PLACEHOLDER, identity, 1)
    if (size := len(text.encode())) > LARGEST:
        raise RunError(f"the bundle is {size:,} bytes, over the {LARGEST:,} that it may have. Shorten the package.")
    return text, identity


def check_config(config: RunConfig) -> None:
    """Raise a UserError if a config is unsound, names places of this machine, or leaves too many files."""
    validate(config)
    if config.data not in ("auto", "sample"):
        raise UserError(
            f"--data {config.data} is a place on this machine; a kernel finds the competition's data by itself. "
            "Leave --data out."
        )
    if config.engine != "local":
        raise UserError(
            f"--engine {config.engine}: a kernel is one machine, which trains by itself. Leave --engine out."
        )
    count = len(member_specs(config))
    most = (MOST_FILES - OTHER_FILES) // FILES_PER_MEMBER
    if count > most:
        raise UserError(
            f"the config has {count} members of {FILES_PER_MEMBER} files each, and Kaggle keeps 500 files of a kernel: "
            f"at most {most} members. Lower --seeds or --folds-used, or push several runs."
        )


def _device(wanted: DeviceKind, accelerator: DeviceKind) -> DeviceKind:
    """The device that a kernel has to compute on."""
    if wanted in ("gpu", "tpu") and wanted != accelerator:
        raise UserError(
            f"--device {wanted}, but kernel-metadata.json asks for no {wanted.upper()}. "
            f"Set enable_{wanted} there to true."
        )
    return accelerator if wanted == "auto" else wanted


def _backend_choice(config: RunConfig) -> list[str]:
    """The statements that choose Keras's backend: a kernel has no environment to set. None for the default."""
    backend = device_environment(config.device, config.backend).get("KERAS_BACKEND")
    return [f'import os\n\nos.environ["KERAS_BACKEND"] = "{backend}"  # before Keras is imported\n'] if backend else []


def _import_block(modules: list[Module]) -> str:
    """All imports of other packages, merged and sorted."""
    whole: set[str] = set()
    names: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.Import):
                whole |= {ast.unparse(ast.Import([alias])) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not is_own(node):
                names[node.module or ""] |= {ast.unparse(alias) for alias in node.names}
    lines = [*sorted(whole), *(f"from {source} import {', '.join(sorted(names[source]))}" for source in sorted(names))]
    return "\n".join(lines) + "\n"


def _section(module: Module) -> str:
    """A module's own text under a banner: without its imports, which are in the block or are in this file already."""
    dropped: set[int] = set()
    lines = module.text.splitlines()
    for node in ast.walk(module.tree):
        if node in module.tree.body and isinstance(node, ast.Import | ast.ImportFrom):
            dropped |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.ImportFrom) and is_own(node):  # in a function, to load late
            first = node.lineno
            while first - 1 in dropped or lines[first - 2].lstrip().startswith("#"):
                first -= 1  # the comment that says why it loads late
            dropped |= set(range(first, (node.end_lineno or node.lineno) + 1))
    kept = "\n".join(line for number, line in enumerate(lines, 1) if number not in dropped)
    while "\n\n\n\n" in kept:
        kept = kept.replace("\n\n\n\n", "\n\n\n")
    banner = f"# {'=' * 20} pipeline/{module.name.replace('.', '/')}.py {'=' * (84 - len(module.name))}"
    return f"{banner}\n\n{kept.strip()}\n"


def _header(config: RunConfig, run_id: str) -> str:
    identity = {"commit": _commit(), "run_id": run_id, "bundle_sha256": HASH_PLACEHOLDER}
    return (
        f'"""ReLU and Swish on Digit Recognizer: the run "{config.name}", as one file.\n\n'
        "Made by `python -m pipeline bundle` from the modules of pipeline/; change those, not this. As a Kaggle\n"
        "kernel it needs the competition's data attached, and no internet. Elsewhere: `python kernel.py` in a folder\n"
        "that has the data in data/. It writes submission.csv, report.html and the run's folder, runs/NAME-RECIPE, to\n"
        "the working directory; started there again, it resumes.\n"
        f'"""\n\nIDENTITY = {identity!r}\n'
    )


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
