"""Routing against what it stands for: a rule looks wherever its document may have changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from fakes.bench import SITE, rules_of
from fakes.clock import START
from flyball.events.documents import load_documents
from flyball.events.routing import Router
from flyball.ledger.looking import owe_all
from flyball.ledger.mirror import everything
from flyball.ledger.noticing import notice
from flyball.ledger.tables import looks, metadata
from flyball.model.levels import Level
from flyball.model.node import Node
from unit.ledger.test_mirror import later, read

DO = "do: [{alert: {title: x}}]"
RULES = rules_of(
    "rules:\n"
    + "".join(
        f"  - {{id: r{number}, each: {rule}, since: all, {DO}}}\n"
        for number, rule in enumerate(
            [
                "project, if: len(project.subjects) > 1",
                "subject, if: \"count('file', True) > 2\"",
                "session, if: len(session.acquisitions) > 1",
                "session, if: session.label == 'l1' and subject.label == 'l2'",
                "acquisition, if: acquisition.label == 'l1' and session.label == 'l2'",
                "acquisition, if: len(session.acquisitions) > 1",
                "file, if: len(acquisition.files) > 1 and subject.label == 'l1'",
                "file, if: file.name == 'l1', scope: {file: 'l*'}",
            ]
        )
    )
)
ENGINE = create_engine("sqlite://")
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEVELS = ("subject", "session", "acquisition", "file")
steps = st.lists(
    st.tuples(st.sampled_from(LEVELS), st.integers(0, 2), st.integers(0, 2), st.sampled_from(["l0", "l1", "other"])),
    min_size=1,
    max_size=12,
)


def made(level: str, number: int, place: int, label: str, known: dict[str, Node]) -> Node:
    """A node, new or changed: its label, and the parent that it hangs on."""
    above = {"subject": "project", "session": "subject", "acquisition": "session", "file": "acquisition"}[level]
    holder = known.get(f"{above}{0 if above == 'project' else place}")
    parents = {"group": "scien", "project": "project0"}
    if holder is not None:
        parents = {**holder.parents, above: holder.id}
    ident = f"{level}{number}"
    extra: dict[str, Any] = {"name": label, "parent_ref": {"type": above, "id": parents.get(above)}}
    before = known.get(ident)
    fresh = read(level, ident, parents=parents, label=label, **(extra if level == "file" else {}))
    if before is None:
        return fresh
    moved = later(before, 1, label=label, **(extra if level == "file" else {}))
    return replace(moved, parents=fresh.parents, content=f"{fresh.parents}", whole=f"{fresh.parents}{label}")


@QUICK
@given(steps=steps)
def test_every_rule_looks_where_its_document_changed(steps: list[tuple[str, int, int, str]]) -> None:
    """After each change, every target whose document is another one than before is owed a look."""
    router = Router(RULES, {})
    with ENGINE.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        known = {"project0": read("project", "project0", parents={"group": "scien"})}
        notice(connection, known.values(), route=lambda _: [], source="poll", now=START)
        before = documents(connection)
        for level, number, place, label in steps:
            node = made(level, number, place, label, known)
            notice(connection, [node], route=lambda change: list(router.route(change)), source="poll", now=START)
            known[node.id] = node
            after = documents(connection)
            owed = {(row.rule, row.target) for row in connection.execute(looks.select())}
            for key, document in after.items():
                fits = key[0] != "r7" or document["names"]["file"]["name"].startswith("l")
                if fits and before.get(key) != document:
                    assert key in owed
            before = after
            connection.execute(looks.delete())
        assert owe_all(connection, [], now=START) == 0


def documents(connection: Any) -> dict[tuple[str, str], Any]:
    """(rule, target) → what the rule reads."""
    found = {}
    for rule in RULES:
        keys = [node.key for node in everything(connection, SITE, Level(rule.each))]
        for document in load_documents(connection, [(rule, key) for key in keys]):
            assert document is not None
            read_by = {path[0] for path in rule.reads} | {str(rule.each)}
            names = {name: _plain(value) for name, value in document.names.items() if name in read_by}
            below = sorted(f"{one.id} {one.label}" for one in document.subtree)
            found[(rule.id, document.target.id)] = {"names": names, "below": below, "complete": document.complete}
    return found


def _plain(value: Any) -> Any:
    """Without the book-keeping that no rule reads."""
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if key in ("label", "name", "files", "acquisitions", "sessions", "subjects", "id")
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value
