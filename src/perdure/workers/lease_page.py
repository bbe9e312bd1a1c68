"""The page of memory that a worker shares with whoever renews its lease: they read each other without a word.

A process that is blocked answers nothing, but what it wrote before stands here. The worker writes who it is and until
when it may be silent; its renewer writes until when the lease is good. Times are ``time.monotonic()``'s, which is one
clock for all processes of a machine.

No lock: a lock that a stopped process holds would stop its parent. Each time is one aligned store of eight bytes, seen
whole or not at all. An id takes two and may be seen half written; then it is nobody's, and what is said of it counts
for nobody. Either way the reader sees less than is true, never more: a lease that was not renewed yet.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from uuid import UUID

_SIZE = 64
_OVERDUE_AT, _GOOD_UNTIL, _ATTENDED_AT = range(3)  # eight bytes each
_WORKER_ID, _RENEWED_ID = slice(32, 48), slice(48, 64)
_NOBODY = bytes(16)


class LeasePage:
    """One worker process's page: in the file of ``descriptor``, which stays the caller's, or in this process alone."""

    def __init__(self, descriptor: int = -1) -> None:
        self._bytes = memoryview(mmap.mmap(descriptor, _SIZE))
        self._times = self._bytes.cast("d")  # native, so that an item is stored in one piece

    # What the worker writes.

    @property
    def worker_id(self) -> UUID | None:
        """Under which identity the worker wants to be renewed; None: it has none."""
        return _id(self._bytes[_WORKER_ID])

    @worker_id.setter
    def worker_id(self, worker_id: UUID | None) -> None:
        self._bytes[_WORKER_ID] = _NOBODY if worker_id is None else worker_id.bytes

    @property
    def overdue_at(self) -> float:
        """When the worker has to have concluded what is due first; infinite when nothing is."""
        return self._times[_OVERDUE_AT] or math.inf

    @overdue_at.setter
    def overdue_at(self, moment: float) -> None:
        self._times[_OVERDUE_AT] = moment

    # What the renewer writes.

    def good_until(self, worker_id: UUID) -> float:
        """Until when the lease was renewed under this identity; 0 if it never was."""
        return self._times[_GOOD_UNTIL] if _id(self._bytes[_RENEWED_ID]) == worker_id else 0.0

    def renew(self, worker_id: UUID, good_until: float) -> None:
        self._times[_GOOD_UNTIL] = good_until
        self._bytes[_RENEWED_ID] = worker_id.bytes

    @property
    def attended_at(self) -> float:
        """When the renewer last was ready to renew this worker's lease; 0 if it never was."""
        return self._times[_ATTENDED_AT]

    @attended_at.setter
    def attended_at(self, moment: float) -> None:
        self._times[_ATTENDED_AT] = moment


def _id(stored: memoryview) -> UUID | None:
    found = bytes(stored)
    return None if found == _NOBODY else UUID(bytes=found)


def page_file() -> int:
    """The descriptor of a new page's file. It has no name, and ends with those who hold it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("perdure-lease")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, _SIZE)
    return descriptor
