"""Alerts from a site to people: grouped, repeated, silenced and resolved, over a kill, through real servers."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from support.lab import write_lab
from support.mailbox import CUT, Mailbox
from support.process import DaemonProgram, SandboxProgram, command, run_once, until
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


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the mail server of the test says that it is one
def test_an_alert_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    """Proved, grouped, sent again after a lost answer and a kill, repeated, silenced, lifted, resolved; nothing leaks."""
    with (
        Receiver(lambda number: 0 if number == 1 else 200) as receiver,
        Mailbox(lambda number: CUT if number == 1 else "250 taken", login=("bot", PASSWORD)) as mailbox,
        SandboxProgram(tmp_path / "site") as box,
    ):
        people = {"firstname": "Plantedfirst", "lastname": "Plantedlast", "date_of_birth": "1987-06-05T00:00:00+00:00"}
        rows = box.api("/sessions?limit=100&sort=_id:asc")
        sessions = [row["_id"] for row in rows if row["parents"]["project"] == rows[0]["parents"]["project"]][:3]
        for ident in sessions:
            subject = box.api(f"/sessions/{ident}")["parents"]["subject"]
            box.api(f"/subjects/{subject}", "PUT", people)
        environment = {"LAB_URL": f"{receiver.url}/{ADDRESS}"}
        environment["SMTP_URL"] = f"smtp://bot:{PASSWORD}@127.0.0.1:{mailbox.port}"
        config = write_lab(
            tmp_path,
            box.key,
            RULES,
            channels={
                "lab": {"kind": "webhook", "url": "env:LAB_URL"},
                "ops": {"kind": "email", "to": ["ops@example.org"], "smtp": "env:SMTP_URL"},
                "pager": {"kind": "webhook", "url": "env:LAB_URL", "min_severity": "error"},
            },
            log={"level": "debug"},
        )
        top = ("--config", str(config))

        proved = command(*top, "alert", "test", "lab", folder=tmp_path, environment=environment)
        mailed = command(*top, "alert", "test", "ops", "--json", folder=tmp_path, environment=environment)
        assert (proved.process.returncode, mailed.process.returncode) == (0, 0), proved.err + mailed.err
        assert receiver.messages[0].body["test"] is True
        assert mailbox.mails[0].subject.startswith("TEST")

        hold(box, *sessions)
        with DaemonProgram(config, environment) as daemon:
            until(lambda: len(receiver.messages) > 1 and len(mailbox.mails) > 1, 30, "both were told")
            daemon.kill()
        with DaemonProgram(config, environment) as daemon:
            until(lambda: len(mailbox.mails) > 2 and said(receiver, "open")[1:], 30, "both were told again")
            lost, again = receiver.messages[1], said(receiver, "open")[1]
            assert (again.key, again.body) == (lost.key, lost.body)
            assert mailbox.mails[1].ident == mailbox.mails[2].ident
            assert targets([again]) == set(sessions)
            assert again.body["count"] == len(sessions)
            until(lambda: targets(said(receiver, "repeat")) == set(sessions), 45, "it is repeated", every=0.1)
            listed = daemon.ask("/api/alerts?state=open").json()["results"]
            assert {row["target"]["id"] for row in listed} == set(sessions)

            quiet = command(
                *(*top, "silence", "held", "--until", "1h", "--because", "an upgrade", "--json"),
                folder=tmp_path,
                environment=environment,
            )
            assert quiet.process.returncode == 0, quiet.err
            number = orjson.loads(quiet.out)["id"]
            said_so = daemon.status()
            assert [one["because"] for one in said_so["silences"]] == ["an upgrade"]
            until(lambda: daemon.status()["messages"]["silence"], 60, "a repetition is kept back", every=0.1)
            before = len(receiver.messages)
            let_go(box, sessions[0])
            until(lambda: "an upgrade" in daemon.ask("/api/effects?kind=alert").text, 20, "the reason is shown")
            assert len(receiver.messages) == before
            lifted = command(*top, "silence", "--lift", number, folder=tmp_path, environment=environment)
            assert lifted.process.returncode == 0, lifted.err
            until(lambda: sessions[0] in targets(said(receiver, "resolved")), 30, "its all-clear came", every=0.1)

            let_go(box, *sessions[1:])
            until(lambda: targets(said(receiver, "resolved")) == set(sessions), 30, "all is clear", every=0.1)
            until(lambda: daemon.status()["alerts"] == 0, 30, "nothing is open", every=0.1)
            shown = [daemon.ask(path).text for path in ("/status", "/metrics", "/api/effects?limit=1000", "/api/alerts")]
            daemon.kill()
            shown.append(daemon.err)
        run_once(config, environment=environment)
        mails = [mail.message.as_string() for mail in mailbox.mails]
        assert any("Over:" in mail.subject for mail in mailbox.mails)
        assert all(one.body.get("severity") != "error" for one in receiver.messages)
        sent = [message.raw.decode() for message in receiver.messages]
        assert "born ?, called ?, ?" in sent[1]
        for text in (*shown, *mails, *sent, _asked_for(tmp_path)):
            for planted in (*NAMES, PASSWORD, ADDRESS):
                assert planted not in text
        for path in (tmp_path / "var").rglob("*"):
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
            until(lambda: len(receiver.beats) > 1, 30, "two signs of life")
            assert daemon.status()["heartbeat"]["error"] is None
            daemon.kill()
        last = len(receiver.beats)
        assert re.fullmatch(r"/alerts", receiver.beats[-1])
        assert len(receiver.beats) == last
