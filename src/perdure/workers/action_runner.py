"""Carries out actions on many jobs, a batch at a time. Any process may: what one holds, the others pass over."""

from __future__ import annotations

from perdure.core.job_actions import JobActions
from perdure.db.wakeup import Topic, Wakeup
from perdure.signals import Signals
from perdure.workers.loop import Loop

POLL_SECONDS = 15.0
"""After so long an action goes on whose process died."""
PAUSE_SECONDS = 0.02
"""Between two batches: others want the database, too."""


class ActionRunner(Loop):
    def __init__(self, signals: Signals, wakeup: Wakeup, actions: JobActions) -> None:
        super().__init__(signals, wakeup.event(Topic.ACTIONS))
        self._actions = actions

    async def tick(self) -> float:
        return POLL_SECONDS if await self._actions.advance() is None else PAUSE_SECONDS
