"""A process whose lease somebody renews, as the renewer sees it: a child of a parent, or a process on its own."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from perdure.workers.lease_page import LeasePage


class HolderState(Enum):
    """What a process does."""

    RUNNING = auto()
    STOPPED = auto()
    """It exists and does nothing, until somebody lets it go on."""
    ENDED = auto()


class LeaseHolder(Protocol):
    @property
    def page(self) -> LeasePage: ...

    @property
    def state(self) -> HolderState: ...

    def kill(self) -> None:
        """Ends it at once: it is past a deadline, and nobody else can end what it does."""


class ThisProcess:
    """The holder that is this process itself: it runs, or its renewer would not."""

    state = HolderState.RUNNING

    def __init__(self, page: LeasePage) -> None:
        self.page = page

    def kill(self) -> None:
        """Does nothing: whoever can call this is not blocked, and sees to its deadlines itself."""
