"""The rules that let the modules of the package become one flat file; every breach with its file and line."""

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from pathlib import Path

from pipeline import STAGES
from pipeline.config.errors import RunError

LOCAL_STAGE = "kaggle"  # on the user's machine only


@dataclass(frozen=True)
class Module:
    """A module's source and its syntax tree."""

    name: str
    """Dotted, below the package, such as "config.schema"."""
    path: Path
    text: str
    tree: ast.Module

    @property
    def rank(self) -> int:
        """Position of its stage in the data flow; modules beside the stages come last."""
        stage = self.name.partition(".")[0]
        return STAGES.index(stage) if stage in STAGES else len(STAGES)

    @property
    def sources(self) -> set[str]:
        """Names of the modules that it imports from."""
        return {source_of(node) for node in own_imports(self.tree)}


def parse_module(package: Path, name: str) -> Module:
    """Read and parse a module of the package; `name` as in `Module`."""
    path = package / f"{name.replace('.', '/')}.py"
    text = path.read_text(encoding="utf-8")
    return Module(name, path, text, ast.parse(text, str(path)))


def needed_modules(package: Path, start: str) -> list[Module]:
    """A module and all that it needs of the package, directly or not; what can never be bundled is not followed.

    Args:
        package: The package's folder.
        start: Name of the module to begin with.
    """
    found: dict[str, Module] = {}
    names = [start]
    while names:
        name = names.pop()
        if name not in found:
            found[name] = parse_module(package, name)
            names += [source for source in found[name].sources if _is_there(package, source) and not _is_local(source)]
    return sorted(found.values(), key=lambda module: (module.rank, module.name))


def in_order(modules: Sequence[Module]) -> list[Module]:
    """Modules, each after those that it needs; where that leaves a choice, by stage, then by name.

    Raises:
        RunError: modules import each other in a circle.
    """
    by_name = {module.name: module for module in modules}
    sorter = TopologicalSorter({module.name: module.sources for module in modules})
    try:
        sorter.prepare()
    except CycleError as error:
        raise RunError(_circle(by_name, error.args[1][::-1])) from None
    ordered: list[Module] = []
    ready: list[tuple[int, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, (by_name[name].rank, name))
        _, name = heappop(ready)
        ordered.append(by_name[name])
        sorter.done(name)
    return ordered


def _circle(modules: Mapping[str, Module], names: Sequence[str]) -> str:
    """What is wrong with modules of which each imports from the next, the last being the first again."""
    first, second = modules[names[0]], names[1]
    node = next(node for node in own_imports(first.tree) if source_of(node) == second)
    return _at(first, node, f"modules import each other in a circle: {' -> '.join(names)}")


def _is_there(package: Path, name: str) -> bool:
    return (package / f"{name.replace('.', '/')}.py").is_file()


def _is_local(name: str) -> bool:
    return name.partition(".")[0] == LOCAL_STAGE


def own_imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    """Imports of names from modules of the package, also those inside functions; not of the package's own names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("pipeline."):
            yield node


def source_of(node: ast.ImportFrom) -> str:
    """The module that one of `own_imports` imports from, named as in `Module`."""
    return (node.module or "").removeprefix("pipeline.")


def breaches(package: Path, modules: Sequence[Module]) -> list[str]:
    """What in the bundled modules would not work, or mean something else, in one flat file; a line each."""
    found = [
        line
        for module in modules
        for line in (*_statement_breaches(module), *_import_breaches(package, module), *order_breaches(module))
    ]
    return found + _name_clashes(modules)


def order_breaches(module: Module) -> Iterator[str]:
    """A module's imports from stages that come after its own in the data flow."""
    for node in own_imports(module.tree):
        stage = source_of(node).partition(".")[0]
        if stage in STAGES and STAGES.index(stage) > module.rank:
            own = STAGES[module.rank]
            yield _at(module, node, f"imports from {node.module}: {stage} comes after {own} in STAGES")
        elif stage not in STAGES and module.rank < len(STAGES):
            own = STAGES[module.rank]
            yield _at(module, node, f"imports from {node.module}, which stands on top of the stages, {own} among them")


def _statement_breaches(module: Module) -> Iterator[str]:
    """What at a module's top level would run on import."""
    for node in module.tree.body:
        if not isinstance(
            node,
            ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign,
        ) and not _is_text(node):
            rule = "only imports, assignments, functions and classes at top level: nothing runs on import"
            yield _at(module, node, rule)


def _import_breaches(package: Path, module: Module) -> Iterator[str]:
    """What in a module's imports, or in its use of the file system, has no meaning in one flat file."""

    def at(node: ast.AST, problem: str) -> str:
        return _at(module, node, problem)

    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "pipeline":
                    yield at(node, f"import {alias.name}: write `from {alias.name} import name`")
                if alias.name.split(".")[0] == "pickle":
                    yield at(node, "no pickles: classes have another module's name in the bundle")
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield at(node, "relative import: write `from pipeline.x.y import name`")
            elif any(alias.name == "*" for alias in node.names):
                yield at(node, "import of *: name what is imported")
            elif is_own(node):
                source = source_of(node)
                if source == "pipeline":
                    yield at(node, "imports from the package itself: write `from pipeline.x.y import name`")
                elif _is_local(source):
                    yield at(node, f"imports from {node.module}, which is never in the bundle: it works locally only")
                elif not _is_there(package, source):
                    yield at(node, f"there is no module {node.module}")
                for alias in node.names:
                    if alias.asname:
                        yield at(node, f"{alias.name} as {alias.asname}: a flat file has no second names")
        elif isinstance(node, ast.Name) and node.id == "__file__":
            yield at(node, "__file__: the bundle has no files beside it")


def is_own(node: ast.ImportFrom) -> bool:
    """Whether an import is from the package."""
    return (node.module or "").split(".")[0] == "pipeline"


def _at(module: Module, node: ast.AST, problem: str) -> str:
    return f"{module.path}, line {getattr(node, 'lineno', 1)}: {problem}"


def _name_clashes(modules: Sequence[Module]) -> list[str]:
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


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
