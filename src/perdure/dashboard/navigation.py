"""Where one can go: the entries of the navigation, and the keys that lead there (`g` and then the letter)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    path: str
    icon: str
    key: str
    group: int

    def is_current(self, here: str) -> bool:
        """Whether the page at ``here`` is this one, or one below it."""
        return here == self.path or (self.path != "/" and here.startswith(f"{self.path}/"))


ENTRIES = (
    Entry("Overview", "/", "overview", "o", 0),
    Entry("Jobs", "/jobs", "jobs", "j", 0),
    Entry("Notifications", "/notifications", "notifications", "n", 0),
    Entry("Inbox", "/inbox", "inbox", "i", 0),
    Entry("Queues", "/queues", "queues", "q", 1),
    Entry("Schedules", "/schedules", "schedules", "s", 1),
    Entry("Workers", "/workers", "workers", "w", 1),
    Entry("Job types", "/job-types", "types", "t", 1),
    Entry("API reference", "/docs", "docs", "d", 2),
)


def entries(app: FastAPI) -> Sequence[Entry]:
    """Those that this process serves: a page that it lacks (the inbox, in production) is not offered."""
    served: frozenset[str] = app.state.dashboard_paths
    return [one for one in ENTRIES if one.path in served or one.path == "/docs"]
