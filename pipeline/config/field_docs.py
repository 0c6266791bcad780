"""The docstrings under the fields of a dataclass: help of its flags, comments of its literal."""

import ast
import inspect
import textwrap


def field_docs(kind: type) -> dict[str, str]:
    """What the docstring under each field of a class says, in one line, by the field's name."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    docs = {}
    for field, after in zip(definition.body, definition.body[1:], strict=False):  # type: ignore[attr-defined]
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(text.split())
    return docs
