"""Microsoft Teams: a workflow's message with an adaptive card. Pure.

The texts are runs of rich text blocks, which Teams shows as they are; text blocks would read them as Markdown.
"""

from __future__ import annotations

from typing import Any, Final

from flyball.adapters.channels.texts import Message, body, cut, footer, headline

LONGEST: Final = 6_000  # characters of one run; a whole message may have 28 kB
COLOURS: Final = {"error": "attention", "warning": "warning", "info": "accent"}


def teams_payload(message: Message) -> dict[str, Any]:
    """The JSON that is posted."""
    colour = "good" if message["status"] == "resolved" else COLOURS.get(str(message["severity"]), "default")
    blocks = [_block(headline(message), weight="bolder", size="medium", color=colour)]
    if text := body(message):
        blocks += [_block(line) for line in cut(text, LONGEST).splitlines() if line.strip()][:60]
    blocks.append(_block(footer(message), isSubtle=True, size="small"))
    return {
        "type": "message",
        "summary": cut(headline(message), 200),
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "msteams": {"width": "Full"},
                    "body": blocks,
                },
            }
        ],
    }


def _block(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": cut(text, LONGEST), **style}]}
