"""``python -m documentation reference`` and ``python -m documentation site`` (`make reference`, `make docs`)."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from documentation import states
from documentation.reference import reference_pages
from documentation.site import build
from perdure.bootstrap import opened_platform
from perdure.settings import Settings

ROOT = Path(__file__).parents[1]


def main() -> None:
    match sys.argv[1:]:
        case ["reference"]:
            asyncio.run(_write_reference())
        case ["site"]:
            build(ROOT, ROOT / "build")
        case _:
            sys.exit("Say what to make: python -m documentation reference, or site.")


async def _write_reference() -> None:
    (ROOT / "docs/states.svg").write_text(states.render(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as directory:
        async with opened_platform(Settings.read(environment={}, data_dir=Path(directory))) as platform:
            for name, text in reference_pages(platform).items():
                (ROOT / "docs/reference" / name).write_text(text, encoding="utf-8")


main()
