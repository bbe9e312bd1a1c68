"""The blocks of code in a page, and the page as one shell script, as its reader would carry it out from top to bottom.

A block is run by what it says it is: ``sh`` is run; ``python`` is run, or kept as the file that its first line names
(``# my_jobs.py``); data is parsed. What cannot be run says so in its ``title``, which the reader sees.
What a reader has at hand and the page need not say is a comment before a block: ``<!-- first: mkdir backup -->``.
"""

import json
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
DATA = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
UNREAD = {"text", "dockerfile", "csv", "jinja"}
RUN = {"sh", "python"}
NOT_RUN_BECAUSE = {
    "needs a container engine",
    "once, in the checkout",
}
"""Every reason there is: a new one is a decision."""

_FENCE = re.compile(
    r"(?P<first>(?:^ *<!-- first: .+? -->\n)*)"
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]*)\")?(?P<rest>[^\n]*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_PRELUDE = Path(__file__).with_name("prelude.sh")


@dataclass(frozen=True)
class Block:
    place: str
    language: str
    title: str | None
    first: str
    text: str

    @property
    def is_run(self) -> bool:
        return self.language in RUN and self.title not in NOT_RUN_BECAUSE


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            place=f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start('language')) + 1}",
            language=found["language"] + found["rest"].strip(),
            title=found["title"],
            first="\n".join(re.findall(r"first: (.+) -->", found["first"])),
            text=dedent(found["text"]),
        )
        for found in _FENCE.finditer(text)
    ]


def script(page: Path, ports: dict[str, int], database_url: str) -> str:
    """What the page asks its reader to do. Empty where it asks nothing."""
    steps = [_step(block) for block in blocks(page) if block.is_run]
    if not steps:
        return ""
    text = "\n".join(steps)
    for written, port in ports.items():
        text = re.sub(rf"\b{written}\b", str(port), text)
    text = text.replace("postgresql://user:password@host/database", database_url)
    text = text.replace("=…", "=something").replace("/srv/", "srv/")
    text = re.sub(r"\bpdr_…", '"$(new_key)"', text)
    text = re.sub(r"(?<!\$)\b(JOB|DELIVERY|FILE)_ID\b", _newest, text)
    text = re.sub(r"^perdure (.*&)$", r"exec perdure \1", text, flags=re.MULTILINE)  # it stays the page's own
    return f"{_PRELUDE.read_text()}\n{text}"


def _newest(found: re.Match[str]) -> str:
    """What the shell puts in the place of an id, inside single quotes too."""
    before = found.string[found.string.rfind("\n", 0, found.start()) + 1 : found.start()]
    quote = "'" if before.count("'") % 2 else ""
    return f'{quote}"$(newest {found[1].lower()})"{quote}'


def _step(block: Block) -> str:
    begin = f"place={shlex.quote(block.place)}\n{block.first}\n"
    if block.language == "sh":
        return begin + block.text.replace(".venv/bin/", "")
    name = re.match(r"# (\w+\.py)\n", block.text)
    command = f"cat >{name[1]}" if name else "python -"
    return f"{begin}{command} <<'PYTHON'\n{block.text}PYTHON\n"
