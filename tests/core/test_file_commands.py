"""One store for all processes, and no byte that nobody knows of."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from perdure.core import file_commands
from perdure.core.file_commands import FileCommands
from perdure.db.wakeup import Wakeup
from perdure.errors import FileStoreElsewhere, NotFound, ValidationFailed
from perdure.storage.filesystem import FilesystemStore


async def chunks(*parts):
    for part in parts:
        yield part


def commands(database, folder) -> FileCommands:
    return FileCommands(database, FilesystemStore(folder), Wakeup(database.url))


async def upload(files, body=b"abc", expected=None):
    return await files.upload(chunks(body), name="f", content_type="text/csv", expected=expected or {})


def bytes_in(files):
    return {path.name for path in files.store._root.glob("*/*")}


async def all_due(database):
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.file_removals SET due_at = clock_timestamp()"))


async def test_the_first_folder_is_the_store_and_all_who_share_it_see_it(database, tmp_path):
    shared = [commands(database, tmp_path / "shared") for _ in range(5)]
    await asyncio.gather(*(one.establish() for one in shared))
    file = await upload(shared[0])
    found, path = await shared[1].find(file.file_id)
    assert (found, path.read_bytes()) == (file, b"abc")
    assert await shared[2].store_id() == shared[2].store.identity()


async def test_of_two_folders_one_is_the_store(database, tmp_path):
    both = [commands(database, tmp_path / name) for name in ("one", "two")]
    ends = await asyncio.gather(*(upload(one) for one in both), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["File", "FileStoreElsewhere"]
    taken = both[isinstance(ends[0], FileStoreElsewhere)]
    other = both[isinstance(ends[1], FileStoreElsewhere)]
    assert bytes_in(other) == set()
    other.store.mark(taken.store.identity())  # what the refusal advises where the folder does hold the files
    await upload(other)


async def test_a_folder_keeps_its_identity_when_its_database_is_made_anew(database, tmp_path):
    files = commands(database, tmp_path)
    files.store.mark(uuid4())
    before = files.store.identity()
    await upload(files)
    assert await files.store_id() == files.store.identity() == before


async def test_what_breaks_off_is_noted_before_it_is_written_and_removed_after(database, tmp_path):
    files = commands(database, tmp_path)

    async def breaking():
        yield b"x"
        async with database.snapshot() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM perdure.file_removals"))).scalar_one() == 1
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await files.upload(breaking(), name="f", content_type="text/csv", expected={})
    with pytest.raises(ValidationFailed, match="Content-Digest"):
        await upload(files, expected={"Content-Digest": "00" * 32})
    assert await files.sweep() == 2
    assert bytes_in(files) == set()


async def test_what_a_crash_left_is_swept_and_what_has_its_row_is_not(database, tmp_path, monkeypatch):
    monkeypatch.setattr(file_commands, "SWEEP_BATCH", 2)
    files = commands(database, tmp_path)
    kept = await upload(files)
    for number in range(3):  # killed between the bytes and the row
        file_id = uuid4()
        await files.note(file_id, 0 if number else 60)
        await files.store.write(file_id, chunks(b"x"))
    assert (await files.sweep(), await files.sweep()) == (2, 0), "what is not due is left alone"
    await all_due(database)
    assert await files.sweep() == 1
    assert bytes_in(files) == {str(kept.file_id)}


async def test_only_who_sees_the_store_forgets_what_is_to_be_removed(database, tmp_path):
    files, elsewhere = commands(database, tmp_path / "one"), commands(database, tmp_path / "two")
    file = await upload(files)
    await elsewhere.delete(file.file_id)
    with pytest.raises(FileStoreElsewhere):
        await elsewhere.sweep()
    assert bytes_in(files) == {str(file.file_id)}
    with pytest.raises(NotFound):
        await files.find(file.file_id)
    assert await files.sweep() == 1
    assert bytes_in(files) == set()


async def test_bytes_that_cannot_be_removed_hold_up_no_others(database, tmp_path):
    files = commands(database, tmp_path)
    stuck, loose = await upload(files, b"a"), await upload(files, b"b")
    path = files.store.path(stuck.file_id)
    path.unlink()
    path.mkdir()  # a folder is not unlinked
    for file in (stuck, loose):
        await files.delete(file.file_id)
    assert await files.sweep() == 1
    path.rmdir()
    assert await files.sweep() == 1


async def test_two_sweepers_share_the_work(database, tmp_path):
    files = commands(database, tmp_path)
    await files.establish()
    for _ in range(20):
        await files.note(uuid4(), 0)
    assert sum(await asyncio.gather(*(files.sweep() for _ in range(4)))) == 20
