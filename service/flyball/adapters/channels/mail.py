"""E-mail: the message as RFC 5322 has it. Pure: the time is an argument.

The Message-ID is made of the once-key: a mail that is sent again after an unclear answer is the same mail, and mail
programs show it once. All mails about one alert refer to one thread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from flyball.adapters.channels.texts import Message, body, clean, cut, footer, headline

SUBJECT: Final = 200
_LOCAL: Final = re.compile(r"[^A-Za-z0-9._-]+")


def mail_of(message: Message, key: str, *, sender: str, to: Sequence[str], date: datetime) -> EmailMessage:
    """The mail.

    Args:
        message: as channels get it.
        key: the once-key, the same when it is sent again.
        sender: address.
        to: addresses.
        date: when it came to be, with zone.
    """
    mail = EmailMessage(policy=SMTP)
    domain = sender.rpartition("@")[2]
    mail["From"] = f"Flyball <{sender}>"
    mail["To"] = ", ".join(to)
    mail["Subject"] = cut(" ".join(headline(message).split()), SUBJECT)
    mail["Date"] = format_datetime(date)
    mail["Message-ID"] = f"<{_local(key)}@{domain}>"
    thread = f"<thread-{_local(str(message['id']))}@{domain}>"
    mail["References"] = thread
    mail["In-Reply-To"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Flyball-Once-Key"] = _local(key)
    mail["X-Flyball-Status"] = clean(str(message["status"]))
    mail["X-Flyball-Severity"] = clean(str(message["severity"]))
    if message["severity"] == "error" and message["status"] != "resolved":
        mail["Importance"] = "high"
    text = body(message)
    mail.set_content("\n\n".join(part for part in (headline(message), text, footer(message)) if part) + "\n")
    return mail


def _local(text: str) -> str:
    """A text as the part of a Message-ID before the @."""
    return _LOCAL.sub("-", text)[:120] or "message"
