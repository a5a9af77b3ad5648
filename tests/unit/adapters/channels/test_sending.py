"""Channels over real connections: what arrives, and what each failure means for the message."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flyball.adapters.channels.book import ChannelBook, ChatChannel, MailChannel, WebhookChannel
from flyball.adapters.channels.mail import mail_of
from flyball.adapters.channels.slack import slack_payload
from flyball.adapters.channels.smtp import Mailer, MailServer
from flyball.model.errors import Permanent, SiteError, Transient, UnknownOutcome
from support.mailbox import CUT, Mailbox
from support.messages import NOON, message
from support.receiver import Receiver

TO = ("ops@example.org", "night@example.org")


async def send(channel: Any, key: str = "fb-abc-7") -> None:
    """One message through one channel."""
    book = ChannelBook({"lab": channel})
    try:
        await book.send("lab", message(), key=key)
    finally:
        await book.close()


async def failure(channel: Any) -> SiteError:
    """What sending raises."""
    with pytest.raises(SiteError) as caught:
        await send(channel)
    return caught.value


async def test_slack_gets_its_payload() -> None:
    """With the key beside it."""
    with Receiver() as receiver:
        await send(ChatChannel("lab", receiver.url, slack_payload))
    assert receiver.messages[0].body == slack_payload(message())
    assert receiver.messages[0].key == "fb-abc-7"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Permanent),
        (413, Permanent),
        (301, Transient),
        (401, Transient),
        (403, Transient),
        (404, Transient),
        (410, Transient),
        (429, Transient),
        (500, UnknownOutcome),
        (503, UnknownOutcome),
        (0, UnknownOutcome),
    ],
)
async def test_what_an_answer_means(status: int, kind: type[SiteError]) -> None:
    """A message that is refused for itself fails; a channel that is wrong or away is tried again; else nobody knows."""
    with Receiver(lambda _number: status) as receiver:
        error = await failure(WebhookChannel("lab", f"{receiver.url}/geheim", None))
    assert type(error) is kind
    assert "geheim" not in str(error)
    assert len(receiver.messages) == 1


async def test_nobody_listens() -> None:
    """Certainly not delivered."""
    with Receiver() as receiver:
        url = receiver.url
    assert type(await failure(WebhookChannel("lab", url, None))) is Transient


async def test_a_channel_that_is_gone_from_the_settings() -> None:
    """Fails with the remedy."""
    with pytest.raises(Permanent, match="no channel 'gone'"):
        await ChannelBook({}).send("gone", message(), key="k")


def mail_channel(box: Mailbox, **more: Any) -> MailChannel:
    """A channel to a mailbox."""
    return MailChannel("ops", MailServer.parse(box.url), TO, now=lambda: NOON, **more)


async def test_a_mail_arrives() -> None:
    """For all recipients, with its Message-ID; the sender is of the first recipient's host unless one is set."""
    with Mailbox() as box:
        await send(mail_channel(box))
        await send(mail_channel(box, sender="bot@lab.example.org"))
    assert [mail.sender for mail in box.mails] == ["flyball@example.org", "bot@lab.example.org"]
    assert box.mails[0].to == TO
    assert (box.mails[0].ident, box.mails[0].subject) == ("<fb-abc-7@example.org>", "1001 lacks T1w")
    assert "first\nsecond" in box.mails[0].text.replace("\r", "")


async def test_a_mail_whose_answer_is_lost() -> None:
    """Nobody knows; sent again it is the same mail."""
    with Mailbox(lambda number: CUT if number == 0 else "250 taken") as box:
        assert type(await failure(mail_channel(box))) is UnknownOutcome
        await send(mail_channel(box))
    assert len(box.mails) == 2
    assert len(box.kept) == 1


@pytest.mark.parametrize("answer", ["451 later", "554 not from you"])
async def test_a_mail_that_is_not_taken(answer: str) -> None:
    """Certainly not delivered, and tried again."""
    with Mailbox(lambda _number: answer) as box:
        error = await failure(mail_channel(box))
    assert type(error) is Transient
    assert answer[:3] in str(error)


async def test_recipients_that_are_not_known() -> None:
    """The others get it; when there are no others, it is tried again."""
    with Mailbox(refused=TO[:1]) as box:
        await send(mail_channel(box))
        assert box.mails[0].to == TO[1:]
    with Mailbox(refused=TO) as box:
        assert type(await failure(mail_channel(box))) is Transient
        assert box.mails == []


async def test_no_mail_server() -> None:
    """Certainly not delivered."""
    with Mailbox() as box:
        channel = mail_channel(box)
    assert "cannot be reached" in str(await failure(channel))


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the mail server of the test says that it is one
async def test_a_login_that_is_refused() -> None:
    """Tried again, for a password can be mended; it stands in no text."""
    with Mailbox(login=("bot", "right")) as box:
        channel = MailChannel("ops", MailServer.parse(f"smtp://bot:wrong-pass@127.0.0.1:{box.port}"), TO)
        error = await failure(channel)
        assert type(error) is Transient
        assert "login was refused" in str(error)
        assert "wrong-pass" not in str(error)
        await send(MailChannel("ops", MailServer.parse(f"smtp://bot:right@127.0.0.1:{box.port}"), TO))
    assert len(box.mails) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, made for this run."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return made, key


async def test_starttls(certificate: tuple[Path, Path]) -> None:
    """The connection changes to TLS before the password is said; a certificate that nobody trusts is not accepted."""
    made, key = certificate
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(made, key)
    mail = mail_of(message(), "k", sender="a@b.c", to=TO, date=NOON)
    with Mailbox(tls=serving, login=("bot", "right")) as box:
        server = MailServer.parse(f"smtp://bot:right@127.0.0.1:{box.port}")
        await Mailer("ops", server, ssl.create_default_context(cafile=str(made))).send(mail, "a@b.c", TO)
        with pytest.raises(Transient):
            await Mailer("ops", server).send(mail, "a@b.c", TO)
    assert [one.encrypted for one in box.mails] == [True]


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the mail server of the test says that it is one
async def test_no_password_without_tls_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that offers no TLS gets no login; one on this machine may."""
    assert MailServer.parse("smtp://bot:x@mail.example.org").must_encrypt
    assert not MailServer.parse("smtp://bot:x@127.0.0.1:25").must_encrypt
    assert not MailServer.parse("smtps://bot:x@mail.example.org").must_encrypt
    monkeypatch.setattr(MailServer, "must_encrypt", property(lambda _self: True))
    with Mailbox(login=("bot", "right")) as box:
        error = await failure(MailChannel("ops", MailServer.parse(f"smtp://bot:right@127.0.0.1:{box.port}"), TO))
    assert type(error) is Transient
    assert box.mails == []


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("smtp://mail.example.org", ("mail.example.org", 587, False, None, None)),
        ("smtps://u%40x:p%2Fw@mail.example.org", ("mail.example.org", 465, True, "u@x", "p/w")),
        ("smtp://localhost:25", ("localhost", 25, False, None, None)),
    ],
)
def test_addresses(address: str, parts: tuple[Any, ...]) -> None:
    """Ports by default, and what is escaped in an address."""
    found = MailServer.parse(address)
    assert (found.host, found.port, found.implicit_tls, found.user, found.password) == parts
    assert "p/w" not in repr(found)
