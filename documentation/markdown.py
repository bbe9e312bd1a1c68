"""Markdown as our pages write it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

GENERATED = "<!-- Made from the code by `make reference`; edits here are lost. -->"


def page(title: str, *parts: str) -> str:
    """A page made from the code."""
    return "\n\n".join([f"# {title}", GENERATED, *(part.strip("\n") for part in parts if part)]) + "\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def anchor(heading: str) -> str:
    """How a heading without code or links is linked to, on the site and by common hosts of repositories."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower()))


def prose(docstring: str) -> str:
    """A docstring's paragraphs: lines joined, code marked as Markdown does."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", docstring.strip())]
    return "\n\n".join(part.replace("``", "`") for part in paragraphs)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")
