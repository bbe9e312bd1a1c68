"""What was measured: single figures, gathered over rounds, and told as median with smallest and largest."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement of ``work`` on ``system``, in ``unit`` (``1/s``: more is better; others: less is)."""

    work: str
    system: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one work and system over all rounds."""

    work: str
    system: str
    unit: str
    median: float
    smallest: float
    largest: float
    rounds: int


def summarize(figures: Iterable[Figure]) -> list[Summary]:
    """In the order in which works and systems first came."""
    grouped: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for figure in figures:
        grouped[figure.work, figure.system, figure.unit].append(figure.value)
    return [
        Summary(work, system, unit, statistics.median(values), min(values), max(values), len(values))
        for (work, system, unit), values in grouped.items()
    ]


def percentile(values: list[float], share: float) -> float:
    """The smallest value that ``share`` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(share * len(ordered) + 0.5) - 1))]
