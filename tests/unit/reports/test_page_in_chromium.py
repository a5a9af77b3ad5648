"""The page in a browser: at phone and desk width, light and dark, nothing sticks out and nothing is complained of."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.reports.kit import Lab
from unit.reports.test_page import lab, made
from unit.web.browser import PROGRAM, chromium

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine")


def wide() -> Lab:
    """Labels without a place to break, and more kinds of acquisitions than fit beside one another."""
    rows = Lab()
    session = rows.session(rows.subject("W" * 70), "W" * 70)
    for number in range(70):
        rows.file(
            rows.acquisition(session, f"task-{number:03}_run-01"), "W" * 70, metrics={"snr": 2.0}, scanner="W" * 70
        )
    return rows


async def test_no_width_is_too_small(tmp_path: Path) -> None:
    """No sideways scrolling of the page, no message of the console, and a colour of its own in the dark."""
    pages = {}
    for kind in ("demographics", "overview", "qc", "gear-status"):
        pages[kind] = tmp_path / f"{kind}.html"
        pages[kind].write_text(made(kind, lab())[0])
    for kind in ("overview", "qc"):
        pages[f"wide {kind}"] = tmp_path / f"wide {kind}.html"
        pages[f"wide {kind}"].write_text(made(kind, wide())[0])
    (tmp_path / "profile").mkdir()
    async with chromium(tmp_path / "profile") as tab:
        for kind, path in pages.items():
            for width, dark in ((390, False), (1280, True)):
                await tab.size(width, 900, dark=dark)
                await tab.goto(path.as_uri())
                assert await tab.until("document.readyState === 'complete' && document.title.length > 0"), kind
                assert await tab.run("document.documentElement.scrollWidth <= innerWidth"), (kind, width)
                assert await tab.run("document.scripts.length") == 0
                shown = await tab.run("getComputedStyle(document.body).backgroundColor")
                assert shown == ("rgb(20, 24, 27)" if dark else "rgb(248, 246, 241)")
        assert tab.trouble == []
