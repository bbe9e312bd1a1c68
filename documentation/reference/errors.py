"""The page of errors: the tree that errors.py draws, with the HTTP status of each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from documentation.markdown import code, page, table
from perdure import errors
from perdure.routes import problems

_INTRODUCTION = """
A refused request is answered with `application/problem+json` (RFC 9457). `code` is stable: programs may match on it.
`detail` is written for a person and says what to do next; it never repeats a secret, an address or the value that was
sent. `errors` lists each field that is wrong.

```json
{ "type": "urn:perdure:problem:validation_failed", "title": "Unprocessable Content", "status": 422,
  "detail": "priority: Input should be less than or equal to 100", "code": "validation_failed",
  "errors": [{ "field": "priority", "code": "less_than_equal", "message": "Input should be less than or equal to 100" }]
}
```

In Python, the client raises `PerdureAPIError` with the `status`, the `code` and the whole `problem`, and
`ServerUnreachable` when nobody answers.
"""
_OTHERS = """
Of HTTP itself: `no_such_route` (404) and `method_not_allowed` (405). Anything unforeseen is `internal_error` (500),
and the server's log has the cause.

Errors with status 500 end a process or a command; no request is answered with them.
"""


def render() -> str:
    rows = [[code(kind.code), code(kind.__name__), str(problems.status_of(kind)), meaning] for kind, meaning in _tree()]
    return page("Errors", _INTRODUCTION, table(["code", "class", "status", "meaning"], rows), _OTHERS)


def _tree() -> Iterator[tuple[type[errors.PerdureError], str]]:
    """Every error with the words that the drawing has for it, in its order."""
    meanings = dict(re.findall(r"^[│├└─ ]+(\w+) {2,}(.+)$", errors.__doc__ or "", re.MULTILINE))
    kinds = {kind.__name__: kind for kind in errors.tree()}
    missing = kinds.keys() - meanings.keys() - {errors.PerdureError.__name__}
    if missing:
        raise LookupError(f"errors.py: the drawing in the docstring lacks {', '.join(sorted(missing))}")
    return ((kinds[name], meaning) for name, meaning in meanings.items())
