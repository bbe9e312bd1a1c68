import asyncio
import hashlib
import os
import subprocess
import sys
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.errors import Unavailable
from perdure.storage.filesystem import FilesystemStore


async def chunked(*chunks: bytes):
    for chunk in chunks:
        yield chunk


def files_in(store) -> list[str]:
    return [name for _, _, names in os.walk(store._root) for name in names]


@pytest.fixture
def store(tmp_path) -> FilesystemStore:
    return FilesystemStore(tmp_path / "files")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=5_000) | st.just(b"x" * 1_500_000), max_size=6))
def test_a_file_comes_back_however_it_was_cut(store, chunks):
    file_id = uuid4()
    stored = asyncio.run(store.write(file_id, chunked(*chunks)))
    whole = b"".join(chunks)
    assert store.path(file_id).read_bytes() == whole
    assert (stored.size_bytes, stored.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())


async def test_an_upload_that_breaks_off_leaves_nothing(store):
    async def breaking():
        yield b"x" * 2_000_000
        raise ConnectionResetError("the client is gone")

    with pytest.raises(Unavailable):
        await store.write(uuid4(), breaking())
    assert files_in(store) == []


async def test_an_upload_that_is_cancelled_leaves_nothing(store):
    begun = asyncio.Event()

    async def endless():
        yield b"x" * 2_000_000
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(store.write(uuid4(), endless()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_in(store) == []


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from uuid import uuid4
from perdure.errors import Unavailable
from perdure.storage.filesystem import FilesystemStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
async def chunks():
    for _ in range(10):
        yield b"x" * 1_000_000
try:
    asyncio.run(FilesystemStore(Path(sys.argv[1])).write(uuid4(), chunks()))
except Unavailable as error:
    print(error.detail)
"""


def test_a_disk_that_takes_no_more_is_said_and_leaves_nothing(store):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, store._root], capture_output=True, text=True, check=True)
    assert "Check its disk" in done.stdout
    assert files_in(store) == []


LARGE = """
import asyncio, sys
from pathlib import Path
from uuid import uuid4
from perdure.storage.filesystem import FilesystemStore
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
async def chunks():
    for _ in range(3_000):
        yield b"x" * 65_536
before = peak()
asyncio.run(FilesystemStore(Path(sys.argv[1])).write(uuid4(), chunks()))
print(peak() - before)
"""


def test_a_large_upload_is_never_whole_in_memory(store):
    done = subprocess.run([sys.executable, "-c", LARGE, store._root], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30_000, "kB more at the peak, for 197 MB"


async def test_what_crashed_uploads_left_is_swept(store):
    await store.write(UUID(int=1), chunked(b"kept"))
    stale = store.path(UUID(int=1)).with_name("old.partial")
    stale.touch()
    os.utime(stale, (0, 0))
    fresh = store.path(UUID(int=1)).with_name("new.partial")
    fresh.touch()
    assert store.sweep_temporary(older_than_seconds=3_600) == 1
    assert sorted(files_in(store)) == sorted([fresh.name, str(UUID(int=1))])
