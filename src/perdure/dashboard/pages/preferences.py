"""What somebody likes: light or dark, and whether keys of the keyboard do something. Remembered by their browser."""

from __future__ import annotations

from fastapi.responses import Response

from perdure.dashboard.page import SHORTCUTS_COOKIE, THEME_COOKIE, THEMES, YEAR_SECONDS, PagePart
from perdure.dashboard.parts import FormPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import for_everybody

router = pages_router()


@router.post("/preferences", dependencies=[for_everybody()])
async def prefer(page: PagePart, form: FormPart) -> Response:
    """Remembers what the form says; a theme that is none means that of the system."""
    response = page.back_to(form.get("back") or "/")
    theme, shortcuts = form.get("theme"), form.get("shortcuts")
    if theme in THEMES:
        page.keep(response, THEME_COOKIE, str(theme), seconds=YEAR_SECONDS, http_only=True)
    elif theme is not None:
        response.delete_cookie(THEME_COOKIE)
    if shortcuts == "off":
        page.keep(response, SHORTCUTS_COOKIE, "off", seconds=YEAR_SECONDS, http_only=True)
    elif shortcuts is not None:
        response.delete_cookie(SHORTCUTS_COOKIE)
    return response
