"""The two HTML pages, each self-contained: style and script are put in, and named by hash in the page's policy.

Nothing of the daemon's data is in them: the status page asks for it, and writes it as text.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from aiohttp import web

_STATIC: Final = files(__package__) / "static"
_COMMON: Final = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src data:; form-action 'self'"
_SCRIPTS: Final = (
    "tell.js",
    "table.js",
    "chart.js",
    "ask.js",
    "now.js",
    "pages.js",
    "views.js",
    "why.js",
    "start.js",
)  # in this order
_WRONG: Final = '<p class="wrong" role="alert">This is not the token. Nothing was changed.</p>'


@dataclass(frozen=True, slots=True)
class Page:
    """A page with the policy under which it works: nothing from elsewhere, no other script or style than its own."""

    html: str
    policy: str

    def answer(self, status: int = 200) -> web.Response:
        """The page as a response."""
        response = web.Response(text=self.html, status=status, content_type="text/html")
        response.headers["Content-Security-Policy"] = self.policy
        return response


def status_page() -> Page:
    """The live status page."""
    style = _read("common.css") + _read("page.css")
    script = "\n".join(_read(name) for name in _SCRIPTS)
    html = _read("page.html").replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    policy = f"{_COMMON}; connect-src 'self'; style-src {_hash(style)}; script-src {_hash(script)}"
    return Page(html, policy)


def sign_in_page(*, wrong: bool = False) -> Page:
    """The form that asks for the token; with `wrong`, after one that was none."""
    style = _read("common.css") + _read("signin.css")
    html = _read("signin.html").replace("/*STYLE*/", style).replace("<!--WRONG-->", _WRONG if wrong else "")
    return Page(html, f"{_COMMON}; style-src {_hash(style)}")


def _read(name: str) -> str:
    return (_STATIC / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
