"""The overview's four charts: how much was done, how much of it failed, how long jobs waited, how long they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from perdure.core.trends import Period, Trend
from perdure.dashboard import formats
from perdure.dashboard.charts import Chart, bars, lines
from perdure.models.history import MINUTE, Point, Quantiles

_ENDS = {
    Period.HOUR: ("60 min ago", "30 min ago"),
    Period.DAY: ("24 h ago", "12 h ago"),
    Period.WEEK: ("7 d ago", "3½ d ago"),
}
_LEAST_FAILURE_RATE = 0.05
"""The upper edge of a chart of failures lies no lower: one in a hundred is no mountain."""


@dataclass(frozen=True, slots=True)
class TrendChart:
    """A chart with what stands around it; ``rows`` are the same numbers as text, one row a step."""

    name: str
    value: str
    note: str
    chart: Chart
    top: str
    axis: tuple[str, str, str]
    legend: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def charts_of(period: Period, trend: Trend) -> list[TrendChart]:
    axis = (*_ENDS[period], "now")
    at = [_moment(period, point.at) for point in trend.points]
    return [
        _throughput(trend, axis, at),
        _failures(trend, axis, at),
        _seconds("Median wait", "Due to started", trend, axis, period, waits=True),
        _seconds("Median duration", "Of an attempt", trend, axis, period, waits=False),
    ]


def _throughput(trend: Trend, axis: tuple[str, str, str], at: Sequence[str]) -> TrendChart:
    succeeded, failed = ([getattr(point, name) for point in trend.points] for name in ("succeeded", "failed"))
    chart = bars(("bad", failed), ("accent", succeeded), is_open=True)
    ended = trend.whole.succeeded + trend.whole.failed
    minutes = len(trend.points) * trend.step_seconds / MINUTE
    return TrendChart(
        name="Throughput",
        value=f"{formats.compact(ended / minutes)} / min",
        note=f"{formats.plural(ended, 'job')} ended",
        chart=chart,
        top=f"{formats.compact(chart.top)} / {formats.duration(trend.step_seconds)}",
        axis=axis,
        legend=(("accent", "succeeded"), ("bad", "failed")),
        columns=("At (UTC)", "succeeded", "failed"),
        rows=[
            (when, formats.number(good), formats.number(bad))
            for when, good, bad in zip(at, succeeded, failed, strict=True)
        ],
    )


def _failures(trend: Trend, axis: tuple[str, str, str], at: Sequence[str]) -> TrendChart:
    rates = [_failure_rate(point) for point in trend.points]
    chart = lines(("bad", rates), least_top=_LEAST_FAILURE_RATE)
    whole = trend.whole
    return TrendChart(
        name="Failure rate",
        value=formats.percent(whole.failed, whole.failed + whole.succeeded),
        note=f"{formats.plural(whole.failed, 'job')} failed; {formats.plural(whole.retried, 'attempt')} tried again",
        chart=chart,
        top=formats.percent(chart.top, 1),
        axis=axis,
        legend=(),
        columns=("At (UTC)", "failed"),
        rows=[
            (when, formats.percent(point.failed, point.failed + point.succeeded))
            for when, point in zip(at, trend.points, strict=True)
        ],
    )


def _failure_rate(point: Point) -> float | None:
    ended = point.failed + point.succeeded
    return point.failed / ended if ended else None


def _seconds(
    name: str, of: str, trend: Trend, axis: tuple[str, str, str], period: Period, *, waits: bool
) -> TrendChart:
    def quantiles(point: Point) -> Quantiles:
        return point.wait_seconds if waits else point.duration_seconds

    whole, spans = quantiles(trend.whole), [quantiles(point) for point in trend.spans]
    chart = lines(("accent", [one.p50 for one in spans]), ("again", [one.p95 for one in spans]))
    return TrendChart(
        name=name,
        value=formats.duration(whole.p50),
        note=f"{of}; 95 % within {formats.duration(whole.p95)}, 99 % within {formats.duration(whole.p99)}",
        chart=chart,
        top=formats.duration(chart.top),
        axis=axis,
        legend=(("accent", "median"), ("again", "95 %")),
        columns=("At (UTC)", "median", "95 %"),
        rows=[
            (_moment(period, point.at), formats.duration(one.p50), formats.duration(one.p95))
            for point, one in zip(trend.spans, spans, strict=True)
        ],
    )


def _moment(period: Period, at: datetime) -> str:
    return f"{at:%a %H:%M}" if period is Period.WEEK else f"{at:%H:%M}"
