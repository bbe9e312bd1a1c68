import logging
from uuid import uuid4

from perdure.signals import LeaseLost, Signal, Signals


def test_a_subscriber_that_fails_hurts_nobody(caplog):
    """Neither whoever emits nor those who subscribed after it."""
    signals, told = Signals(), []
    signals.subscribe(LeaseLost, lambda _signal: 1 / 0)
    signals.subscribe(LeaseLost, told.append)
    signals.subscribe(Signal, told.append)
    lost = LeaseLost(uuid4())
    with caplog.at_level(logging.ERROR, logger="perdure"):
        signals.emit(lost)
    assert told == [lost, lost]
    assert "ZeroDivisionError" in caplog.text
