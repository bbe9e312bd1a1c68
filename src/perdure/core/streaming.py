"""Tells any number of readers what happens, from one observer: two hundred open pages cost the database one.

While nobody reads, the database is asked nothing. While somebody does, it is looked at four times a second at most,
soon after a ring and each second without one. What a look finds is encoded once for all who want the same, and is kept
for a reader who is slow up to a limit. Beyond it, and where somebody comes back too late, the reader is told ``reset``:
look anew at what you show, and read on. The position that goes with the events leads back to where a reader stood.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy

from perdure.core.observing import Observer
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Unavailable
from perdure.models.happening import Happening, HappeningFilter
from perdure.schemas.stream import Form, digest, encoded

DEBOUNCE_SECONDS = 0.25
POLL_SECONDS = 1.0
CATCH_UP_SECONDS = 0.05
"""Between two looks of which the first left something over."""
MAX_CATCH_UPS = 20
"""So many in a row mean that more happens than can be told."""
MAX_READERS = 1_000
MAX_BUFFERED_BYTES = 1_048_576
REPLAY_SECONDS = 300
"""Whoever comes back later is told ``reset``, as is one who missed more than ``MAX_REPLAY`` steps."""
MAX_REPLAY = 2_000
BEGIN_SECONDS = 5.0

_POSITION = re.compile(r"(\d{1,18})-(\d{1,11})")


class Reader:
    """What one reader is still to be sent."""

    def __init__(self, wanted: HappeningFilter, form: Form) -> None:
        self.wanted = wanted
        self.form = form
        self._chunks: deque[bytes] = deque()
        self._bytes = 0
        self._something = asyncio.Event()
        self._is_over = False

    def put(self, chunk: bytes, position: bytes) -> None:
        """Adds ``chunk``, after which the reader stands at ``position``."""
        if self._bytes + len(chunk) > MAX_BUFFERED_BYTES:
            self.reset(position)
            return
        self._chunks.append(chunk)
        self._bytes += len(chunk)
        self._something.set()

    def put_first(self, chunk: bytes) -> None:
        self._chunks.appendleft(chunk)
        self._something.set()

    def reset(self, position: bytes) -> None:
        """Forgets what was not sent, and says so."""
        self._chunks = deque([_reset(position)])
        self._bytes = 0
        self._something.set()

    def end(self) -> None:
        self._is_over = True
        self._something.set()

    async def next(self, timeout_seconds: float) -> bytes | None:
        """What there is to send; nothing if nothing comes within ``timeout_seconds``, None at the end."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._something.wait()
        except TimeoutError:
            pass  # it may have come at the last moment
        if self._is_over:
            return None
        self._something.clear()
        chunks, self._chunks, self._bytes = self._chunks, deque(), 0
        return b"".join(chunks)


class Feed:
    """Run ``run()`` as a task; ``reading`` from any number of requests."""

    def __init__(self, database: Database, wakeup: Wakeup) -> None:
        self._database = database
        self._woken = wakeup.event(Topic.JOBS_READY, Topic.JOBS_WAITING, Topic.JOBS_FINAL, Topic.DELIVERIES)
        self._observer = Observer(database)
        self._readers: set[Reader] = set()
        self._coming = 0
        self._somebody_came = asyncio.Event()
        self._has_begun = asyncio.Event()
        self._is_open = False
        self.position = b""
        """Where a reader stands who was told everything, as a line of the stream."""

    async def run(self) -> None:
        self._is_open = True
        try:
            while self._is_open:
                await self._somebody_came.wait()
                self._somebody_came.clear()
                await self._follow()
        finally:
            self.close()

    def close(self) -> None:
        """Ends every reader at once and lets no more in; ``run`` ends after the look under way."""
        self._is_open = False
        self._somebody_came.set()
        self._woken.set()
        for reader in self._readers:
            reader.end()

    @asynccontextmanager
    async def reading(
        self, wanted: HappeningFilter, last_position: str | None, form: Form = Form.EACH
    ) -> AsyncIterator[Reader]:
        """A reader of what happens from now on, or has since ``last_position``. Raises ``Unavailable``."""
        if not self._is_open:
            raise Unavailable("This server is stopping; connect again.")
        if len(self._readers) + self._coming >= MAX_READERS:
            raise Unavailable("This server has as many readers as it can serve; try again, or ask another.")
        reader = Reader(wanted, form)
        await self._begun()
        try:
            await self._let_in(reader, last_position)
            yield reader
        finally:
            self._readers.discard(reader)

    async def _begun(self) -> None:
        self._coming += 1
        self._somebody_came.set()
        try:
            async with asyncio.timeout(BEGIN_SECONDS):
                await self._has_begun.wait()
        except TimeoutError:
            raise Unavailable("The database cannot be reached just now; try again.") from None
        finally:
            self._coming -= 1

    async def _let_in(self, reader: Reader, last_position: str | None) -> None:
        """What was read until this moment is read again for it, and all that comes after is put into its buffer."""
        tail, position = copy(self._observer.tail), self.position
        self._readers.add(reader)
        missed: Sequence[Happening] | None = ()
        if last_position is not None:
            floor = self._floor(last_position)
            missed = None if floor is None else await self._observer.since(floor, tail, MAX_REPLAY)
        if missed is None:
            reader.put_first(_reset(position))
        else:
            told = [(one, encoded(one)) for one in missed]
            reader.put_first(_chunk(told, reader.wanted, reader.form, position) or position + b"\n")

    def _floor(self, last_position: str) -> int | None:
        """The id up to which the reader was told everything; None if it is not to be known, or too long ago."""
        found = _POSITION.fullmatch(last_position)
        if found is None:
            return None
        age_seconds = self._database.clock.now().timestamp() - int(found[2])
        return int(found[1]) if age_seconds <= REPLAY_SECONDS else None

    @property
    def _is_wanted(self) -> bool:
        return self._is_open and (bool(self._readers) or self._coming > 0)

    async def _follow(self) -> None:
        """Looks again and again, until nobody reads any more."""
        catch_ups = 0
        try:
            while self._is_wanted:
                self._woken.clear()
                try:
                    if not self._has_begun.is_set() or catch_ups > MAX_CATCH_UPS:
                        await self._begin()
                        catch_ups = 0
                    is_last = await self._look()
                except Unavailable:
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                catch_ups = 0 if is_last else catch_ups + 1
                await self._pause(is_last=is_last)
        finally:
            self._has_begun.clear()

    async def _begin(self) -> None:
        """From now on. Whoever read before has missed something."""
        await self._observer.begin()
        self._note_position()
        self._reset_all()
        self._has_begun.set()

    async def _look(self) -> bool:
        look = await self._observer.look()
        self._note_position()
        if not look.is_whole:
            self._reset_all()
            return look.is_last
        told = [(one, encoded(one)) for one in look.happenings]
        kinds = {(one.wanted, one.form) for one in self._readers}
        chunks = {kind: _chunk(told, *kind, self.position) for kind in kinds}
        for reader in self._readers:
            if chunk := chunks[reader.wanted, reader.form]:
                reader.put(chunk, self.position)
        return look.is_last

    async def _pause(self, *, is_last: bool) -> None:
        if not is_last:
            await asyncio.sleep(CATCH_UP_SECONDS)
            return
        await asyncio.sleep(DEBOUNCE_SECONDS)
        try:
            async with asyncio.timeout(POLL_SECONDS - DEBOUNCE_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    def _note_position(self) -> None:
        now = self._database.clock.now()
        self.position = b"id: %d-%d\n" % (self._observer.tail.floor, int(now.timestamp()))

    def _reset_all(self) -> None:
        for reader in self._readers:
            reader.reset(self.position)


def _chunk(told: Sequence[tuple[Happening, bytes]], wanted: HappeningFilter, form: Form, position: bytes) -> bytes:
    """What ``wanted`` lets through, as one piece; the last event brings the position after all of them."""
    if form is Form.DIGEST:
        happenings = [one for one, _ in told if wanted.matches(one)]
        return position + digest(happenings) if happenings else b""
    lines = [line for one, line in told if wanted.matches(one)]
    return b"".join([*lines[:-1], position, lines[-1]]) if lines else b""


def _reset(position: bytes) -> bytes:
    return position + b"event: reset\ndata: {}\n\n"
