"""What each kind of channel makes of a message, whatever a label holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flyball.adapters.channels.mail import mail_of
from flyball.adapters.channels.slack import slack_payload
from flyball.adapters.channels.teams import teams_payload
from flyball.adapters.channels.webhook import webhook_request
from support.messages import NOON, message

HOSTILE = (
    "<!channel> <!here> <@U123> <https://evil.example|click> @channel @here @everyone &amp;",
    "a\r\nBcc: victim@example.org\r\n\r\nbody",
    "<script>alert(1)</script> **bold** [x](https://evil.example) `code`",
    "\u202eabc\u202c \x00\x1b[31m \u2028 line",
    "x" * 5000,
)


def texts_in(value: Any) -> list[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts_in(one)]
    return [text for one in value for text in texts_in(one)] if isinstance(value, list) else []


def test_slack() -> None:
    """Blocks of plain text, and a text for notifications."""
    payload = slack_payload(message())
    assert payload["text"] == "🟠 1001 lacks T1w\nfirst\nsecond"
    assert [block["type"] for block in payload["blocks"]] == ["header", "section", "context"]
    assert payload["blocks"][0]["text"] == {"type": "plain_text", "text": "🟠 1001 lacks T1w", "emoji": False}
    assert "scien/tome/1001/Session 1 · since 2026-11-20 12:00 UTC" in payload["blocks"][2]["elements"][0]["text"]
    assert slack_payload(message(status="resolved"))["text"].startswith("🟢 Over: 1001")
    assert len(slack_payload(message(body=""))["blocks"]) == 2


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_slack_shows_labels_as_they_are(number: int) -> None:
    """Nothing in the one text that Slack reads as its own language has a meaning; blocks are plain and bounded."""
    payload = slack_payload(message(title=HOSTILE[number], body=HOSTILE[number]))
    assert not set("<>") & set(payload["text"])
    assert (payload["mrkdwn"], payload["link_names"], payload["unfurl_links"]) == (False, False, False)
    for block in payload["blocks"]:
        for text in [block["text"]] if "text" in block else block["elements"]:
            assert text["type"] == "plain_text"
            assert len(text["text"]) <= (150 if block["type"] == "header" else 3000)
    for text in texts_in(payload):
        assert not any(call in text for call in ("@channel", "@here", "@everyone"))
        assert not any(not one.isprintable() and one != "\n" for one in text.replace("\u200b", ""))


def test_teams() -> None:
    """A workflow's message with one adaptive card of rich text, which knows no Markdown."""
    payload = teams_payload(message())
    card = payload["attachments"][0]["content"]
    assert (payload["type"], card["type"]) == ("message", "AdaptiveCard")
    assert payload["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["inlines"][0]["text"] for block in card["body"]][:3] == ["1001 lacks T1w", "first", "second"]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_teams_shows_labels_as_they_are(number: int) -> None:
    """Runs of text only, together below what Teams takes."""
    payload = teams_payload(message(title=HOSTILE[number][:300], body=HOSTILE[number][:4000]))
    for block in payload["attachments"][0]["content"]["body"]:
        assert block["type"] == "RichTextBlock"
        assert [run["type"] for run in block["inlines"]] == ["TextRun"]
    assert len(json.dumps(payload).encode()) < 28_000


def test_mail() -> None:
    """A text with the once-key as Message-ID, in one thread for each alert."""
    mail = mail_of(message(), "fb-abc-7", sender="flyball@lab.example.org", to=["ops@example.org", "b@c.d"], date=NOON)
    assert mail["Message-ID"] == "<fb-abc-7@lab.example.org>"
    assert (mail["From"], mail["To"]) == ("Flyball <flyball@lab.example.org>", "ops@example.org, b@c.d")
    assert mail["Subject"] == "1001 lacks T1w"
    assert mail["Date"] == "Fri, 20 Nov 2026 12:00:00 +0000"
    assert mail["References"] == "<thread-fb-abc@lab.example.org>"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines()[:4] == ["1001 lacks T1w", "", "first", "second"]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_label_adds_no_header(number: int) -> None:
    """Whatever stands in title and rule: the same headers, the same recipients, a subject of one bounded line."""
    plain = mail_of(message(), "k", sender="a@b.c", to=["ops@example.org"], date=NOON)
    mail = mail_of(
        message(title=HOSTILE[number], body=HOSTILE[number], id=HOSTILE[number]),
        HOSTILE[number],
        sender="a@b.c",
        to=["ops@example.org"],
        date=NOON,
    )
    assert mail.keys() == plain.keys()
    assert mail["To"] == "ops@example.org"
    assert len(mail["Subject"]) <= 200
    head = mail.as_bytes().split(b"\r\n\r\n", 1)[0]
    assert not any(line.lower().startswith(b"bcc") for line in head.split(b"\r\n"))
    assert b"<script>" not in mail["Message-ID"].encode()


def test_webhook() -> None:
    """The message as it is, with its key; signed where there is a secret."""
    body, headers = webhook_request(message(), "fb-abc-7", None)
    assert json.loads(body) == message()
    assert dict(headers) == {"Content-Type": "application/json", "X-Flyball-Once-Key": "fb-abc-7"}
    _, signed = webhook_request(message(), "fb-abc-7", "secret")
    assert dict(signed)["X-Hub-Signature-256"].startswith("sha256=")
