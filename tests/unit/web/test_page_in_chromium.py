"""The status page in a real browser: what it shows, live, at several widths, and under its own strict policy."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from flyball.model.errors import FlyballError
from unit.web.browser import DEADLINE, PROGRAM, Tab
from unit.web.conftest import Make
from unit.web.fakes import FakeDaemon, effect, rule
from unit.web.fakes import site as a_site
from unit.web.scenes import HOSTILE, busy, open_view, show, text

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: apt-get install chromium")


async def test_a_busy_daemon_is_shown(tab: Tab, make: Make) -> None:
    """Trouble on top, then approvals, failures, sites, work, alerts, rules, effects; no complaint of the browser."""
    await show(tab, await make(busy()))
    assert await text(tab, "#headline") == "Site pilot is not being read"
    assert (await text(tab, "#troubles")).splitlines() == [
        "Site pilot 401: the key is not accepted",
        "Rule broken mine.yaml:3:5: unknown key `wehn`; did you mean `when`?",
    ]
    assert "no answer" in await text(tab, "#sites")
    assert "bold-qc" in await text(tab, "#now")
    assert "canary: 3 launched" in await text(tab, "#held")
    assert "freesurfer-recon-all: not launched" in await text(tab, "#failures")
    assert "112" in await text(tab, "#failures")
    assert "1,412" in await text(tab, "#rules")
    assert await tab.run("document.querySelectorAll('#recent tbody tr').length") == 4
    assert tab.trouble == []


async def test_the_weather_is_drawn(tab: Tab, make: Make) -> None:
    """Three small charts a site, each with a sentence that says the same."""
    await show(tab, await make(busy()))
    titles = await tab.run("[...document.querySelectorAll('#sites .card:first-child svg')].map((one) => one.ariaLabel)")
    assert titles == [
        "Requests over the last 10 min: 0.3/s now, at most 3.9/s, 1 failed",
        "Requests that the site put off: 9 in 10 min",
        "How far behind over the last 10 min: at most 1 min",
    ]
    drawn = (
        "[...document.querySelectorAll('#sites .card:first-child path:not(.base)')].map((one) => one.getBBox().height)"
    )
    assert all(height > 0 for height in await tab.run(drawn))


async def test_labels_never_become_markup(tab: Tab, make: Make) -> None:
    """A label with a script in it is shown letter by letter in every view, and nothing of it runs."""
    await show(tab, await make(busy()))
    assert HOSTILE in await text(tab, "#alerts")
    assert HOSTILE in await text(tab, "#recent")
    for view in (
        "#/effect/8",
        "#/effects",
        "#/alerts",
        "#/events",
        "#/decisions",
        "#/target/5f0000000000000000000001",
        "#/rule/bold-qc",
        "#/why?rule=bold-qc&target=%3Cimg%20src%3Dx%20onerror%3D%22window.hit%3D1%22%3E",
    ):
        await open_view(tab, view, HOSTILE)
        assert await tab.run("window.hit === undefined && !document.querySelector('main img, main script')"), view
    assert tab.trouble == []


async def test_the_policy_is_in_force(tab: Tab, make: Make) -> None:
    """A script that gets into the page all the same does not run, and nothing is fetched from elsewhere."""
    await show(tab, await make(busy()))
    await tab.run(
        "{ const one = document.createElement('script'); one.text = 'window.hit = 1'; document.body.append(one) }"
    )
    assert await tab.run("window.hit === undefined")
    refused = "fetch('http://127.0.0.1:1/').then(() => 'sent', (error) => error.name)"
    assert await tab.run(refused) == "TypeError"
    async with asyncio.timeout(DEADLINE):
        while len([line for line in tab.trouble if "Content Security Policy" in line]) < 2:
            await tab.run("0")  # what the console says is heard while an answer is waited for


async def test_changes_appear_by_themselves(tab: Tab, make: Make) -> None:
    """What happens on the daemon shows within a moment; a rule that goes is gone; unchanged rows stay as they are."""
    site = await make(busy())
    await show(tab, site)
    await tab.run("window.kept = document.querySelector('#held tbody tr')")
    site.daemon.known_effects.insert(0, effect(10, summary="+ tag HIGH_FD  scien/tome/new"))
    del site.daemon.known_rules["broken"]
    site.clock.advance(timedelta(seconds=5))
    await tab.until("document.querySelector('#recent tbody').innerText.includes('scien/tome/new')")
    await tab.until("!document.querySelector('#rules').innerText.includes('broken')")
    assert await tab.run("window.kept === document.querySelector('#held tbody tr')")
    assert tab.trouble == []


async def test_an_empty_daemon_says_so(tab: Tab, make: Make) -> None:
    """No empty tables: a sentence in each place."""
    await show(tab, await make())
    assert await text(tab, "#headline") == "Running without rules"
    assert await text(tab, "#sites") == "No site is configured."
    assert "No rule is loaded" in await text(tab, "#rules")
    assert await tab.run("[...document.querySelectorAll('table')].every((one) => !one.checkVisibility())")
    await open_view(tab, "#/effects", "No effect is like this.")


async def test_all_is_well(tab: Tab, make: Make) -> None:
    """Ready, nothing failed: the page says it in words and in its title."""
    daemon = FakeDaemon()
    daemon.sites, daemon.known_rules = {"main": a_site()}, {"bold-qc": rule()}
    await show(tab, await make(daemon))
    assert await text(tab, "#headline") == "All is well"
    assert await tab.run("document.title") == "All is well · Flyball"


async def test_a_site_that_is_late_is_no_good_news(tab: Tab, make: Make) -> None:
    """No error, and nothing read for long: the page does not say that all is well."""
    daemon = FakeDaemon()
    daemon.sites, daemon.known_rules = {"main": a_site(lag_s=1200.0)}, {"bold-qc": rule()}
    await show(tab, await make(daemon))
    assert await text(tab, "#headline") == "Site main is not being read"
    assert "nothing was read for 20 min" in await text(tab, "#troubles")


async def test_a_start_is_no_trouble(tab: Tab, make: Make) -> None:
    """A site that was not asked yet does not fail to answer."""
    daemon = FakeDaemon()
    daemon.state = "starting"
    daemon.sites = {"main": a_site(ok=False, last_poll=None, lag_s=None)}
    await show(tab, await make(daemon))
    assert await text(tab, "#headline") == "Starting"
    assert "not asked yet" in await text(tab, "#sites")
    assert await tab.run("document.querySelector('#troubles').hidden")


async def test_a_broken_ledger_is_told(tab: Tab, make: Make) -> None:
    """The worst comes first, with its reason; what cannot be known is not made up."""
    daemon = busy()
    daemon.store = {"ok": False, "error": "the disk is full"}
    daemon.broken = FlyballError("the ledger cannot be read: disk I/O error")
    await show(tab, await make(daemon))
    assert await text(tab, "#headline") == "The ledger cannot be used"
    assert "disk I/O error" in await text(tab, "#troubles")


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
    await tab.until("document.querySelector('#headline').innerText === 'Site pilot is not being read'")


@pytest.mark.parametrize("width", [390, 768, 1280, 2560])
async def test_the_page_fits_its_window(tab: Tab, make: Make, width: int) -> None:
    """Nothing sticks out sideways, from a phone to a wall, in any view."""
    await tab.size(width, 900, dark=width == 768)
    await show(tab, await make(busy()))
    lines = "document.querySelector('#failures td a').getClientRects().length"
    assert await tab.run(lines) == 1  # the name of a rule is not broken up
    fits = "document.documentElement.scrollWidth <= window.innerWidth"
    assert await tab.run(fits)
    assert await tab.run(
        "document.querySelector('#recent tbody tr').getBoundingClientRect().right <= window.innerWidth"
    )
    for view in (
        "#/effects",
        "#/effect/8",
        "#/target/5f0000000000000000000001",
        "#/rule/bold-qc",
        "#/why?rule=bold-qc&target=x",
    ):
        await open_view(tab, view, HOSTILE)
        assert await tab.run(fits), view


async def test_a_thousand_rules_can_be_searched(tab: Tab, make: Make) -> None:
    """The first are shown, those with trouble on top; the others by name, or more on demand, from the keyboard."""
    daemon = busy()
    daemon.known_rules |= {f"rule-{number:03}": rule(title=f"Number {number}") for number in range(1000)}
    await show(tab, await make(daemon))
    rows = "document.querySelectorAll('#rules tbody tr').length"
    assert await tab.run(rows) == 20
    assert "broken" in await text(tab, "#rules tbody tr")
    await tab.run("document.querySelector('#sift').focus()")
    await tab.type("RULE-77")
    await tab.until(f"{rows} === 10")
    assert await text(tab, "#sifted") == "10 of 10 found"
    await tab.run("document.querySelector('#sift').value = ''; document.querySelector('#more-rules').click()")
    await tab.until(f"{rows} === 120")


async def test_of_a_long_list_only_what_is_seen_is_loaded(tab: Tab, make: Make) -> None:
    """Of twenty thousand effects one page is asked for, the next one on demand; new ones come in on top."""
    daemon = FakeDaemon()
    daemon.known_effects = [effect(number) for number in range(20_000, 0, -1)]
    site = await make(daemon)
    await show(tab, site, "#/effects")
    rows = "document.querySelectorAll('#view tbody tr').length"
    await tab.until(f"{rows} === 50")
    await tab.run("document.querySelector('.older button').click()")
    await tab.until(f"{rows} === 100")
    daemon.known_effects.insert(0, effect(20_001, summary="the newest"))
    site.clock.advance(timedelta(seconds=5))
    await tab.until("document.querySelector('#view tbody tr').innerText.includes('the newest')")
    assert await tab.run(rows) == 101
    assert {asked["limit"] for what, asked in daemon.asked if what == "effects"} == {25, 50}
    assert tab.trouble == []


async def test_a_target_has_its_whole_story(tab: Tab, make: Make) -> None:
    """Event, decision, effects and alert of one target, newest first, from all four lists."""
    daemon = busy()
    daemon.known_effects = [effect(8, summary="+ tag LOW_SNR", created="2026-11-20T14:03:00+00:00")]
    daemon.known_decisions[0]["decided"] = "2026-11-20T14:02:30+00:00"
    daemon.known_alerts[0]["since"] = "2026-11-20T14:04:00+00:00"
    await show(tab, await make(daemon))
    await tab.run(
        "document.querySelector('#jump-to').value = 'scien/tome'; document.querySelector('#jump').requestSubmit()"
    )
    await tab.until("document.querySelectorAll('.story li').length === 4")
    kinds = await tab.run("[...document.querySelectorAll('.story .kind')].map((one) => one.innerText)")
    assert kinds == ["alert", "asked for", "decided", "seen"]
    asked = {what for what, filters in daemon.asked if filters.get("target") == "scien/tome"}
    assert asked == {"events", "decisions", "effects", "alerts"}


async def test_why_is_asked_by_a_form(tab: Tab, make: Make) -> None:
    """Rule and target in, conditions with their values out; the address can be kept and sent."""
    site = await make(busy())
    await show(tab, site, "#/why")
    await tab.until("document.querySelector('#why-rule') !== null")
    await tab.run("document.querySelector('#why-rule').focus()")
    await tab.type("bold-qc")
    await tab.run("document.querySelector('#why-target').focus()")
    await tab.type("scien/tome/ex 1")
    await tab.press("Enter", 13, text="\r")
    await tab.until("document.querySelector('#view').innerText.includes('file.info.snr = 0.47')")
    assert await tab.run("location.hash") == "#/why?rule=bold-qc&target=scien%2Ftome%2Fex+1"
    assert ("why", {"rule": "bold-qc", "target": "scien/tome/ex 1"}) in site.daemon.asked


async def test_what_is_not_there_is_told(tab: Tab, make: Make) -> None:
    """The daemon's own words, and a way back; an unknown address shows the overview."""
    await show(tab, await make(busy()))
    await open_view(tab, "#/effect/999", "there is no effect '999'")
    await open_view(tab, "#/why?rule=nope&target=x", "there is no rule 'nope'")
    await tab.run("location.hash = '#/nonsense'")
    await tab.until("!document.querySelector('#overview').hidden")


async def test_silences_are_shown(tab: Tab, make: Make) -> None:
    """What is kept quiet until when and why, beside the alerts, which stay."""
    daemon = busy()
    until = "2026-11-21T07:00:00+00:00"
    daemon.more_status = {
        "silences": [{"id": "1", "rule": None, "project": "scien/*", "until": until, "because": HOSTILE}]
    }
    daemon.more_status |= {
        "messages": {"silence": 2, "digest": 1, "group": 0},
        "heartbeat": {"sent": None, "error": "502 from the monitor"},
    }
    await show(tab, await make(daemon))
    shown = await text(tab, "#silences")
    assert shown.startswith("silenced scien/* until ")
    assert shown.endswith(HOSTILE)
    assert HOSTILE in await text(tab, "#alerts")
    assert await text(tab, "#alerts-note") == "2 messages wait for a silence. 1 message waits for the digest."
    assert "Heartbeat is not heard: 502 from the monitor" in await text(tab, "#troubles")
