"""Values as they are written on pages."""

from datetime import UTC, datetime, timedelta

import pytest

from perdure.dashboard import formats

NOW = datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((None, "\N{EN DASH}"), (0, "0 ms"), (0.0004, "0 ms"), (0.34, "340 ms"), (0.9996, "1 s"), (1.25, "1.2 s")),
        *((9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3_600, "1 h"), (11_530, "3 h 12 min")),
        *((86_400, "1 d"), (356_400, "4 d 3 h")),
    ],
)
def test_durations(seconds, said):
    assert formats.duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "now"), (-0.9, "now"), (5, "5 s ago"), (-90, "in 1 min"), (7_300, "2 h ago"), (200_000, "2 d ago")],
)
def test_relative_times(seconds, said):
    assert formats.relative(NOW - timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (999, "999"), (1_000, "1k"), (1_250, "1.2k"), (12_340, "12.3k"), (123_400, "123k"), (5_600_000, "5.6M")],
)
def test_compact_numbers(value, said):
    assert formats.compact(value) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "\N{EN DASH}"), (0, 9, "0 %"), (1, 200, "0.5 %"), (1, 3, "33 %"), (3, 3, "100 %")],
)
def test_shares(part, whole, said):
    assert formats.percent(part, whole) == said


@pytest.mark.parametrize(("count", "said"), [(0, "0 B"), (999, "999 B"), (1_234, "1.2 kB"), (5_400_000, "5.4 MB")])
def test_sizes(count, said):
    assert formats.size(count) == said


def test_json_keeps_its_text_and_is_no_markup():
    text = formats.pretty({"a<b>": ['"<script>"', -1.5e3, True, None], "key": "key: 1"})
    shown = formats.json_marks(text)
    assert "<script>" not in shown
    assert '<span class="json-key">&#34;a&lt;b&gt;&#34;</span>' in shown
    assert shown.striptags() == " ".join(text.split())
