"""The site: every page of docs, the changelog, and the files of this repository that pages link to, as pages.

Pages link to code (``../src/perdure/workers/worker.py``). That works where the repository is read; on the site such
a file becomes a page of its own, so that no link needs a place where this repository is published.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SECTIONS = {
    "": ["index.md", "quickstart.md"],
    "How to": ["how-to/*.md"],
    "Notifications": ["notifications/index.md", "notifications/*.md"],
    "Reference": ["reference/*.md", "glossary.md"],
    "Explanation": [
        "life-of-a-job.md",
        "guarantees.md",
        "reliability.md",
        "performance.md",
        "scaling.md",
        "decisions/*.md",
    ],
    "Changes": ["changelog.md"],
}
"""Where each page stands in the navigation: a page that several patterns find, where the first of them does."""

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
_LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".csv": "text", ".html": "html", ".sh": "sh"}
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_CODE_PAGE = """\
---
search:
  exclude: true
---

# {name}

``````{language}
{text}
``````
"""


def build(root: Path, target: Path) -> None:
    """Builds ``target``/site from the repository at ``root``. Raises ``SystemExit`` for whatever is amiss in a page."""
    pages = target / "documentation"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(root / "docs", pages)
    shutil.copy(root / "CHANGELOG.md", pages / "changelog.md")
    shutil.copy(Path(__file__).with_name("site.css"), pages)
    navigation = _navigation(pages)
    for page in sorted(pages.rglob("*.md")):
        home = root if page.name == "changelog.md" else root / "docs" / page.relative_to(pages).parent
        page.write_text(_with_code_pages(page, home, root, pages), encoding="utf-8")
    settings = Path(__file__).with_name("zensical.toml").read_text(encoding="utf-8")
    (target / "zensical.toml").write_text(settings.replace("nav = []", f"nav = {navigation}", 1), encoding="utf-8")
    zensical = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(zensical, cwd=target, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said, _, _ = (done.stdout + done.stderr).partition("Traceback")
        sys.exit(_COLOURS.sub("", said))
    sys.stdout.write(f"{target / 'site' / 'index.html'}\n")


def _navigation(pages: Path) -> str:
    """Every page in its section, as TOML."""
    found = {
        title: list(
            dict.fromkeys(page.relative_to(pages).as_posix() for one in patterns for page in sorted(pages.glob(one)))
        )
        for title, patterns in SECTIONS.items()
    }
    listed = {page for section in found.values() for page in section}
    homeless = {page.relative_to(pages).as_posix() for page in pages.rglob("*.md")} - listed
    if homeless:
        sys.exit(f"These pages are in no section of documentation/site.py: {', '.join(sorted(homeless))}")
    entries = [json.dumps(page) for page in found.pop("")]
    entries += [f"{{ {json.dumps(title)} = {json.dumps(section)} }}" for title, section in found.items()]
    return f"[{', '.join(entries)}]"


def _with_code_pages(page: Path, home: Path, root: Path, pages: Path) -> str:
    """The page's text, its links out of docs led to pages made for what they lead to."""

    def led(link: re.Match[str]) -> str:
        file = (home / link[1]).resolve()
        if file.is_relative_to(root / "docs"):
            there = pages / file.relative_to(root / "docs")
        elif file == root / "CHANGELOG.md":
            there = pages / "changelog.md"
        else:
            there = _code_page(file, root, pages)
        return f"]({os.path.relpath(there, page.parent)}"

    return _LINK.sub(led, page.read_text(encoding="utf-8"))


def _code_page(file: Path, root: Path, pages: Path) -> Path:
    name = file.relative_to(root)
    page = pages / "code" / f"{name}.md"
    if not page.exists():
        page.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text(encoding="utf-8").rstrip("\n")
        language = _LANGUAGES.get(file.suffix, "text")
        page.write_text(_CODE_PAGE.format(name=name, language=language, text=text), encoding="utf-8")
    return page
