"""The log of one attempt while it is written: what it may still hold, and what of it is not saved yet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.job import Job
from perdure.models.job_log import MAX_BYTES, MAX_LINES, ROOM_OF_A_RUN, LogLevel, LogLine, Room, first_line, shortened
from perdure.repositories.job_log_repository import JobLogRepository

_OMITTED = (
    f"{{count:,}} more lines are not kept: a run keeps {MAX_LINES:,} lines and {MAX_BYTES // 1024:,} KiB, and each "
    "attempt has half of what is left of that."
)


class AttemptLog:
    """Takes lines until it is closed. Its methods may be called from any thread.

    ``spoken`` is called when there is something to save where there was nothing. A line counts as unsaved until its
    commit is known: it may be written twice, and is kept once.
    """

    def __init__(self, job: Job, now: Callable[[], datetime], spoken: Callable[[AttemptLog], None]) -> None:
        self.job = job
        self.is_granted = job.fence == 1
        """Whether its room is what others of the run left; nobody wrote before the first claim."""
        self.is_closed = False
        self._now = now
        self._spoken = spoken
        self._lock = threading.Lock()
        self._room = ROOM_OF_A_RUN.half
        self._kept = Room(0, 0)
        self._omitted = 0
        self._unsaved: list[LogLine] = []

    def say(self, message: str, level: LogLevel) -> None:
        text = shortened(message)
        size = len(text.encode())
        with self._lock:
            if self.is_closed:
                return
            kept = Room(self._kept.lines + 1, self._kept.size_bytes + size)
            if kept.lines > self._room.lines or kept.size_bytes > self._room.size_bytes:
                self._omitted += 1
                return
            self._kept = kept
            self._unsaved.append(self._line(kept.lines, level, text))
            is_first = len(self._unsaved) == 1
        if is_first:
            self._spoken(self)

    def omit(self, count: int) -> None:
        """Counts lines that were left out before they came here."""
        with self._lock:
            self._omitted += count

    def grant(self, used: Room) -> None:
        """Gives it the room that its run has left, once, before anything is saved: what is over is left out."""
        with self._lock:
            if self.is_granted:
                return
            self.is_granted = True
            self._room = (ROOM_OF_A_RUN - used).half
            while self._kept.lines > self._room.lines or self._kept.size_bytes > self._room.size_bytes:
                last = self._unsaved.pop()
                self._kept -= Room(1, len(last.message.encode()))
                self._omitted += 1

    def close(self) -> None:
        """Takes no more lines: the attempt is concluded."""
        with self._lock:
            self.is_closed = True

    @property
    def unsaved(self) -> Sequence[LogLine]:
        """What is to be saved; once it is closed, also what was left out."""
        with self._lock:
            lines = list(self._unsaved)
            if self.is_closed and self._omitted:
                lines.append(self._line(self._kept.lines + 1, LogLevel.WARNING, _OMITTED.format(count=self._omitted)))
        return lines

    def note_saved(self, lines: Sequence[LogLine]) -> None:
        """Those are committed."""
        with self._lock:
            del self._unsaved[: len(lines)]

    def _line(self, number: int, level: LogLevel, message: str) -> LogLine:
        job = self.job
        return LogLine(job.job_id, first_line(job.fence) + number, job.run, job.attempt, self._now(), level, message)


async def lines_of(
    connection: AsyncConnection, logs: Collection[AttemptLog]
) -> list[tuple[AttemptLog, Sequence[LogLine]]]:
    """What each of the logs has to save, within the room that its run has left."""
    unsure = [log for log in logs if not log.is_granted]
    if unsure:
        used = await JobLogRepository(connection).used([(log.job.job_id, log.job.run) for log in unsure])
        for log in unsure:
            log.grant(used[log.job.job_id])
    return [(log, log.unsaved) for log in logs]
