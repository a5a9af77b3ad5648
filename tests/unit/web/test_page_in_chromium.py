"""The status page in a real browser: what it shows, live, at several widths, and under its own strict policy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from unit.web.browser import PROGRAM, Tab, chromium
from unit.web.conftest import TOKEN, Make, Site
from unit.web.fakes import STATES, FakeDaemon, effect, rule
from unit.web.fakes import site as a_site

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: apt-get install chromium")

HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with chromium(tmp_path / "profile") as opened:
        await opened.size(1280, 900)
        yield opened


def busy() -> FakeDaemon:
    daemon = FakeDaemon()
    daemon.sites = {"main": a_site(), "pilot": a_site(ok=False, error="401: the key is not accepted", lag_s=312.0)}
    counts = dict.fromkeys(STATES, 0)
    daemon.known_rules = {
        "bold-qc": rule(effects={**counts, "done": 1412}),
        "broken": rule(title="broken", rejected="mine.yaml:3:5: unknown key `wehn`; did you mean `when`?"),
    }
    daemon.known_effects = [
        effect(9, "running"),
        effect(8, summary=HOSTILE),
        effect(7, "failed", error="input t2 is no file of type nifti"),
        effect(6, "held", summary="launch recon-all  scien/tome/ex9", error="canary: 3 launched"),
    ]
    target = {"level": "session", "id": "s", "path": HOSTILE}
    daemon.known_alerts = [{"id": "1", "rule": "protocol", "title": HOSTILE, "target": target, "severity": "error"}]
    return daemon


async def text(tab: Tab, selector: str) -> str:
    found: str = await tab.run(f"document.querySelector({selector!r}).innerText")
    return found


async def show(tab: Tab, site: Site) -> None:
    await tab.goto(site.url)
    await tab.until("typeof heard !== 'undefined' && heard")


async def test_a_busy_daemon_is_shown(tab: Tab, make: Make) -> None:
    """Trouble on top, then sites, work, approvals, failures, alerts, rules, latest effects; no complaint of the browser."""
    await show(tab, await make(busy()))
    assert await text(tab, "#headline") == "Something needs attention"
    assert (await text(tab, "#troubles")).splitlines() == [
        "Site pilot401: the key is not accepted",
        "Rule brokenmine.yaml:3:5: unknown key `wehn`; did you mean `when`?",
    ]
    assert "no answer" in await text(tab, "#sites")
    assert "bold-qc" in await text(tab, "#now")
    assert "canary: 3 launched" in await text(tab, "#held")
    assert "input t2 is no file" in await text(tab, "#failed")
    assert "1,412" in await text(tab, "#rules")
    assert await tab.run("document.querySelectorAll('#recent tbody tr').length") == 4
    assert tab.trouble == []


async def test_labels_never_become_markup(tab: Tab, make: Make) -> None:
    """A label with a script in it is shown letter by letter, and nothing of it runs."""
    await show(tab, await make(busy()))
    assert HOSTILE in await text(tab, "#alerts")
    assert HOSTILE in await text(tab, "#recent")
    assert await tab.run("window.hit === undefined && document.querySelectorAll('main img, main script').length === 0")


async def test_changes_appear_by_themselves(tab: Tab, make: Make) -> None:
    """What happens on the daemon shows within a moment; a rule that goes is gone; unchanged rows stay as they are."""
    site = await make(busy())
    await show(tab, site)
    await tab.run("window.kept = document.querySelector('#failed tbody tr')")
    site.daemon.known_effects.insert(0, effect(10, summary="+ tag HIGH_FD  scien/tome/new"))
    del site.daemon.known_rules["broken"]
    site.clock.advance(timedelta(seconds=5))
    await tab.until("document.querySelector('#recent tbody').innerText.includes('scien/tome/new')")
    await tab.until("!document.querySelector('#rules').innerText.includes('broken')")
    assert await tab.run("window.kept === document.querySelector('#failed tbody tr')")
    assert tab.trouble == []


async def test_an_empty_daemon_says_so(tab: Tab, make: Make) -> None:
    """No empty tables: a sentence in each place."""
    await show(tab, await make())
    assert await text(tab, "#headline") == "Running without rules"
    assert await text(tab, "#sites") == "No site is configured."
    assert "No rule is loaded" in await text(tab, "#rules")
    assert await tab.run("[...document.querySelectorAll('table')].every((one) => !one.checkVisibility())")


async def test_all_is_well(tab: Tab, make: Make) -> None:
    """Ready, nothing failed: the page says it in words and in its title."""
    daemon = FakeDaemon()
    daemon.sites, daemon.known_rules = {"main": a_site()}, {"bold-qc": rule()}
    await show(tab, await make(daemon))
    assert await text(tab, "#headline") == "All is well"
    assert await tab.run("document.title") == "All is well · Flyball"


async def test_a_start_is_no_trouble(tab: Tab, make: Make) -> None:
    """A site that was not asked yet does not fail to answer."""
    daemon = FakeDaemon()
    daemon.state = "starting"
    daemon.sites = {"main": a_site(ok=False, last_poll=None, lag_s=None)}
    await show(tab, await make(daemon))
    assert await text(tab, "#headline") == "Starting"
    assert "not asked yet" in await text(tab, "#sites")
    assert await tab.run("document.querySelector('#troubles').hidden")


async def test_a_daemon_that_goes_away_is_noticed(tab: Tab, make: Make) -> None:
    """The page says that it is old, keeps what it knew, and comes back by itself."""
    site = await make(busy())
    await show(tab, site)
    await site.server.stop()
    await tab.until("document.querySelector('#headline').innerText === 'The daemon does not answer'")
    assert "What is shown is from" in await text(tab, "#subline")
    assert "1,412" in await text(tab, "#rules")
    again = await make(busy(), port=site.port)
    assert again.port == site.port
    await tab.until("document.querySelector('#headline').innerText === 'Something needs attention'")


@pytest.mark.parametrize("width", [360, 768, 1920])
async def test_the_page_fits_its_window(tab: Tab, make: Make, width: int) -> None:
    """Nothing sticks out sideways, from a phone to a wall."""
    await tab.size(width, 900, dark=width == 768)
    await show(tab, await make(busy()))
    assert await tab.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert await tab.run(
        "document.querySelector('#recent tbody tr').getBoundingClientRect().right <= window.innerWidth"
    )


async def test_a_thousand_rules_can_be_searched(tab: Tab, make: Make) -> None:
    """The first are shown, those with trouble on top; the others by name, or all on demand, from the keyboard."""
    daemon = busy()
    daemon.known_rules |= {f"rule-{number:03}": rule(title=f"Number {number}") for number in range(1000)}
    await show(tab, await make(daemon))
    rows = "document.querySelectorAll('#rules tbody tr').length"
    assert await tab.run(rows) == 60
    assert "broken" in await text(tab, "#rules tbody tr")
    await tab.run("document.querySelector('#sift').focus()")
    await tab.ask("Input.insertText", text="RULE-77")
    await tab.until(f"{rows} === 10")
    assert await text(tab, "#sifted") == "10 of 1,002"
    await tab.run("document.querySelector('#sift').value = ''; document.querySelector('#all').click()")
    await tab.until(f"{rows} === 1002")


async def test_signing_in(tab: Tab, make: Make) -> None:
    """The token opens the page; a wrong one does not, and is told so."""
    site = await make(busy(), token=TOKEN)
    await tab.goto(site.url)
    for token, next_sign in (
        ("wrong", "document.querySelector('.wrong') !== null"),
        (TOKEN, "document.querySelector('#rules') !== null"),
    ):
        await tab.until("document.activeElement.id === 'token' && !document.activeElement.value")
        await tab.ask("Input.insertText", text=token)
        await tab.run("document.querySelector('button').click()")
        await tab.until(next_sign)
    await tab.until("typeof heard !== 'undefined' && heard")
    assert await tab.run("document.cookie") == ""


async def test_the_page_can_be_used_without_a_mouse(tab: Tab, make: Make) -> None:
    """The first stop of the tabulator key leads past the header; every table can be reached and has a name."""
    await show(tab, await make(busy()))
    for kind in ("keyDown", "keyUp"):
        await tab.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert await tab.run("document.activeElement.className") == "skip"
    unnamed = "[...document.querySelectorAll('.sheet')].filter((one) => one.tabIndex !== 0 || !one.ariaLabel).length"
    assert await tab.run(unnamed) == 0
    heads = "[...document.querySelectorAll('tbody tr')].every((one) => one.querySelector('th[scope=row]'))"
    assert await tab.run(heads)
