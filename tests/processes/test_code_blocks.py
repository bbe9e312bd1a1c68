"""Every block of code in the README and in docs is run, parsed, or says why not."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.code_blocks import DATA, NOT_RUN_BECAUSE, PAGES, ROOT, RUN, UNREAD, blocks, script

BLOCKS = [block for page in PAGES for block in blocks(page)]
TO_RUN = [page for page in PAGES if any(block.is_run for block in blocks(page))]


def test_there_is_something_to_run():
    assert len(TO_RUN) > 3
    assert sum(block.is_run for block in BLOCKS) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_found_and_known(page: Path):
    assert page.read_text().count("```") == 2 * len(blocks(page))
    for block in blocks(page):
        assert block.language in RUN | DATA.keys() | UNREAD, block.place


def test_there_is_no_excuse_that_nobody_needs():
    assert {block.title for block in BLOCKS if not block.is_run} - {None} == NOT_RUN_BECAUSE


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language in DATA], ids=lambda block: block.place)
def test_data_is_well_formed(block):
    assert DATA[block.language](block.text)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which ``perdure`` starts without delay."""
    folder = tmp_path_factory.mktemp("programs")
    command = [sys.executable, Path(__file__).with_name("fork_server.py"), folder / "socket", folder / "perdure"]
    pipe = subprocess.PIPE  # three pipes, for Python remembers of a stream what kind it was
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            yield folder
        finally:
            os.killpg(server.pid, signal.SIGKILL)


@pytest.mark.parametrize("page", TO_RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_can_be_carried_out(page: Path, programs: Path, tmp_path: Path, database, embedded_url: str):
    server = free_port()
    # Below the ports that the system gives away, so that a few in a row are free.
    others = 20_000 + server % 10_000
    text = script(page, {"8080": server, "9999": others, "9100": others + 1}, embedded_url)
    environment = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "checkout": str(ROOT),
        "PERDURE_URL": f"http://127.0.0.1:{server}",
        "PERDURE_PORT": str(server),
        "PERDURE_DATABASE_URL": embedded_url,
        "PERDURE_DRAIN_SECONDS": "1",
    }
    done = subprocess.run(
        ["bash", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}", pytrace=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]
