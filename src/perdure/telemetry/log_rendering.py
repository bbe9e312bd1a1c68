"""How a line is written: as JSON, or for a console that nothing in a line can steer.

What users' code logs, and the messages of the errors it raises, come through here as they are. In JSON every control
character is escaped by the format itself; on a console it is escaped here, so that a line stays one line and cannot
move the cursor, change colours or hide its neighbours. Only a traceback takes more lines.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

LINE_NAME = "msg"
"""The key that names a line; ``event`` is left to the events of jobs."""
JOB_EVENT = "_event"
"""What is written as ``event``."""

_EXTRA = structlog.stdlib.ExtraAdder()


def renderers(*, as_console: bool) -> list[Any]:
    """The last processors of a line."""
    renaming = structlog.processors.EventRenamer(LINE_NAME, replace_by=JOB_EVENT)
    if not as_console:
        return [renaming, structlog.processors.JSONRenderer()]
    # Plain tracebacks: the richer ones show the values of variables, and those may be secrets.
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        event_key=LINE_NAME,
        exception_formatter=structlog.dev.plain_traceback,
    )
    return [renaming, make_harmless, console]


def make_harmless(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Escapes whatever is not printable in the line's texts."""
    return {_escaped(key): _traceback(value) if key == "exception" else _text(value) for key, value in line.items()}


def add_extra(logger: Any, method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """The ``extra`` of the standard library's calls; one of them may be called ``event``, like the line's own name."""
    name = line["event"]
    _EXTRA(logger, method, line)
    line.pop("color_message", None)  # uvicorn's message once more, with colours
    if line["event"] is not name:
        line[JOB_EVENT], line["event"] = line["event"], name
    return line


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return _escaped(value)
    return value if (text := repr(value)).isprintable() else _escaped(text)


def _traceback(text: Any) -> str:
    return "\n".join(_escaped(line.expandtabs()) for line in str(text).split("\n"))


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
