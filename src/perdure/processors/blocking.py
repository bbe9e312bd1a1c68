"""Which calls of a processor's may block: none in the thread of an event loop, which they would hold up."""

from __future__ import annotations

import asyncio


def refuse_in_event_loop() -> None:
    """Raises ``RuntimeError`` with what to write instead, when called in the thread of a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("save_output blocks: call it with `await asyncio.to_thread(ctx.save_output, …)`.")
