"""The page in a browser: at phone and desk width, light and dark, nothing sticks out and nothing is complained of."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.reports.test_page import lab, made
from unit.web.browser import PROGRAM, chromium

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine")


async def test_no_width_is_too_small(tmp_path: Path) -> None:
    """No sideways scrolling of the page, no message of the console, and a colour of its own in the dark."""
    pages = {}
    for kind in ("demographics", "overview", "qc", "gear-status"):
        pages[kind] = tmp_path / f"{kind}.html"
        pages[kind].write_text(made(kind, lab())[0])
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
