"""The status page of a real `flyball run`, in a real browser: sign in, look, approve, follow what came of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.lab import QUICK_JOBS, write_lab
from support.process import DaemonProgram, SandboxProgram
from unit.web.browser import PROGRAM, Browser, Tab

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: apt-get install chromium")

TOKEN = "open-sesame-for-tests"
RULES = """
rules:
  - id: held-back
    since: all
    each: project
    mode: approve
    if: project.label == 'tome'
    do:
      - tag: {on: project, set: {CHECKED: true}}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProgram]:
    """With a token, and one effect that waits for approval."""
    folder = tmp_path_factory.mktemp("page")
    with SandboxProgram(folder, {"jobs": QUICK_JOBS}) as box:
        http = {"port": 0, "token": "env:FLYBALL_TOKEN"}
        config = write_lab(folder, box.key, RULES, http=http, site={"poll": {"every": "500ms"}})
        with DaemonProgram(config, {"FLYBALL_TOKEN": TOKEN}) as running:
            yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


async def shows(tab: Tab, *texts: str) -> None:
    """Wait until the page shows all of these."""
    for text in texts:
        await tab.until(f"document.body.innerText.includes({text!r})")


async def test_from_signing_in_to_the_whole_story(daemon: DaemonProgram, browser: Browser) -> None:
    """What the fakes promise of the daemon's answers holds: every view shows the real ones."""
    async with browser.tab() as tab:
        await tab.goto(daemon.listening())
        await tab.until("document.activeElement.id === 'token'")
        await tab.type(TOKEN)
        await tab.run("document.querySelector('form').requestSubmit()")
        await tab.until("document.querySelectorAll('#held tbody tr').length === 1")
        await shows(tab, "+ tag CHECKED  scien/tome".replace("  ", " "), "answers")
        await tab.run("document.querySelector('#held button').click()")
        await tab.until("document.querySelector('#token-dialog').open")
        await tab.type(TOKEN)
        await tab.press("Enter", 13, text="\r")
        await tab.until("document.querySelector('#held').parentElement.hidden")
        await tab.until("document.querySelector('#headline').innerText === 'All is well'")
        await tab.until("document.querySelector('#recent .chip')?.innerText === 'done'")
        await tab.run("document.querySelector('#recent a').click()")
        await shows(tab, "Attempts", "Because", "project.label == 'tome'")
        await tab.until("document.querySelectorAll('#view table')[1].tBodies[0].rows.length >= 1")
        await tab.run("document.querySelector('#view .facts a[href^=\"#/target/\"]').click()")
        await tab.until("document.querySelectorAll('.story li').length >= 3")
        await shows(tab, "asked for", "decided", "held-back")
        await tab.run("location.hash = '#/why?rule=held-back&target=scien%2Ftome'")
        await shows(tab, "The condition holds.", "project.label = tome")
        await tab.run("location.hash = '#/rule/held-back'")
        await shows(tab, "1 yes", "1 done", "Pause")
        await tab.run("[...document.querySelectorAll('#view button')].find((one) => one.innerText === 'Pause').click()")
        await shows(tab, "held-back is paused", "Resume")
        assert [line for line in tab.trouble if "401" not in line] == []
