"""Whatever has states shows each of them."""

from perdure.dashboard.icons import icon
from perdure.dashboard.states import TONES, look_of
from perdure.models.circuit import CircuitState
from perdure.models.delivery import DeliveryStatus
from perdure.models.job_action import ActionStatus
from perdure.models.lifecycle import JobStatus, TimelineEvent
from perdure.models.schedule import SlotOutcome


def test_every_state_has_a_look():
    for state in (*JobStatus, *TimelineEvent, *DeliveryStatus, *CircuitState, *ActionStatus, *SlotOutcome):
        assert look_of(state).tone in TONES


def test_every_tone_has_a_sign():
    for tone in TONES:
        assert "<path" in icon(tone) or "<circle" in icon(tone)
