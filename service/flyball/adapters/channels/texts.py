"""What all kinds of messages for people share: the lines of a message, and taming what labels may hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

Message = Mapping[str, Any]

MARKS: Final = {"open": "", "repeat": "Still open: ", "resolved": "Over: "}
_MENTION: Final = re.compile(r"@(?=(?:here|channel|everyone|all)\b)", re.IGNORECASE)
_GAP: Final = "\u200b"  # of no width: the word reads the same and calls nobody
_LINES: Final = "\n"


def headline(message: Message) -> str:
    """The first line: whether it is new, still open or over, and the title."""
    return MARKS.get(str(message["status"]), "") + clean(str(message["title"]))


def footer(message: Message) -> str:
    """The last line: severity, rule, target, since when."""
    since = str(message.get("since", ""))
    try:
        since = datetime.fromisoformat(since).strftime("%Y-%m-%d %H:%M %Z")
    except ValueError:
        since = clean(since)
    path = clean(str(message["target"].get("path", "")))
    about = f"{message['count']} alerts" if "count" in message else path
    return f"{clean(str(message['severity']))} · rule {clean(str(message['rule']))} · {about} · since {since}"


def body(message: Message) -> str:
    """The text between the two."""
    return clean(str(message.get("body", "")), lines=True)


def clean(text: str, *, lines: bool = False) -> str:
    """A text without control characters (line breaks kept if `lines`), directional marks, and calls of everybody."""
    kept = "".join(one if one.isprintable() or (lines and one in _LINES) else " " for one in text)
    return _MENTION.sub(f"@{_GAP}", kept)


def cut(text: str, most: int) -> str:
    """A text of so many characters at the most; what is left out is marked."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
