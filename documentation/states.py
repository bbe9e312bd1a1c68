"""The picture of a job's states: docs/states.svg, drawn from the one table of moves.

Where things lie is decided here, which moves there are is not: a move without a line, or a line without a move, is a
``LookupError``. What all states of a frame do alike is one arrow that starts at the frame, since seven arrows more
would hide the rest.
"""

from __future__ import annotations

from jinja2 import Environment

from perdure.models.lifecycle import BECOMES_DUE, FINAL, TRANSITIONS, JobStatus

FRAMES = {"live": frozenset(JobStatus) - FINAL, "final": FINAL}
DUE = "due"

_S = JobStatus
_BOXES = {
    _S.SCHEDULED: (75, 102),
    _S.QUEUED: (220, 102),
    _S.RETRYING: (365, 102),
    _S.RUNNING: (220, 196),
    _S.SUCCEEDED: (75, 322),
    _S.FAILED: (220, 322),
    _S.CANCELLED: (365, 322),
}
"""The middle of each state's box."""

_LINES = {
    ("submitted", _S.SCHEDULED): ("M170 20H83q-8 0-8 8V84", 80, 14, "start"),
    ("submitted", _S.QUEUED): ("M182 20H197q8 0 8 8V84", 0, 0, "start"),
    (_S.SCHEDULED, _S.QUEUED): ("M127 102H166", 145, 96, "middle"),
    (_S.RETRYING, _S.QUEUED): ("M313 102H274", 295, 96, "middle"),
    (_S.QUEUED, _S.RUNNING): ("M212 118V178", 205, 152, "end"),
    (_S.RUNNING, _S.QUEUED): ("M228 180V120", 235, 152, "start"),
    (_S.RUNNING, _S.SCHEDULED): ("M168 196H83q-8 0-8-8V120", 120, 190, "middle"),
    (_S.RUNNING, _S.RETRYING): ("M272 196H357q8 0 8-8V120", 318, 190, "middle"),
    (_S.RUNNING, _S.SUCCEEDED): ("M204 212V252q0 8-8 8H83q-8 0-8 8V304", 82, 252, "start"),
    ("live", _S.FAILED): ("M220 226V304", 227, 252, "start"),
    ("live", _S.CANCELLED): ("M365 226V304", 372, 252, "start"),
    ("final", _S.QUEUED): ("M428 322h18q8 0 8-8V28q0-8-8-8H243q-8 0-8 8V84", 446, 14, "end"),
}
"""The line of each move, and where its label stands."""

_TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<svg xmlns="http://www.w3.org/2000/svg" width="466" height="352" viewBox="0 0 466 352" \
font-family="system-ui, sans-serif" font-size="12.5" role="img" aria-label="States of a job">
<style>
text { fill: #424a53 } .state { fill: #0f766e } .final { fill: #57606a } .name { fill: #ffffff; font-weight: 600 }
.line { stroke: #6e7781; stroke-width: 1.25; fill: none } .frame { stroke: #afb8c1; fill: none } .tip { fill: #6e7781 }
@media (prefers-color-scheme: dark) {
text { fill: #c9d1d9 } .line { stroke: #8b949e } .frame { stroke: #484f58 } .tip { fill: #8b949e } }
</style>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto" \
markerUnits="userSpaceOnUse"><path class="tip" d="M0 0 8 4 0 8z"/></marker>
<rect class="frame" x="12" y="56" width="416" height="170" rx="10"/>
<text x="24" y="218">live</text>
<rect class="frame" x="12" y="282" width="416" height="64" rx="10"/>
<text x="24" y="298">final</text>
<circle class="tip" cx="176" cy="20" r="6"/>
{% for path, x, y, anchor, label in arrows %}
<path class="line" marker-end="url(#tip)" d="{{ path }}"/>
{% if label %}
<text x="{{ x }}" y="{{ y }}" text-anchor="{{ anchor }}">{{ label }}</text>
{% endif %}
{% endfor %}
{% for name, x, y, final in boxes %}
<rect class="{{ 'final' if final else 'state' }}" x="{{ x - 52 }}" y="{{ y - 16 }}" width="104" height="32" rx="6"/>
<text class="name" x="{{ x }}" y="{{ y + 4 }}" text-anchor="middle">{{ name }}</text>
{% endfor %}
</svg>
""")


def render() -> str:
    """The picture as SVG. Raises ``LookupError`` where lines and moves differ."""
    moves = _moves()
    if moves.keys() != _LINES.keys():
        amiss = ", ".join(f"{source} -> {target}" for source, target in moves.keys() ^ _LINES.keys())
        raise LookupError(f"Either no line in documentation/states.py or no move in the table of states: {amiss}")
    arrows = [(*line, moves[ends]) for ends, line in _LINES.items()]
    boxes = [(status.value, *_BOXES[status], status in FINAL) for status in JobStatus]
    return _TEMPLATE.render(arrows=arrows, boxes=boxes)


def _moves() -> dict[tuple[str, JobStatus], str]:
    """The label of each arrow, by what it leads from (a state, a frame or the submission) and to."""
    moves: dict[tuple[str, JobStatus], str] = {ends: event.value for ends, event in TRANSITIONS.items()}
    moves |= {(status, JobStatus.QUEUED): DUE for status in BECOMES_DUE}
    for frame, states in FRAMES.items():
        for target, label in {(target, label) for (_, target), label in moves.items()}:
            alike = {(source, target) for source in states}
            if all(moves.get(ends) == label for ends in alike):
                moves = {ends: event for ends, event in moves.items() if ends not in alike}
                moves[frame, target] = label
    return moves | {("submitted", JobStatus.SCHEDULED): "run_at ahead", ("submitted", JobStatus.QUEUED): ""}
