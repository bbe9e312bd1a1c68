"""A plot as SVG: a panel of bars per work, the median as the bar, smallest and largest as its whisker."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment

from benchmarks.figures import Summary

WIDTH = 560
NAME_WIDTH = 130
VALUE_WIDTH = 60
ROW = 22
HEAD = 34

_TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" font-family="system-ui, sans-serif" \
font-size="12" role="img" aria-label="Benchmark figures">
<style>
text { fill: #24292f } .bar { fill: #8c959f } .ours { fill: #0f766e } .whisker { stroke: #24292f; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .bar { fill: #6e7681 } .ours { fill: #2dd4bf } .whisker { stroke: #e6edf3 } }
</style>
{% for panel in panels %}
<text x="0" y="{{ panel.y + 18 }}" font-weight="600">{{ panel.title }}</text>
{% for row in panel.rows %}
<text x="{{ name_width - 8 }}" y="{{ row.y + 14 }}" text-anchor="end">{{ row.name }}</text>
<rect class="{{ 'ours' if row.ours else 'bar' }}" x="{{ name_width }}" y="{{ row.y + 3 }}" width="{{ row.bar }}" \
height="14" rx="2"/>
<path class="whisker" d="M{{ row.from }} {{ row.y + 10 }}H{{ row.to }}"/>
<text x="{{ row.label }}" y="{{ row.y + 14 }}">{{ row.value }}</text>
{% endfor %}
{% endfor %}
</svg>
""")


def bars(summaries: Sequence[Summary], works: Sequence[str]) -> str:
    """One panel for each of ``works`` that has figures, in their order, the best system first."""
    panels = []
    y = 0
    for work in works:
        of_work = [one for one in summaries if one.work == work]
        if of_work:
            panels.append(_panel(work, of_work, y))
            y += HEAD + ROW * len(of_work)
    return _TEMPLATE.render(panels=panels, width=WIDTH, height=y + 8, name_width=NAME_WIDTH)


def _panel(work: str, of_work: Sequence[Summary], y: int) -> dict[str, object]:
    more_is_better = of_work[0].unit == "1/s"
    ordered = sorted(of_work, key=lambda one: one.median, reverse=more_is_better)
    scale = (WIDTH - NAME_WIDTH - VALUE_WIDTH) / max(one.largest for one in of_work)
    unit = "jobs a second, more is better" if more_is_better else f"{of_work[0].unit}, less is better"
    return {
        "title": f"{work} ({unit})",
        "y": y,
        "rows": [
            {
                "y": y + HEAD - 6 + ROW * number,
                "name": one.system,
                "ours": one.system.startswith("perdure"),
                "bar": round(max(one.median * scale, 1)),
                "from": round(NAME_WIDTH + one.smallest * scale),
                "to": round(NAME_WIDTH + one.largest * scale),
                "label": round(NAME_WIDTH + max(one.largest, one.median) * scale + 6),
                "value": f"{one.median:,.0f}" if one.median >= 100 else f"{one.median:.3g}",
            }
            for number, one in enumerate(ordered)
        ],
    }
