"""The HTML pages as texts: self-contained, and allowed nothing but themselves."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

import pytest

from flyball.web.pages import Page, sign_in_page, status_page


def digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("page", [status_page(), sign_in_page(), sign_in_page(wrong=True)])
def test_pages_are_self_contained(page: Page) -> None:
    """Nothing is fetched but from the daemon itself; no placeholder is left; no style or handler in an attribute."""
    assert not re.search(r"(?:src|href|action)=[\"'](?!/|#|data:)", page.html)
    assert not re.search(r"@import|url\(", page.html)
    assert not re.search(r"\son\w+=|\sstyle=", page.html)
    assert not re.search(r"/\*(?:STYLE|SCRIPT)\*/|<!--WRONG-->", page.html) or "WRONG" in page.html
    assert page.html.startswith("<!doctype html>")
    assert '<html lang="en">' in page.html


@pytest.mark.parametrize("page", [status_page(), sign_in_page()])
def test_the_policy_names_exactly_what_is_in_the_page(page: Page) -> None:
    """By hash; nothing inline or from elsewhere is allowed beside it."""
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", page.html, re.DOTALL)
        allowed = re.search(rf"{rule} ([^;]+)", page.policy)
        assert (allowed.group(1) if allowed else "") == " ".join(digest(text) for text in texts)
    assert "unsafe" not in page.policy
    assert page.policy.startswith("default-src 'none'")


def test_the_script_never_writes_markup() -> None:
    """Labels become text nodes: there is no way for one to become an element."""
    html = status_page().html
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", html)


def test_the_wrong_token_is_told() -> None:
    """Only where it was given."""
    assert "This is not the token" in sign_in_page(wrong=True).html
    assert "This is not the token" not in sign_in_page().html
