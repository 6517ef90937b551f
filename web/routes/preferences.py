"""Language and theme, kept in cookies so that visitors have them too."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from web import i18n
from web.deps import FormDep, PageDep

router = APIRouter()
YEAR = 365 * 24 * 3600


def safe_path(path: str, fallback: str = "/") -> str:
    """A path on this site to go back to; anything else becomes the fallback."""
    if path.startswith("/") and not path.startswith(("//", "/\\")) and "\n" not in path and "\r" not in path:
        return path
    return fallback


@router.post("/preferences")
def set_preferences(page: PageDep, form: FormDep) -> Response:
    """Set what was sent of language and theme and go back."""
    response = page.redirect(safe_path(form.value("next")))
    if form.value("lang") in i18n.LANGUAGES:
        response.set_cookie("lang", form.value("lang"), max_age=YEAR, samesite="lax")
    if form.value("theme") in ("auto", "light", "dark"):
        response.set_cookie("theme", form.value("theme"), max_age=YEAR, samesite="lax")
    return response
