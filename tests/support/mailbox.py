"""A mail server on the loopback that keeps what it is handed, and misbehaves if told to."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

CUT = "cut"
"""In place of an answer: the mail is taken, and the connection is cut."""


class _Server(Controller):
    """Finds out on which port it listens, when it was to take any free one."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call] # the library is untyped in this place


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that was handed in."""

    message: EmailMessage
    sender: str
    to: tuple[str, ...]
    answer: str
    encrypted: bool

    @property
    def ident(self) -> str:
        """Its Message-ID."""
        return str(self.message["Message-ID"])

    @property
    def subject(self) -> str:
        """Its subject, decoded."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """Its text, decoded."""
        return str(self.message.get_content())


@dataclass
class Mailbox:
    """Takes mails on a free port.

    Attributes:
        answers: number of the mail → SMTP answer to its data, or `CUT`.
        refused: recipients that are not known here.
        tls: offer STARTTLS with this context; a login needs it then.
        login: user and password that are accepted; None: nobody has to log in.
    """

    answers: Callable[[int], str] = lambda _number: "250 taken"
    refused: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    mails: list[Mail] = field(default_factory=list)

    def __post_init__(self) -> None:
        more: dict[str, Any] = {}
        if self.tls is not None:
            more |= {"tls_context": self.tls}
        if self.login is not None:
            more |= {"authenticator": self._let_in, "auth_required": True, "auth_require_tls": self.tls is not None}
        self._controller = _Server(self, hostname="127.0.0.1", port=0, **more)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._controller.port)

    @property
    def url(self) -> str:
        """As settings write it."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def kept(self) -> list[Mail]:
        """Each mail once: those with a Message-ID that was there before are left out, as mail programs do."""
        return list({mail.ident: mail for mail in self.mails}.values())

    def _let_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self.login, handled=False)

    async def handle_RCPT(  # noqa: N802 - the server calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        answer = self.answers(len(self.mails))
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        parsed = message_from_bytes(content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        mail = Mail(parsed, str(envelope.mail_from), tuple(envelope.rcpt_tos), answer, session.ssl is not None)
        self.mails.append(mail)
        if answer == CUT:
            transport: Any = server.transport
            transport.abort()
            return "250 never heard"
        return answer
