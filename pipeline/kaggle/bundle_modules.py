"""Parse the package's modules, and order them so that each comes after those that it needs."""

import ast
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
    """A module and all modules that it needs, directly or not, except those that are never bundled.

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
            names += [source for source in found[name].sources if is_there(package, source) and not is_local(source)]
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
    return at_line(first, node, f"modules import each other in a circle: {' -> '.join(names)}")


def is_there(package: Path, name: str) -> bool:
    """Whether the package has a module of that name."""
    return (package / f"{name.replace('.', '/')}.py").is_file()


def is_local(name: str) -> bool:
    """Whether a module is of the stage that is never bundled."""
    return name.partition(".")[0] == LOCAL_STAGE


def own_imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    """Imports of names from modules of the package, also those inside functions; not of the package's own names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("pipeline."):
            yield node


def source_of(node: ast.ImportFrom) -> str:
    """The module that one of `own_imports` imports from, named as in `Module`."""
    return (node.module or "").removeprefix("pipeline.")


def is_own(node: ast.ImportFrom) -> bool:
    """Whether an import is from the package."""
    return (node.module or "").split(".")[0] == "pipeline"


def at_line(module: Module, node: ast.AST, problem: str) -> str:
    """A problem with where it is: file and line."""
    return f"{module.path}, line {getattr(node, 'lineno', 1)}: {problem}"
