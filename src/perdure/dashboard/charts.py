"""Charts as paths of SVG, drawn here: bars of parts on top of each other, and lines.

A chart is 100 wide for each step and 100 high, whatever its size on the page (`preserveAspectRatio="none"`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 100.0
_GAP = 0.22
"""Between two bars, in parts of a step."""

_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One path, in a tone of the styles. ``kind``: bar, line or area, or the bar of a step that is under way."""

    kind: str
    tone: str
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws. ``top`` is the value at the upper edge."""

    width: int
    top: float
    drawn: tuple[Drawn, ...]


def bars(*parts: tuple[str, Sequence[float]], is_open: bool = False) -> Chart:
    """For each step a bar, made of the parts (tone, values) from the ground up. ``is_open``: the last is under way."""
    steps = len(parts[0][1])
    top = nice_top(max((sum(one) for one in zip(*(values for _, values in parts), strict=True)), default=0))
    ground = [0.0] * steps
    drawn = []
    for tone, values in parts:
        paths = [_bar(step, ground[step], value, top) if value > 0 else "" for step, value in enumerate(values)]
        ground = [below + value for below, value in zip(ground, values, strict=True)]
        if is_open:
            drawn.append(Drawn("bar-open", tone, paths.pop()))
        drawn.append(Drawn("bar", tone, "".join(paths)))
    return Chart(steps, top, tuple(drawn))


def lines(*parts: tuple[str, Sequence[float | None]], least_top: float = 0.0) -> Chart:
    """A line for each (tone, values), with a gap where there is no value; below the first one an area."""
    steps = len(parts[0][1])
    highest = max((value for _, values in parts for value in values if value is not None), default=0)
    edge = max(nice_top(highest), least_top)
    drawn = [Drawn("area", parts[0][0], _areas(parts[0][1], edge))]
    drawn += [Drawn("line", tone, _line(values, edge)) for tone, values in parts]
    return Chart(steps, edge, tuple(drawn))


def ticks(ages_seconds: Sequence[float], length_seconds: float, steps: int) -> Chart:
    """How often something happened in each step of the time up to now."""
    counts = [0.0] * steps
    for age in ages_seconds:
        step = steps - 1 - int(age * steps / length_seconds)
        if 0 <= step < steps:
            counts[step] += 1
    return bars(("bad", counts))


def split(parts: Sequence[tuple[str, float]]) -> list[tuple[str, float, float]]:
    """Parts (tone, value) of a whole, as (tone, start, width) in hundredths of it."""
    whole = sum(value for _, value in parts) or 1
    drawn, start = [], 0.0
    for tone, value in parts:
        width = 100 * value / whole
        drawn.append((tone, round(start, 2), round(width, 2)))
        start += width
    return drawn


def nice_top(value: float) -> float:
    """The next round number above."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in _ROUND if factor * power >= value * 0.999)


def _bar(step: int, below: float, value: float, top: float) -> str:
    left, right = step + _GAP / 2, step + 1 - _GAP / 2
    return f"M{left:g} {_y(below, top)}H{right:g}V{_y(below + value, top)}H{left:g}z"


def _line(values: Sequence[float | None], top: float) -> str:
    return "".join(
        "M" + "L".join(f"{x:g} {_y(value, top)}" for x, value in run) + ("h.01" if len(run) == 1 else "")
        for run in _runs(values)
    )


def _areas(values: Sequence[float | None], top: float) -> str:
    return "".join(
        f"M{run[0][0]:g} {HEIGHT:g}L"
        + "L".join(f"{x:g} {_y(value, top)}" for x, value in run)
        + f"L{run[-1][0]:g} {HEIGHT:g}z"
        for run in _runs(values)
        if len(run) > 1
    )


def _runs(values: Sequence[float | None]) -> list[list[tuple[float, float]]]:
    """The stretches without a gap, as points in the middle of their steps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for step, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((step + 0.5, value))
    return [run for run in runs if run]


def _y(value: float, top: float) -> str:
    return f"{HEIGHT - HEIGHT * min(value / top, 1):.2f}".rstrip("0").rstrip(".")
