"""The package as the one flat file that a Kaggle kernel can have.

The bundle is one import block, the config, then each module's own text under a banner, in the order of MODULES. That
works because the modules keep some rules, which are checked here: every breach is reported with its file and line.
"""

import ast
import builtins
import hashlib
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config import RunConfig, RunError, UserError, members, to_json, validate
from pipeline.paths import written_aside

# Imports point only upwards in this list.
MODULES = (
    "config", "paths", "csv_files", "data", "members", "progress", "device", "fusion", "activations",
    "normalization", "augment", "models", "trainer", "checkpoint", "train", "engine", "ensemble", "voters", "selection",
    "paired", "compare", "submission", "predictions", "figures", "report", "run", "kernel",
)  # fmt: skip
PACKAGE = Path(__file__).parent
BUNDLE = Path("build/kernel.py")
LARGEST = 300_000  # bytes; Kaggle takes about three times as much
MOST_FILES = 450  # in a kernel's output; Kaggle keeps 500
FILES_PER_MEMBER, OTHER_FILES = 6, 20
HASH_PLACEHOLDER = "0" * 64


@dataclass(frozen=True)
class _Module:
    """A module's source and its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module


def write_bundle(config: RunConfig, run_id: str = "") -> str:
    """Write build/kernel.py for a config; returns the hash that the bundle knows itself by.

    Raises:
        UserError: the config cannot run as a kernel.
        RunError: the package breaks a rule of bundling.
    """
    text, identity = bundle(config, run_id)
    BUNDLE.parent.mkdir(exist_ok=True)
    with written_aside(BUNDLE) as aside:
        aside.write_text(text, encoding="utf-8")
    return identity


def bundle(config: RunConfig, run_id: str = "") -> tuple[str, str]:
    """The bundle's text, the same for the same sources, config and run id, and its hash.

    Args:
        config: What the kernel runs.
        run_id: Marks the bundle of one push; empty when it is not pushed from here.

    Raises:
        UserError: the config cannot run as a kernel.
        RunError: the package breaks a rule of bundling.
    """
    check_config(config)
    modules = [_parse(PACKAGE / f"{name}.py") for name in MODULES]
    if breaches := [line for module in modules for line in _breaches(module)] + _name_clashes(modules):
        raise RunError("the package cannot be bundled:\n" + "\n".join(f"  - {line}" for line in breaches))
    parts = [
        _header(config, run_id),
        _import_block(modules),
        f'CONFIG = """\\\n{to_json(replace(config, out=None))}"""\n',
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
    count = len(members(config))
    most = (MOST_FILES - OTHER_FILES) // FILES_PER_MEMBER
    if count > most:
        raise UserError(
            f"the config has {count} members of {FILES_PER_MEMBER} files each, and Kaggle keeps 500 files of a kernel: "
            f"at most {most} members. Lower --seeds or --folds-used, or push several runs."
        )


def _parse(path: Path) -> _Module:
    text = path.read_text(encoding="utf-8")
    return _Module(path.stem, path, text, ast.parse(text, str(path)))


def _breaches(module: _Module) -> Iterator[str]:
    """What in a module would not work, or mean something else, in one flat file."""
    for node in module.tree.body:
        if not isinstance(
            node,
            ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign,
        ) and not _is_text(node):
            rule = "only imports, assignments, functions and classes at top level: nothing runs on import"
            yield _at(module, node, rule)
    yield from _import_breaches(module)


def _import_breaches(module: _Module) -> Iterator[str]:
    """What in a module's imports, or in its use of the file system, has no meaning in one flat file."""

    def at(node: ast.AST, problem: str) -> str:
        return _at(module, node, problem)

    earlier = MODULES[: MODULES.index(module.name)]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "pipeline":
                    yield at(node, f"import {alias.name}: write `from {alias.name} import name`")
                if alias.name.split(".")[0] == "pickle":
                    yield at(node, "no pickles: classes have another module's name in the bundle")
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield at(node, "relative import: write `from pipeline.x import name`")
            elif any(alias.name == "*" for alias in node.names):
                yield at(node, "import of *: name what is imported")
            elif _is_own(node):
                source = (node.module or "").removeprefix("pipeline").removeprefix(".")
                if source not in earlier:
                    yield at(
                        node, f"imports from {source or 'the package'}, which is not above {module.name} in MODULES"
                    )
                for alias in node.names:
                    if alias.asname:
                        yield at(node, f"{alias.name} as {alias.asname}: a flat file has no second names")
        elif isinstance(node, ast.Name) and node.id == "__file__":
            yield at(node, "__file__: the bundle has no files beside it")


def _at(module: _Module, node: ast.AST, problem: str) -> str:
    return f"{module.path}, line {getattr(node, 'lineno', 1)}: {problem}"


def _name_clashes(modules: list[_Module]) -> list[str]:
    """Top-level names that two modules use for different things."""
    meanings: dict[str, dict[str, str]] = defaultdict(dict)  # name -> what it stands for -> where
    for name in ("CONFIG", "IDENTITY"):
        meanings[name]["the bundle"] = "the bundle itself"
    for name in dir(builtins):
        meanings[name]["Python"] = "Python's own names"
    for module in modules:
        for node in module.tree.body:
            for name, meaning in _bound(node, module.name):
                meanings[name].setdefault(meaning, f"{module.path}, line {node.lineno}")
    return [
        f"{' and '.join(places.values())}: the name {name} is used for {len(places)} things; rename one"
        for name, places in meanings.items()
        if len(places) > 1
    ]


def _bound(node: ast.stmt, module: str) -> Iterator[tuple[str, str]]:
    """The names that a top-level statement binds, each with what it stands for."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, f"pipeline.{module}.{name}"
        case ast.Assign() | ast.AnnAssign():
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name):
                        yield part.id, f"pipeline.{module}.{part.id}"
        case ast.Import():
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0], alias.name if alias.asname else "package"
        case ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _import_block(modules: list[_Module]) -> str:
    """All imports of other packages, merged and sorted."""
    whole: set[str] = set()
    names: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.Import):
                whole |= {ast.unparse(ast.Import([alias])) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not _is_own(node):
                names[node.module or ""] |= {ast.unparse(alias) for alias in node.names}
    lines = [*sorted(whole), *(f"from {source} import {', '.join(sorted(names[source]))}" for source in sorted(names))]
    return "\n".join(lines) + "\n"


def _section(module: _Module) -> str:
    """A module's own text under a banner: without its imports, which are in the block or are in this file already."""
    dropped: set[int] = set()
    lines = module.text.splitlines()
    for node in ast.walk(module.tree):
        if node in module.tree.body and isinstance(node, ast.Import | ast.ImportFrom):
            dropped |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.ImportFrom) and _is_own(node):  # in a function, to load late
            first = node.lineno
            while first - 1 in dropped or lines[first - 2].lstrip().startswith("#"):
                first -= 1  # the comment that says why it loads late
            dropped |= set(range(first, (node.end_lineno or node.lineno) + 1))
    kept = "\n".join(line for number, line in enumerate(lines, 1) if number not in dropped)
    while "\n\n\n\n" in kept:
        kept = kept.replace("\n\n\n\n", "\n\n\n")
    banner = f"# {'=' * 20} pipeline/{module.name}.py {'=' * (84 - len(module.name))}"
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


def _is_own(node: ast.ImportFrom) -> bool:
    return (node.module or "").split(".")[0] == "pipeline"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
