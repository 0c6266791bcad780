"""The rules that let the package's modules become one flat file; each breach is named by file and line."""

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import STAGES
from pipeline.kaggle.bundle_modules import Module, at_line, is_local, is_own, is_there, own_imports, source_of


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
            yield at_line(module, node, f"imports from {node.module}: {stage} comes after {own} in STAGES")
        elif stage not in STAGES and module.rank < len(STAGES):
            own = STAGES[module.rank]
            yield at_line(
                module, node, f"imports from {node.module}, which stands on top of the stages, {own} among them"
            )


def _statement_breaches(module: Module) -> Iterator[str]:
    """What at a module's top level would run on import."""
    for node in module.tree.body:
        if not isinstance(
            node,
            ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign,
        ) and not _is_text(node):
            rule = "only imports, assignments, functions and classes at top level: nothing runs on import"
            yield at_line(module, node, rule)


def _import_breaches(package: Path, module: Module) -> Iterator[str]:
    """What in a module's imports, or in its use of the file system, has no meaning in one flat file."""

    def at(node: ast.AST, problem: str) -> str:
        return at_line(module, node, problem)

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
                elif is_local(source):
                    yield at(node, f"imports from {node.module}, which is never in the bundle: it works locally only")
                elif not is_there(package, source):
                    yield at(node, f"there is no module {node.module}")
                for alias in node.names:
                    if alias.asname:
                        yield at(node, f"{alias.name} as {alias.asname}: a flat file has no second names")
        elif isinstance(node, ast.Name) and node.id == "__file__":
            yield at(node, "__file__: the bundle has no files beside it")


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
