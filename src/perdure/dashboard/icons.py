"""The icons: drawn here on a grid of 16, as strokes in the colour of the text. They only go with words, and say nothing
to a screen reader.
"""

from __future__ import annotations

from markupsafe import Markup

_SHAPES = {
    # Places
    "overview": '<path d="M2.5 9.5 6 6l2.5 2.5 5-5"/><path d="M2.5 13.5h11"/>',
    "jobs": '<path d="M5.5 4h8M5.5 8h8M5.5 12h8"/><path d="M2.5 4h.01M2.5 8h.01M2.5 12h.01"/>',
    "notifications": '<rect x="2" y="3.5" width="12" height="9" rx="1.5"/><path d="m2.5 5 5.5 4 5.5-4"/>',
    "inbox": '<path d="M2 9.5 4 3.5h8l2 6v3H2z"/><path d="M2 9.5h3.5l1 1.5h3l1-1.5H14"/>',
    "queues": '<path d="m8 2.5 5.5 2.75L8 8 2.5 5.25z"/><path d="M2.5 8 8 10.75 13.5 8"/>'
    '<path d="M2.5 10.75 8 13.5l5.5-2.75"/>',
    "schedules": '<rect x="2.5" y="3.5" width="11" height="10" rx="1.5"/><path d="M2.5 6.5h11M5.5 2v2.5M10.5 2v2.5"/>',
    "workers": '<rect x="2.5" y="2.5" width="11" height="4.5" rx="1"/>'
    '<rect x="2.5" y="9" width="11" height="4.5" rx="1"/>'
    '<path d="M5 4.75h.01M5 11.25h.01"/>',
    "types": '<path d="M8 2 13.5 5v6L8 14l-5.5-3V5z"/><path d="M2.5 5 8 8l5.5-3M8 8v6"/>',
    "docs": '<path d="M3.5 2.5h6l3 3v8h-9z"/><path d="M9.5 2.5v3h3M5.5 8.5h5M5.5 11h3"/>',
    # Deeds
    "search": '<circle cx="7" cy="7" r="4.25"/><path d="m10.25 10.25 3.25 3.25"/>',
    "retry": '<path d="M13 8a5 5 0 1 1-1.6-3.67"/><path d="M13 2v3h-3"/>',
    "cancel": '<circle cx="8" cy="8" r="5.5"/><path d="M4.2 4.2l7.6 7.6"/>',
    "copy": '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M3.5 10.5h-1v-8h8v1"/>',
    "pause": '<path d="M5.5 3.5v9M10.5 3.5v9"/>',
    "play": '<path d="M4.5 3 12.5 8l-8 5z"/>',
    "close": '<path d="m4 4 8 8M12 4l-8 8"/>',
    "plus": '<path d="M8 3v10M3 8h10"/>',
    "filter": '<path d="M2.5 4h11M4.5 8h7M6.5 12h3"/>',
    "download": '<path d="M8 2.5v8M4.75 7.5 8 10.75l3.25-3.25M3 13.5h10"/>',
    "upload": '<path d="M8 10.5v-8M4.75 5.5 8 2.25l3.25 3.25M3 13.5h10"/>',
    "send": '<path d="m2.5 8 11-5-4 10.5-2-4z"/><path d="m7.5 9.5 2.5-3"/>',
    "edit": '<path d="m10.5 3 2.5 2.5L6 12.5l-3 .5.5-3z"/>',
    "menu": '<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/>',
    "keyboard": '<rect x="1.5" y="4" width="13" height="8" rx="1.5"/>'
    '<path d="M4.5 7h.01M7 7h.01M9.5 7h.01M12 7h.01M5.5 9.5h5"/>',
    "sign_out": '<path d="M6.5 2.5h-3v11h3M7 8h6.5M11 5.5 13.5 8 11 10.5"/>',
    "light": '<circle cx="8" cy="8" r="2.75"/><path d="M8 1.5v1.25M8 13.25v1.25M1.5 8h1.25M13.25 8h1.25M3.4 3.4l.9.9'
    'M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9"/>',
    "dark": '<path d="M13.25 9.6A5.5 5.5 0 1 1 6.4 2.75a4.5 4.5 0 0 0 6.85 6.85z"/>',
    "system": '<rect x="2" y="3" width="12" height="8" rx="1.5"/><path d="M6 13.5h4"/>',
    "next": '<path d="m6 3.5 4.5 4.5L6 12.5"/>',
    "previous": '<path d="M10 3.5 5.5 8l4.5 4.5"/>',
    "down": '<path d="m3.5 6 4.5 4.5L12.5 6"/>',
    "warning": '<path d="M8 2.5 14 13H2z"/><path d="M8 6.5v3M8 11.25h.01"/>',
    "info": '<circle cx="8" cy="8" r="5.5"/><path d="M8 7.5v3M8 5.25h.01"/>',
    # Tones of states
    "plan": '<circle cx="8" cy="8" r="5.25"/><path d="M8 5v3.25l2 1.25"/>',
    "wait": '<circle cx="8" cy="8" r="5.25" stroke-dasharray="2.2 2"/>',
    "busy": '<circle cx="8" cy="8" r="5.25" opacity=".35"/><path d="M8 2.75A5.25 5.25 0 0 1 13.25 8"/>',
    "again": '<path d="M13 8a5 5 0 1 1-1.6-3.67"/><path d="M13 2.25V5h-2.75"/>',
    "held": '<circle cx="8" cy="8" r="5.25"/><path d="M6.5 6v4M9.5 6v4"/>',
    "good": '<circle cx="8" cy="8" r="5.25"/><path d="m5.5 8.2 1.75 1.7 3.25-3.6"/>',
    "bad": '<circle cx="8" cy="8" r="5.25"/><path d="m6 6 4 4M10 6l-4 4"/>',
    "still": '<circle cx="8" cy="8" r="5.25"/><path d="M5.5 8h5"/>',
}


def icon(name: str) -> Markup:
    """Raises ``KeyError`` for one that was never drawn."""
    return Markup('<svg class="icon icon-{}" viewBox="0 0 16 16" aria-hidden="true">').format(name) + Markup(  # noqa: S704
        f"{_SHAPES[name]}</svg>"
    )
