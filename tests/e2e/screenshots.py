"""Pictures of the main pages, in both languages, wide and on a phone.

    python -m tests.e2e.screenshots FOLDER [--dark]

Makes a demo market of its own, serves it, takes the pictures (`NAME-LANGUAGE.png`,
`NAME-LANGUAGE-phone.png`; with --dark also `NAME-LANGUAGE-dark.png`), and takes it down.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import services
from tests.e2e.conftest import BROWSER_FLAGS, HOW_BROWSER, environment, free_port, run_market, start, stop
from tests.e2e.site import DESKTOP, LANGUAGES, PHONE, Site


def take(site: Site, folder: Path, *, dark: bool) -> int:
    """Write the pictures; returns how many."""
    looks = [("", "light", DESKTOP), ("-phone", "light", PHONE)]
    if dark:
        looks.append(("-dark", "dark", DESKTOP))
    count = 0
    for visit in site.main_pages():
        person = None if visit.role is None else site.person(visit.role)
        for language in LANGUAGES:
            for suffix, theme, viewport in looks:
                context = site.context(person, language=language, theme=theme, viewport=viewport)
                page = site.visit(context, visit)
                page.wait_for_timeout(600)  # the room's first frames
                page.screenshot(path=folder / f"{visit.name}-{language}{suffix}.png", full_page=True)
                context.close()
                count += 1
    return count


def main() -> None:
    """Serve, look, take down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dark", action="store_true", help="also in the dark theme")
    options = parser.parse_args()
    program = services.chromium()
    if program is None:
        parser.exit(1, f"Chromium is not here: {HOW_BROWSER}\n")
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pictures") as name:
        home, port = Path(name), free_port()
        variables = environment(home, port, MARKET_DEMO="true")
        run_market(variables, "migrate")
        run_market(variables, "demo")
        served = start(home, variables, port)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
                print(f"{take(Site(served, browser), options.folder, dark=options.dark)} pictures")
                browser.close()
        finally:
            stop(served)


if __name__ == "__main__":
    main()
