"""Acting from the status page, signing in and out, and the page without a mouse or without eyes."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest

from unit.web.browser import PROGRAM, Tab
from unit.web.conftest import TOKEN, Make, Site
from unit.web.scenes import HOSTILE, busy, open_view, show, text

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: apt-get install chromium")

AXE = (files("axe_core_python") / "axe.min.js").read_text("utf-8")
APPROVE = "document.querySelector('#held button').click()"
FORM_ALONE = "document.querySelector('#overview') === null && document.querySelector('#token') !== null"
DIALOG = "document.querySelector('#token-dialog').open"


async def sign_in(tab: Tab, site: Site) -> None:
    await tab.goto(site.url)
    await tab.until("document.activeElement.id === 'token'")
    await tab.type(TOKEN)
    await tab.run("document.querySelector('form').requestSubmit()")
    await tab.until("typeof heard !== 'undefined' && heard")


async def test_signing_in_and_out(tab: Tab, make: Make) -> None:
    """The token opens the page; a wrong one does not, and is told so; scripts see no cookie; signing out ends it."""
    site = await make(busy(), token=TOKEN)
    await tab.goto(site.url)
    await tab.until("document.activeElement.id === 'token'")
    await tab.type("wrong")
    await tab.run("document.querySelector('button').click()")
    await tab.until("document.querySelector('.wrong') !== null")
    await sign_in(tab, site)
    assert await tab.run("document.cookie") == ""
    await tab.run("document.querySelector('#sign-out button').click()")
    await tab.until(FORM_ALONE)
    await tab.goto(site.url)
    assert await tab.run(FORM_ALONE)


async def test_approving_takes_the_token_once(tab: Tab, make: Make) -> None:
    """The dialog asks for it, a wrong one is told, the right one acts; it is asked for once and stored nowhere."""
    daemon = busy()
    daemon.known_effects.append({**daemon.known_effects[-1], "id": "5", "summary": "launch recon-all  scien/tome/ex8"})
    site = await make(daemon, token=TOKEN)
    await sign_in(tab, site)
    await tab.run(APPROVE)
    await tab.until(DIALOG)
    await tab.type("wrong")
    await tab.press("Enter", 13, text="\r")
    await tab.until("!document.querySelector('#token-wrong').hidden")
    assert not [verb for verb, _ in daemon.asked if verb == "approve"]
    await tab.type(TOKEN)
    await tab.press("Enter", 13, text="\r")
    await tab.until("document.querySelector('#told').innerText.startsWith('Approved')")
    site.clock.advance(timedelta(seconds=5))
    await tab.until("document.querySelectorAll('#held tbody tr').length === 1")
    await tab.run(APPROVE)
    await tab.until("document.querySelector('#told').innerText.includes('ex8')")
    site.clock.advance(timedelta(seconds=5))
    await tab.until("document.querySelector('#held').parentElement.hidden")
    assert [what for what in daemon.asked if what[0] == "approve"] == [
        ("approve", {"effect": "6"}),
        ("approve", {"effect": "5"}),
    ]
    kept = "JSON.stringify([localStorage, sessionStorage, document.cookie, document.documentElement.outerHTML])"
    assert TOKEN not in await tab.run(kept)
    assert await tab.run("document.querySelector('#token').value") == ""


async def test_a_dialog_that_is_left_does_nothing(tab: Tab, make: Make) -> None:
    """Escape, or the button beside: nothing is asked of the daemon, and the button can be pressed again."""
    site = await make(busy(), token=TOKEN)
    await sign_in(tab, site)
    for leave in ("escape", "button"):
        await tab.run(APPROVE)
        await tab.until(DIALOG)
        if leave == "escape":
            await tab.press("Escape", 27)
        else:
            await tab.run("document.querySelector('#token-cancel').click()")
        await tab.until(f"!{DIALOG} && !document.querySelector('#held button').disabled")
    assert not [verb for verb, _ in site.daemon.asked if verb in ("approve", "reject")]


async def test_what_the_daemon_refuses_is_told(tab: Tab, make: Make) -> None:
    """A refusal is shown in the daemon's own words."""
    site = await make(busy(), token=TOKEN)
    await sign_in(tab, site)
    await tab.run("document.querySelectorAll('#held button')[1].click()")
    await tab.until(DIALOG)
    await tab.type(TOKEN)
    await tab.press("Enter", 13, text="\r")
    await tab.until("document.querySelector('#told').innerText.includes('only held ones can be rejected')")


async def test_without_a_token_nothing_can_be_pressed(tab: Tab, make: Make) -> None:
    """No button promises what would be refused; the page says how else."""
    await show(tab, await make(busy()))
    assert "flyball approve ID" in await text(tab, "#held-note")
    assert await tab.run("document.querySelectorAll('#held button').length") == 0
    await open_view(tab, "#/rule/bold-qc", HOSTILE)
    assert await tab.run("[...document.querySelectorAll('#view button')].every((one) => !one.checkVisibility())")


async def test_a_session_that_ends_leads_to_the_form(tab: Tab, make: Make) -> None:
    """A page whose cookie is no longer good does not stay open with old figures: it asks for the token."""
    site = await make(busy(), token=TOKEN)
    await sign_in(tab, site)
    await tab.ask("Network.clearBrowserCookies")
    await tab.run("location.hash = '#/effects'")
    await tab.until(FORM_ALONE)


async def test_the_page_can_be_used_without_a_mouse(tab: Tab, make: Make) -> None:
    """The first stop leads past the header; every table has a name; a view that opens takes the focus."""
    await show(tab, await make(busy()))
    await tab.press("Tab", 9)
    assert await tab.run("document.activeElement.className") == "skip"
    await tab.press("Enter", 13, text="\r")
    await tab.until("document.activeElement.id === 'main'")
    unnamed = "[...document.querySelectorAll('.sheet')].filter((one) => one.tabIndex !== 0 || !one.ariaLabel).length"
    assert await tab.run(unnamed) == 0
    heads = "[...document.querySelectorAll('tbody tr')].every((one) => one.querySelector('th[scope=row]'))"
    assert await tab.run(heads)
    await tab.run("document.querySelector('nav a[href=\"#/effects\"]').focus()")
    await tab.press("Enter", 13, text="\r")
    await tab.until("document.activeElement.className === 'title'")
    assert await tab.run("document.querySelector('nav [aria-current]').innerText") == "Effects"


async def violations(tab: Tab) -> list[Any]:
    """What axe-core finds wrong: rule, and the elements."""
    if not await tab.run("'axe' in window"):
        await tab.run(f"{AXE}; true")
    said = await tab.run("axe.run(document, {resultTypes: ['violations']})")
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in said["violations"]]


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
async def test_axe_finds_nothing(tab: Tab, make: Make, look: str) -> None:
    """Contrast, names, roles, order of headings: in every view, by light and by night, wide and narrow."""
    await tab.size(390 if look == "phone" else 1280, 900, dark=look == "dark")
    site = await make(busy(), token=TOKEN)
    await tab.goto(site.url)
    await tab.until("document.activeElement.id === 'token'")
    assert await violations(tab) == []
    await sign_in(tab, site)
    assert await violations(tab) == []
    views = [
        "#/target/5f0000000000000000000001",
        "#/effects",
        "#/effect/8",
        "#/rule/bold-qc",
        "#/why?rule=bold-qc&target=x",
    ]
    for view in views if look == "light" else views[:2]:
        await open_view(tab, view, HOSTILE)
        assert await violations(tab) == [], view
    await tab.run("location.hash = '#/'")
    await tab.run(APPROVE)
    await tab.until(DIALOG)
    assert await violations(tab) == []
    assert tab.trouble == [] or all("401" in line for line in tab.trouble)
