"""Files in a folder. Written under a temporary name, synced, then renamed: a crash leaves no half file in sight.

Names on disk come from our ids alone, never from what was sent. Whatever may block is done in threads, in large
steps, and no step is given up half-way: a cancelled upload waits for the one under way before it cleans up.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar
from uuid import UUID, uuid4

from perdure.errors import NotFound, Unavailable
from perdure.storage.base import StoredFile

WRITE_BYTES = 1_048_576
"""Chunks of the network are gathered to this size before a thread writes them."""
READ_BYTES = 262_144
TEMPORARY_SUFFIX = ".partial"
MARK = "store-id"
"""The file, in the folder itself, that carries the store's id."""

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})

P = ParamSpec("P")
T = TypeVar("T")


class FilesystemStore:
    """A file store in the folder ``root``, which servers and workers must share."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def identity(self) -> UUID | None:
        try:
            return UUID((self._root / MARK).read_text().strip())
        except (OSError, ValueError):
            return None

    def mark(self, store_id: UUID) -> None:
        temporary = self._root / f"{MARK}.{uuid4().hex}{TEMPORARY_SUFFIX}"
        with _saying_what_to_do():
            _make_folder(self._root)
            with temporary.open("x") as file:
                file.write(f"{store_id}\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._root / MARK)
            _sync_folder(self._root)

    def path(self, file_id: UUID) -> Path:
        name = str(file_id)
        return self._root / name[-2:] / name

    async def write(self, file_id: UUID, chunks: AsyncIterator[bytes]) -> StoredFile:
        upload = _Upload(self._root, self.path(file_id))
        try:
            await _step(upload.open)
            async for block in _gathered(chunks):
                await _step(upload.write, block)
            return await _step(upload.publish)
        except BaseException:
            await _discard(upload)
            raise

    def save(self, file_id: UUID, blocks: Iterable[bytes]) -> StoredFile:
        upload = _Upload(self._root, self.path(file_id))
        try:
            with _saying_what_to_do():
                upload.open()
            for block in blocks:
                with _saying_what_to_do():
                    upload.write(block)
            with _saying_what_to_do():
                return upload.publish()
        except BaseException:
            with suppress(OSError):  # as in ``_discard``
                upload.discard()
            raise

    async def read(self, file_id: UUID, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if start < 0 or (length is not None and length < 0):
            raise ValueError("start and length must not be negative")
        left = length
        with ExitStack() as opened:
            file = await _step(_open, self.path(file_id), start, opened)
            while block := await _step(file.read, READ_BYTES if left is None else min(left, READ_BYTES)):
                left = None if left is None else left - len(block)
                yield block

    async def delete(self, file_id: UUID) -> None:
        path = self.path(file_id)
        for one in (path, _temporary(path)):
            await _step(partial(one.unlink, missing_ok=True))

    async def check(self) -> None:
        trial = _Upload(self._root, self.path(uuid4()))
        try:
            await _step(trial.open)
            await _step(trial.write, b"?")
        finally:
            await _discard(trial)


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytearray]:
    block = bytearray()
    async for chunk in chunks:
        block += chunk
        if len(block) >= WRITE_BYTES:
            yield block
            block = bytearray()
    yield block


class _Upload:
    """A file on its way in, in blocking steps: ``open``, ``write`` …, then ``publish`` or ``discard``."""

    _file: BinaryIO

    def __init__(self, root: Path, target: Path) -> None:
        self._root = root
        self._target = target
        self._temporary = _temporary(target)
        self._opened = ExitStack()
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._published = False

    def open(self) -> None:
        _make_folder(self._root)
        _make_folder(self._target.parent)
        self._file = self._opened.enter_context(self._temporary.open("xb", buffering=0))

    def write(self, block: bytes | bytearray) -> None:
        self._digest.update(block)
        self._size_bytes += len(block)
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]

    def publish(self) -> StoredFile:
        """Makes the file visible under its name: first its bytes are on disk, at the end its name too."""
        os.fsync(self._file.fileno())
        self._opened.close()
        self._temporary.rename(self._target)
        self._published = True
        _sync_folder(self._target.parent)
        return StoredFile(self._size_bytes, self._digest.hexdigest())

    def discard(self) -> None:
        self._opened.close()
        (self._target if self._published else self._temporary).unlink(missing_ok=True)


async def _discard(upload: _Upload) -> None:
    # What cannot be removed now is swept later; whoever called should learn of the error that came first.
    with suppress(Unavailable):
        await _step(upload.discard)


def _open(path: Path, start: int, opened: ExitStack) -> BinaryIO:
    try:
        file = opened.enter_context(open(path, "rb", buffering=0, opener=_plainly))  # noqa: SIM115 (the stack)
    except OSError as error:
        if error.errno in _NO_SUCH_FILE:
            raise NotFound("There is no file with this id.") from None
        raise
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise NotFound("There is no file with this id.")
    file.seek(start)
    return file


def _plainly(path: str, flags: int) -> int:
    """Follows no link and waits for no pipe that somebody laid in the place of a file."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _temporary(target: Path) -> Path:
    return target.with_name(f"{target.name}{TEMPORARY_SUFFIX}")


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(path.parent)  # else a crash of the machine could take the folder, and every file in it


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _step(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs ``function`` in a thread, to its end: a cancellation is passed on only then, and nothing is left running."""
    work = asyncio.get_running_loop().run_in_executor(None, partial(function, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()  # what the step came to matters no more
        raise cancelled
    with _saying_what_to_do():
        return work.result()


@contextmanager
def _saying_what_to_do() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> Unavailable:
    if error.errno in _DISK_FULL:
        return Unavailable("The disk of the file store is full. Free some space on it, then send the request again.")
    return Unavailable(
        f"The file store cannot be used ({error.strerror}). Check that its folder, `files` in the data directory, is "
        "there and that this process may write to it, then send the request again."
    )
