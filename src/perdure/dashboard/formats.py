"""How values are written on a page: short, aligned, and exact where one looks closer. Filters of the templates."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_BYTES = ("B", "kB", "MB", "GB", "TB")
_THOUSANDS = ("", "k", "M", "G")


def number(value: float) -> str:
    """With separators: ``12,345``."""
    return f"{value:,.0f}"


def compact(value: float) -> str:
    """Three digits at most: ``12.3k``."""
    for unit in _THOUSANDS:
        if abs(value) < 999.5 or unit == _THOUSANDS[-1]:
            digits = 0 if unit == "" or abs(value) >= 99.95 else 1
            return f"{value:.{digits}f}".removesuffix(".0") + unit
        value /= 1_000
    raise AssertionError  # pragma: no cover


def percent(part: float, whole: float) -> str:
    """One digit behind the point below ten: ``0.4 %``. Of nothing, a dash."""
    if not whole:
        return NOTHING
    share = 100 * part / whole
    return f"{share:.1f} %" if 0 < share < 10 else f"{share:.0f} %"


def duration(seconds: float | None) -> str:  # noqa: PLR0911 (a way to say it for each size)
    """Two units at most: ``340 ms``, ``1.2 s``, ``2 min 5 s``, ``3 h 12 min``, ``4 d 2 h``."""
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1_000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def rough(seconds: float) -> str:
    """One unit: ``3 min``."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h"
    return f"{seconds // _DAY:.0f} d"


def relative(at: datetime, now: datetime) -> str:
    """``3 min ago``, ``in 2 h``; the script ``times.js`` says it in the same words, and keeps it true."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{rough(seconds)} ago" if seconds > 0 else f"in {rough(-seconds)}"


def exact(at: datetime) -> str:
    return f"{at.astimezone(UTC):%a %d %b %Y, %H:%M:%S} UTC"


def clock(at: datetime) -> str:
    """The time of day, to the millisecond, as in a log."""
    return f"{at.astimezone(UTC):%H:%M:%S}.{at.microsecond // 1_000:03}"


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def size(count: int) -> str:
    """``1.2 MB``."""
    value = float(count)
    for unit in _BYTES:
        if value < 999.5 or unit == _BYTES[-1]:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1_000
    raise AssertionError  # pragma: no cover


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def with_code(text: str) -> Markup:
    """A sentence of ours, with what stands between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # somebody else's text in it has one
        return Markup("{}").format(text)
    code, plain = Markup("<code>{}</code>"), Markup("{}")
    return Markup("").join((code if odd % 2 else plain).format(one) for odd, one in enumerate(parts))


def as_json(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


_JSON_PARTS = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*")(?=:) | (?P<text>"(?:[^"\\]|\\.)*") | (?P<word>\b(?:true|false|null)\b)
      | (?P<number>-?\d[\d.eE+-]*)""",
    re.VERBOSE,
)


def json_marks(text: str) -> Markup:
    """JSON with its keys, texts, numbers and words in colours of their own; what is in it stays text."""
    shown, end = Markup(""), 0
    for part in _JSON_PARTS.finditer(text):
        shown += text[end : part.start()]
        shown += Markup('<span class="json-{}">{}</span>').format(part.lastgroup, part[0])
        end = part.end()
    return shown + text[end:]


def short_id(value: object) -> str:
    """The end of an id: its beginning is the time, which ids made together share."""
    return str(value)[-12:]


def plural(count: float, one: str, many: str | None = None) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{count:,.0f} {one if count == 1 else many or one + 's'}"


def _two(whole: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {large_unit}" + (f" {rest} {small_unit}" if rest else "")


FILTERS = {
    one.__name__: one
    for one in (
        number,
        compact,
        percent,
        duration,
        rough,
        exact,
        clock,
        iso,
        size,
        pretty,
        as_json,
        with_code,
        json_marks,
        short_id,
        plural,
        relative,
    )
}
