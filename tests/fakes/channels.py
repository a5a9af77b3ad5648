"""Message channels that keep what they are given, and fail on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fakes.faults import Faults


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that arrived."""

    channel: str
    message: Mapping[str, Any]
    key: str

    @property
    def status(self) -> str:
        """open, repeat or resolved."""
        return str(self.message["status"])


class FakeChannels:
    """`effects.port.Channels`. `faults` are planned for `send`; with `after` the message arrives all the same."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.sent: list[Sent] = []

    async def send(self, channel: str, message: Mapping[str, Any], *, key: str) -> None:
        """Deliver one message."""
        self.faults.through("send", lambda: self.sent.append(Sent(channel, dict(message), key)))

    @property
    def statuses(self) -> list[str]:
        """What was said, in order."""
        return [one.status for one in self.sent]
