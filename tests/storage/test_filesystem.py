import asyncio
import errno
import hashlib
import os
import subprocess
import sys
import threading
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.errors import NotFound, Unavailable
from perdure.storage import filesystem
from perdure.storage.filesystem import FilesystemStore


async def chunked(*chunks: bytes):
    for chunk in chunks:
        yield chunk


async def whole(store, file_id, *span) -> bytes:
    return b"".join([block async for block in store.read(file_id, *span)])


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
    sent = b"".join(chunks)
    assert store.path(file_id).read_bytes() == sent == asyncio.run(whole(store, file_id))
    assert (stored.size_bytes, stored.sha256) == (len(sent), hashlib.sha256(sent).hexdigest())


SENT = bytes(range(256)) * 3_000


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(SENT) + 10), st.none() | st.integers(0, len(SENT) + 10))
def test_any_range_is_read_in_bounded_pieces(store, start, length):
    async def pieces() -> list[bytes]:
        if not store.path(UUID(int=1)).exists():
            await store.write(UUID(int=1), chunked(SENT))
        return [block async for block in store.read(UUID(int=1), start, length)]

    blocks = asyncio.run(pieces())
    assert b"".join(blocks) == SENT[start:][:length]
    assert all(0 < len(block) <= filesystem.READ_BYTES for block in blocks)


@pytest.mark.parametrize("span", [(-1, None), (0, -1)])
async def test_a_range_before_the_beginning_is_refused(store, span):
    await store.write(UUID(int=1), chunked(b"abc"))
    with pytest.raises(ValueError, match="negative"):
        await whole(store, UUID(int=1), *span)


def lay_nothing(path):
    pass


def lay_folder(path):
    path.mkdir()


def lay_pipe(path):
    os.mkfifo(path)


def lay_link(path):
    secret = path.with_name("secret")
    secret.write_text("secret")
    path.symlink_to(secret)


@pytest.mark.parametrize("lay", [lay_nothing, lay_folder, lay_pipe, lay_link])
async def test_what_is_no_file_of_ours_is_not_found(store, lay):
    path = store.path(UUID(int=1))
    path.parent.mkdir(parents=True)
    lay(path)
    with pytest.raises(NotFound):
        await whole(store, UUID(int=1))


async def test_in_a_store_that_was_never_used_nothing_is_found(store):
    with pytest.raises(NotFound):
        await whole(store, UUID(int=1))


async def test_a_link_laid_in_the_place_of_a_file_is_replaced_and_not_followed(store):
    lay_link_at = store.path(UUID(int=1))
    lay_link_at.parent.mkdir(parents=True)
    lay_link(lay_link_at)
    await store.write(UUID(int=1), chunked(b"ours"))
    assert lay_link_at.with_name("secret").read_text() == "secret"
    assert await whole(store, UUID(int=1)) == b"ours"


async def test_a_deleted_file_is_gone_and_may_be_deleted_again(store):
    await store.write(UUID(int=1), chunked(b"x"))
    await store.delete(UUID(int=1))
    await store.delete(UUID(int=1))
    assert files_in(store) == []
    with pytest.raises(NotFound):
        await whole(store, UUID(int=1))


async def test_an_upload_that_breaks_off_leaves_nothing_and_says_its_own_error(store):
    async def breaking():
        yield b"x" * 2_000_000
        raise ConnectionResetError("the client is gone")

    with pytest.raises(ConnectionResetError):
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


@pytest.mark.parametrize("step", ["open", "write", "publish"])
async def test_a_step_under_way_ends_before_a_cancelled_upload_is_cleaned_up(store, step, monkeypatch):
    """Else a thread would write on, to a file that is closed: perhaps to another one that got its number."""
    entered, proceed = threading.Event(), threading.Event()
    ended = []

    def noted(name, *, held):
        method = getattr(filesystem._Upload, name)

        def run(upload, *args):
            if held:
                entered.set()
                assert proceed.wait(30)
            result = method(upload, *args)
            ended.append(name)
            return result

        monkeypatch.setattr(filesystem._Upload, name, run)

    noted(step, held=True)
    noted("discard", held=False)
    task = asyncio.create_task(store.write(uuid4(), chunked(b"x")))
    assert await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    await asyncio.sleep(0)  # the cancellation arrives,
    await asyncio.to_thread(list)  # and a clean-up that did not wait would be done by now
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [step, "discard"]
    assert files_in(store) == []


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "Free some space"), (errno.EDQUOT, "Free some space"), (errno.EIO, "Check that its folder")],
)
@pytest.mark.parametrize("call", ["fsync", "write"])
async def test_an_error_of_the_disk_says_what_to_do_and_leaves_nothing(store, number, advice, call, monkeypatch):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    (store._root / "00").mkdir(parents=True)  # or the folder would be synced first, and not the file
    monkeypatch.setattr(*((filesystem.os, "fsync") if call == "fsync" else (filesystem._Upload, "write")), fail)
    with pytest.raises(Unavailable, match=advice):
        await store.write(UUID(int=0), chunked(b"x"))
    assert files_in(store) == []


async def test_a_store_that_can_be_written_passes_the_check_and_keeps_nothing_of_it(store):
    await store.check()
    assert files_in(store) == []


async def test_a_store_that_takes_nothing_fails_the_check_and_keeps_nothing_of_it(store, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(filesystem._Upload, "write", fail)
    with pytest.raises(Unavailable, match="Free some space"):
        await store.check()
    assert files_in(store) == []


async def test_a_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").touch()
    blocked = FilesystemStore(tmp_path / "file" / "files")
    with pytest.raises(Unavailable, match="Check that its folder"):
        await blocked.check()
    with pytest.raises(Unavailable, match="Check that its folder"):
        await blocked.write(uuid4(), chunked(b"x"))


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from uuid import uuid4
from perdure.errors import NotFound, Unavailable
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
    assert "disk of the file store is full" in done.stdout
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


async def test_what_a_crash_left_of_a_file_is_deleted_like_the_file(store):
    await store.write(UUID(int=1), chunked(b"kept"))
    store.path(UUID(int=257)).with_name(f"{UUID(int=257)}.partial").touch()
    assert len(files_in(store)) == 2
    await store.delete(UUID(int=257))
    assert files_in(store) == [str(UUID(int=1))]


def test_a_file_is_saved_from_a_thread_as_it_is_written_from_the_loop(store):
    stored = store.save(UUID(int=1), iter([b"ab", b"", b"c"]))
    assert (store.path(UUID(int=1)).read_bytes(), stored.size_bytes) == (b"abc", 3)
    assert stored.sha256 == hashlib.sha256(b"abc").hexdigest()


def test_a_source_that_breaks_off_leaves_nothing_and_says_its_own_error(store):
    def breaking():
        yield b"x"
        raise OSError(errno.EIO, "the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        store.save(UUID(int=1), breaking())
    assert files_in(store) == []


def test_a_folder_carries_one_identity_and_none_that_cannot_be_read(store):
    assert store.identity() is None
    for number in (1, 2):
        store.mark(UUID(int=number))
        assert FilesystemStore(store._root).identity() == UUID(int=number)
    assert files_in(store) == ["store-id"]
    for content in (b"", b"not an id", b"\xff\xfe"):
        (store._root / "store-id").write_bytes(content)
        assert store.identity() is None


def test_a_folder_that_cannot_be_marked_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="Check that its folder"):
        FilesystemStore(tmp_path / "file" / "files").mark(uuid4())
