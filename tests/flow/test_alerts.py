"""Alerts from a site to people: grouped, repeated, silenced and resolved, over a kill, through real servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from support.lab import write_lab
from support.mailbox import CUT, Mailbox
from support.process import DaemonProgram, SandboxProgram, command, until
from support.receiver import Receiver

RULES = """
version: 1
rules:
  - id: held
    since: all
    each: session
    if: "'HOLD' in session.tags"
    do:
      - alert:
          channel: [lab, ops, pager]
          title: "{{ subject.label }} {{ session.label }} is held"
          body: "born {{ subject.date_of_birth }}, called {{ subject.firstname }}, {{ whose }}"
          group_by: [project]
          wait: 1s
          repeat: 3s
    let: {whose: "coalesce(subject.lastname, subject.date_of_birth)"}
"""
NAMES = ("Plantedfirst", "Plantedlast", "1987-06-05", "19870605")
PASSWORD = "planted-mail-password"
ADDRESS = "planted-part-of-an-address"


def hold(box: SandboxProgram, *sessions: str) -> None:
    """People hold sessions."""
    for ident in sessions:
        box.api(f"/sessions/{ident}/tags", "POST", {"value": "HOLD"})


def let_go(box: SandboxProgram, *sessions: str) -> None:
    """People hold them no longer."""
    for ident in sessions:
        box.api(f"/sessions/{ident}/tags/HOLD", "DELETE")


def said(receiver: Receiver, status: str) -> list[Any]:
    """The messages of one status that were answered, in order."""
    return [one for one in receiver.messages if one.answered and one.body["status"] == status]


def targets(messages: list[Any]) -> set[str]:
    """The targets that some messages name."""
    return {item["target"]["id"] for one in messages for item in one.body.get("alerts", [one.body])}


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab with its servers, and the sessions of one project that people may hold."""

    receiver: Receiver
    mailbox: Mailbox
    box: SandboxProgram
    config: Path
    environment: dict[str, str]
    sessions: list[str]

    def command(self, *arguments: str) -> str:
        """What a command prints; it must end well."""
        top = ("--config", str(self.config))
        done = command(*top, *arguments, folder=self.config.parent, environment=self.environment)
        assert done.process.returncode == 0, done.err
        return done.out


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of which the second answer of both servers is lost."""
    with (
        Receiver(lambda number: 0 if number == 1 else 200) as receiver,
        Mailbox(lambda number: CUT if number == 0 else "250 taken", login=("bot", PASSWORD)) as mailbox,
        SandboxProgram(tmp_path / "site") as box,
    ):
        people = {"firstname": "Plantedfirst", "lastname": "Plantedlast", "date_of_birth": "1987-06-05T00:00:00+00:00"}
        rows = box.api("/sessions?limit=100&sort=_id:asc")
        mine = [row for row in rows if row["parents"]["project"] == rows[0]["parents"]["project"]][:3]
        for subject in {row["parents"]["subject"] for row in mine}:
            box.api(f"/subjects/{subject}", "PUT", people)
        channels = {
            "lab": {"kind": "webhook", "url": "env:LAB_URL"},
            "ops": {"kind": "email", "to": ["ops@example.org"], "smtp": "env:SMTP_URL"},
            "pager": {"kind": "webhook", "url": "env:LAB_URL", "min_severity": "error"},
        }
        config = write_lab(tmp_path, box.key, RULES, channels=channels, log={"level": "debug"})
        environment = {
            "LAB_URL": f"{receiver.url}/{ADDRESS}",
            "SMTP_URL": f"smtp://bot:{PASSWORD}@127.0.0.1:{mailbox.port}",
        }
        yield Lab(receiver, mailbox, box, config, environment, [row["_id"] for row in mine])


@pytest.mark.timeout(300)  # eight processes, one after another: 20 s of work
@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the mail server of the test says that it is one
def test_an_alert_from_its_beginning_to_its_end(lab: Lab) -> None:
    """Proved, grouped, sent again after a lost answer and a kill, repeated, silenced, lifted, resolved; nothing leaks."""
    lab.command("alert", "test", "lab")
    assert lab.receiver.messages[0].body["test"] is True
    hold(lab.box, *lab.sessions)
    with DaemonProgram(lab.config, lab.environment) as daemon:
        until(lambda: len(lab.receiver.messages) > 1 and lab.mailbox.mails, 90, "both were told")
        daemon.kill()
    with DaemonProgram(lab.config, lab.environment) as daemon:
        _said_again(lab)
        until(lambda: targets(said(lab.receiver, "repeat")) == set(lab.sessions), 90, "it is repeated", every=0.1)
        listed = daemon.ask("/api/alerts?state=open").json()["results"]
        assert {row["target"]["id"] for row in listed} == set(lab.sessions)
        _silenced_and_lifted(lab, daemon)
        let_go(lab.box, *lab.sessions[1:])
        until(lambda: targets(said(lab.receiver, "resolved")) == set(lab.sessions), 90, "all is clear", every=0.1)
        until(lambda: daemon.status()["alerts"] == 0, 90, "nothing is open", every=0.1)
        paths = ("/status", "/metrics", "/", "/api/effects?limit=1000", "/api/alerts")
        shown = [daemon.ask(path).text for path in paths]
        daemon.kill()
        shown.append(daemon.err)
    assert any("Over:" in mail.subject for mail in lab.mailbox.mails)
    _nothing_leaks(lab, shown)


def _said_again(lab: Lab) -> None:
    """After the lost answers and the kill: the same message, under the same key and Message-ID."""
    receiver, mails = lab.receiver, lab.mailbox.mails
    until(lambda: len(mails) > 1 and said(receiver, "open")[1:], 90, "both were told again")
    lost, again = receiver.messages[1], said(receiver, "open")[1]
    assert (again.key, again.body) == (lost.key, lost.body)
    assert mails[0].ident == mails[1].ident
    assert targets([again]) == set(lab.sessions)
    assert again.body["count"] == len(lab.sessions)
    assert "born ?, called ?, ?" in lost.raw.decode()


def _silenced_and_lifted(lab: Lab, daemon: DaemonProgram) -> None:
    """While it is quiet nothing arrives, and all is shown; what was kept back comes afterwards."""
    asked = lab.command("silence", "held", "--until", "1h", "--because", "an upgrade", "--json")
    number = orjson.loads(asked)["id"]
    assert [one["because"] for one in daemon.status()["silences"]] == ["an upgrade"]
    until(lambda: daemon.status()["messages"]["silence"], 90, "a repetition is kept back", every=0.1)
    before = len(lab.receiver.messages)
    let_go(lab.box, lab.sessions[0])
    assert "an upgrade" in str(_waiting(daemon))
    until(lambda: any("resolve" in row["summary"] for row in _waiting(daemon)), 90, "its end is seen", every=0.1)
    assert len(lab.receiver.messages) == before
    lab.command("silence", "--lift", number)
    until(lambda: lab.sessions[0] in targets(said(lab.receiver, "resolved")), 90, "its all-clear came", every=0.1)


def _waiting(daemon: DaemonProgram) -> list[dict[str, Any]]:
    """The messages that wait, as programs see them."""
    rows: list[dict[str, Any]] = daemon.ask("/api/effects?kind=alert&state=planned&limit=1000").json()["results"]
    return rows


def _nothing_leaks(lab: Lab, shown: list[str]) -> None:
    """Neither people nor secrets, in nothing that was sent, shown or logged."""
    mails = [mail.message.as_string() for mail in lab.mailbox.mails]
    sent = [message.raw.decode() for message in lab.receiver.messages]
    folder = lab.config.parent
    for text in (*shown, *mails, *sent, _asked_for(folder)):
        for planted in (*NAMES, PASSWORD, ADDRESS):
            assert planted not in text
    for path in (folder / "var").rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()


def _asked_for(folder: Path) -> str:
    """What the ledger has of effects and alerts: neither the mirror of the site, nor the values behind decisions."""
    with closing(sqlite3.connect(folder / "var" / "ledger.sqlite")) as connection:
        tables = ("claims", "effects", "attempts", "alerts", "posts", "told", "silences")
        return "".join(str(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in tables)  # noqa: S608 - names of ours


def test_a_heartbeat_while_the_daemon_is_well(tmp_path: Path) -> None:
    """It comes again and again, and no more once the daemon is dead."""
    with Receiver() as receiver, SandboxProgram(tmp_path / "site") as box:
        config = write_lab(
            tmp_path, box.key, RULES.replace("[lab, ops, pager]", "log"), heartbeat={"url": receiver.url, "every": "1s"}
        )
        with DaemonProgram(config) as daemon:
            until(lambda: len(receiver.beats) > 1, 90, "two signs of life")
            assert daemon.status()["heartbeat"]["error"] is None
            daemon.kill()
        last = len(receiver.beats)
        assert receiver.beats[-1] == "/alerts"
        assert len(receiver.beats) == last
