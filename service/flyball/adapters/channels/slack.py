"""Slack: an incoming webhook's payload. Pure.

Blocks of plain text are shown as they are: nothing in them is a link, a mention or a format. The `text` beside them is
what notifications show; in it the three characters that Slack gives a meaning are escaped, as its manual asks.
"""

from __future__ import annotations

from typing import Any, Final

from flyball.adapters.channels.texts import Message, body, cut, footer, headline

HEADER: Final = 150  # characters that Slack takes in a header block
SECTION: Final = 3_000  # in a section
FALLBACK: Final = 3_000
SIGNS: Final = {"error": "🔴", "warning": "🟠", "info": "🔵"}


def slack_payload(message: Message) -> dict[str, Any]:
    """The JSON that is posted."""
    sign = "🟢" if message["status"] == "resolved" else SIGNS.get(str(message["severity"]), "")
    title = f"{sign} {headline(message)}".strip()
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(title, HEADER)}]
    if text := body(message):
        blocks.append({"type": "section", "text": _plain(text, SECTION)})
    blocks.append({"type": "context", "elements": [_plain(footer(message), SECTION)]})
    return {
        "text": escaped(cut(f"{title}\n{body(message)}".strip(), FALLBACK)),
        "blocks": blocks,
        "mrkdwn": False,
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escaped(text: str) -> str:
    """A text that Slack shows as it is: no `<!channel>`, no `<@U123>`, no `<https://…|…>`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": cut(text, most), "emoji": False}
