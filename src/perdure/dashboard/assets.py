"""Styles and scripts: read once, named by what they hold, so that a browser keeps them for good.

All of them share one name, for modules import each other by relative addresses. A page of another version than this
server's (while servers are replaced one by one) gets what there is, and does not keep it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    media_type: str


@cache
def all_assets() -> dict[str, Asset]:
    """Every file by its path below ``static``."""
    return dict(sorted(_read(files("perdure.dashboard") / "static", "")))


@cache
def digest() -> str:
    """Names what all of them hold."""
    known = hashlib.sha256()
    for path, asset in all_assets().items():
        known.update(path.encode() + b"\0" + asset.content + b"\0")
    return known.hexdigest()[:16]


def url(path: str) -> str:
    """Where a page finds the file."""
    if path not in all_assets():
        raise LookupError(f"there is no such file: static/{path}")
    return f"/static/{digest()}/{path}"


def _read(directory: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for one in directory.iterdir():
        if one.is_dir():
            found += _read(one, f"{prefix}{one.name}/")
        elif (media_type := MEDIA_TYPES.get(f".{one.name.rpartition('.')[2]}")) is not None:
            found.append((prefix + one.name, Asset(one.read_bytes(), media_type)))
    return found
