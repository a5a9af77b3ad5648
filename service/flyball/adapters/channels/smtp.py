"""Sending mail: aiosmtplib's one door. What each failure means for the mail is told apart step by step."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog
from aiosmtplib.errors import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from flyball.configfile.hosts import is_loopback
from flyball.model.errors import Transient, UnknownOutcome

log = structlog.get_logger()
TIMEOUT: Final = 30.0  # seconds for each step
PORTS: Final = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, from `smtp(s)://user:password@host:port`.

    `smtps` speaks TLS from the start. `smtp` changes to TLS when the server offers it, and must when there is a
    password to be protected and the server is on another machine.
    """

    host: str
    port: int
    implicit_tls: bool
    user: str | None
    password: str | None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"

    @classmethod
    def parse(cls, address: str) -> Self:
        """The parts of an address.

        Raises:
            ValueError: it is none. The text does not repeat it.
        """
        parts = urlsplit(address)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("a mail server is written smtp(s)://user:password@host:port")
        user = None if parts.username is None else unquote(parts.username)
        password = None if parts.password is None else unquote(parts.password)
        return cls(parts.hostname, parts.port or PORTS[parts.scheme], parts.scheme == "smtps", user, password)

    @property
    def must_encrypt(self) -> bool:
        """Whether the connection must change to TLS before anything secret is said."""
        return not self.implicit_tls and bool(self.user) and not is_loopback(self.host)


class Mailer:
    """Hands mails in, each over a connection of its own.

    Args:
        name: the channel's.
        server: where.
        trust: certificates that are trusted; None: the system's.
    """

    def __init__(self, name: str, server: MailServer, trust: ssl.SSLContext | None = None) -> None:
        self._name = name
        self._server = server
        self._trust = trust

    async def send(self, mail: EmailMessage, sender: str, to: Sequence[str]) -> None:
        """Hand one mail in.

        Raises:
            Transient: certainly not taken, and worth another try.
            UnknownOutcome: it was sent whole, and no answer came: it may have been taken.
        """
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.implicit_tls,
            start_tls=None if server.implicit_tls or not server.must_encrypt else True,
            tls_context=self._trust,
            timeout=TIMEOUT,
            local_hostname="localhost",
        )
        try:
            await self._begin(client, sender, to)
            await self._hand_in(client, mail)
        finally:
            client.close()

    async def _begin(self, client: aiosmtplib.SMTP, sender: str, to: Sequence[str]) -> None:
        """Everything before the mail itself: a failure means that nothing was sent."""
        try:
            await client.connect()
            if self._server.user:
                await client.login(self._server.user, self._server.password or "")
            await client.mail(sender)
            refused = await self._recipients(client, to)
        except (SMTPException, OSError, ValueError) as error:
            raise Transient(f"{self._where()}: {_cause(error)}; check the channel's settings") from error
        if len(refused) == len(to):
            raise Transient(f"{self._where()} takes mail for none of the recipients; check the channel's `to`")
        if refused:
            log.warning("channel.recipients_refused", channel=self._name, refused=len(refused), of=len(to))

    async def _recipients(self, client: aiosmtplib.SMTP, to: Sequence[str]) -> list[str]:
        refused: list[str] = []
        for one in to:
            try:
                await client.rcpt(one)
            except SMTPRecipientRefused:
                refused.append(one)
        return refused

    async def _hand_in(self, client: aiosmtplib.SMTP, mail: EmailMessage) -> None:
        try:
            await client.data(mail.as_bytes())
        except SMTPDataError as error:
            raise Transient(f"{self._where()} did not take the mail ({error.code})") from error
        except (SMTPException, OSError, ValueError) as error:
            text = f"{self._where()}: {_cause(error)}; the mail may have been taken"
            raise UnknownOutcome(text, timed_out=isinstance(error, TimeoutError)) from error

    def _where(self) -> str:
        return f"channel {self._name}: the mail server {self._server.host}:{self._server.port}"


def _cause(error: Exception) -> str:
    """What happened, in words of ours: what a server says may repeat what it was told."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"the login was refused ({error.code})"
    if isinstance(error, SMTPSenderRefused):
        return f"the sender was refused ({error.code})"
    if isinstance(error, SMTPResponseException):
        return f"it answered {error.code}"
    if isinstance(error, TimeoutError | aiosmtplib.SMTPTimeoutError):
        return "no answer within the time limit"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "the connection was closed"
    if isinstance(error, aiosmtplib.SMTPConnectError):
        return "it cannot be reached"
    return f"no proper conversation ({type(error).__name__})"
