"""What came of a phase: what the oracle found, which must be nothing, and the proof that it had something to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SHOWN = 20
"""How many findings of a figure are kept."""


class Verdict(StrEnum):
    """In order of gravity."""

    PASSED = "PASSED"
    VACUOUS = "VACUOUS"
    """Nothing was found, but too little happened for that to mean anything."""
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Proof:
    """Something that must have happened ``at_least`` so often, or finding nothing proves nothing."""

    what: str
    count: int
    at_least: int

    def holds(self) -> bool:
        return self.count >= self.at_least


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one phase. ``figures`` holds what counts to each; ``facts`` is told besides."""

    phase: str
    figures: Mapping[str, Sequence[str]]
    proofs: Sequence[Proof]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        if any(self.figures.values()):
            return Verdict.FAILED
        return Verdict.PASSED if all(map(Proof.holds, self.proofs)) else Verdict.VACUOUS

    def as_json(self) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "verdict": self.verdict.value,
            "figures": {name: len(found) for name, found in self.figures.items()},
            "found": {name: list(found[:SHOWN]) for name, found in self.figures.items() if found},
            "proofs": [{"what": one.what, "count": one.count, "at_least": one.at_least} for one in self.proofs],
            "facts": dict(self.facts),
        }
