"""What the code says about its enumerations: the string below each member, which no running program can see."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from enum import Enum

from documentation.markdown import code, table


def members_table(kind: type[Enum], header: str) -> str:
    """Every member's value with its meaning. Raises ``LookupError`` for one without."""
    meanings = _meanings(kind)
    missing = [member.name for member in kind if member.name not in meanings]
    if missing:
        raise LookupError(f"{kind.__qualname__}: write what these mean, in a string below each: {', '.join(missing)}")
    return table([header, "meaning"], [[code(str(member.value)), meanings[member.name]] for member in kind])


def _meanings(kind: type[Enum]) -> Mapping[str, str]:
    [definition] = ast.parse(inspect.getsource(kind)).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(f"{kind!r} is no class")
    found = {}
    for statement, below in zip(definition.body, definition.body[1:], strict=False):
        match statement, below:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                found[name] = text
    return found
