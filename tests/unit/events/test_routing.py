"""Routing: one change, many rules; who must look at what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes.bench import SITE, node, rules_of
from fakes.clock import START
from flyball.events.routing import MARGIN, Router
from flyball.ledger.mirror import Change
from flyball.model.levels import HIERARCHY, Level
from flyball.model.node import Node, Presence

DO = "do: [{alert: {title: x}}]"
SINCE = datetime(2026, 11, 1, tzinfo=UTC)


def router(text: str, **first_seen: datetime) -> Router:
    """For rules given as `id: each, further keys`."""
    rules = "".join(f"  - {{id: {name}, each: {rest}, since: all, {DO}}}\n" for name, rest in _entries(text))
    return Router(rules_of("rules:\n" + rules), first_seen)


def _entries(text: str) -> list[tuple[str, str]]:
    return [
        (name.strip(), rest.strip()) for name, _, rest in (line.partition(":") for line in text.split("\n")) if rest
    ]


def looks(made: Router, change: Change) -> set[tuple[str, str, str]]:
    """(rule, level looked at, id) of each look."""
    return {(look.rule, str(look.level), look.ident) for look in made.route(change)}


def new(level: str, ident: str, **doc: Any) -> Change:
    """A node at first sight."""
    return Change(node(level, ident, **doc), None)


def changed(before: Node, **doc: Any) -> Change:
    """A node with other fields."""
    after = node(str(before.level), before.id, parents=before.parents, **{**before.doc, **doc})
    return Change(after, before)


FILE = node("file", "f1", name="x.nii.gz")
EACH = "\n".join(f"by-{level}: {level}" for level in HIERARCHY)


def test_a_change_below_a_target() -> None:
    """Any change at or below the target makes its rule look."""
    assert looks(router(EACH), Change(FILE, None)) == {
        ("by-project", "project", "p1"),
        ("by-subject", "subject", "s1"),
        ("by-session", "session", "e1"),
        ("by-acquisition", "acquisition", "a1"),
        ("by-file", "file", "f1"),
    }


def test_an_ancestor_at_first_sight_and_when_it_is_relabelled() -> None:
    """Rules on what lies below look again: their scopes may name it."""
    made = router("low: acquisition\nhigh: project")
    before = node("session", "e1", label="a")
    assert looks(made, Change(before, None)) == {("low", "session", "e1"), ("high", "project", "p1")}
    assert ("low", "session", "e1") in looks(made, changed(before, label="b"))
    assert ("low", "session", "e1") not in looks(made, changed(before, timestamp="other"))
    lost = Change(before.with_presence(Presence.HIDDEN), before)
    assert ("low", "session", "e1") in looks(made, lost)


def test_an_ancestor_whose_field_a_rule_reads() -> None:
    """Only that rule, and only for that field."""
    made = router("reads: acquisition, if: session.info.visit == 1\nother: acquisition, if: acquisition.label == 'x'")
    before = node("session", "e1", info={"visit": 1, "more": 2})
    assert looks(made, changed(before, info={"visit": 2, "more": 2})) == {("reads", "session", "e1")}
    assert looks(made, changed(before, info={"visit": 1, "more": 3})) == set()


def test_siblings() -> None:
    """A file rule that reads `acquisition.files` looks at all files of the acquisition, old place and new."""
    made = router("among: file, if: len(acquisition.files) > 1\nalone: file")
    both = {("among", "file", "f1"), ("alone", "file", "f1")}
    assert looks(made, Change(FILE, None)) == {("among", "acquisition", "a1"), *both}
    there = {**FILE.parents, "acquisition": "a2"}
    moved = Change(node("file", "f1", parents=there, name="x.nii.gz"), FILE)
    assert looks(made, moved) == {
        ("among", "acquisition", "a1"),
        ("among", "acquisition", "a2"),
        *both,
    }
    on_subject = node("file", "f2", name="y", parents={"group": "scien", "project": "p1", "subject": "s1"})
    assert looks(made, Change(on_subject, None)) == {("among", "file", "f2"), ("alone", "file", "f2")}


def test_a_move_is_looked_at_from_both_ends() -> None:
    """The old subject and the new one, and everything below what moved."""
    made = router("by-subject: subject\nby-file: file")
    before = node("session", "e1")
    there = {**before.parents, "subject": "s2"}
    moved = Change(node("session", "e1", parents=there), before)
    assert looks(made, moved) == {
        ("by-subject", "subject", "s1"),
        ("by-subject", "subject", "s2"),
        ("by-file", "session", "e1"),
    }


def test_globs_of_the_rules_own_level() -> None:
    """A file that never fitted is not looked at; expansions carry the globs along."""
    made = router("qa: 'file', scope: {file: '*.qa.html'}\nin-scien: 'project', scope: {project: 'scien/*'}")
    assert looks(made, new("file", "f1", name="x.dcm")) == {("in-scien", "project", "p1")}
    assert ("qa", "file", "f1") in looks(made, new("file", "f1", name="x.qa.html"))
    renamed = changed(node("file", "f1", name="x.qa.html"), name="x.txt", label="x.txt")
    assert ("qa", "file", "f1") in looks(made, renamed)
    [wide] = [look for look in made.route(new("acquisition", "a1")) if look.rule == "qa"]
    assert wide.fits is not None
    assert (wide.fits.match("x.qa.html"), wide.fits.match("x.dcm")) == (True, False)
    assert looks(made, new("project", "p1")) == {("in-scien", "project", "p1"), ("qa", "project", "p1")}
    assert ("in-scien", "project", "p2") not in looks(made, new("project", "p2", parents={"group": "demo"}))


def test_own_writes_and_knowledge_gained() -> None:
    """Only rules that read what was written, or is known now, look."""
    made = router(
        "tags: acquisition, if: \"'A' in acquisition.tags\"\n"
        "info: acquisition, if: acquisition.info.x == 1\n"
        "plain: acquisition"
    )
    before = node("acquisition", "a1", tags=[])
    tagged = changed(before, tags=["A"])
    assert {rule for rule, _, _ in looks(made, Change(tagged.node, before, own=True))} == {"tags"}
    assert {rule for rule, _, _ in looks(made, tagged)} == {"tags", "info", "plain"}
    known = changed(before, info={"x": 1})
    assert {rule for rule, _, _ in looks(made, Change(known.node, before, learned=True))} == {"info"}


def test_old_data_is_not_looked_at_by_rules_about_what_comes() -> None:
    """At first sight, with a day's grace for clocks that differ; a change of it is."""
    rules = rules_of(f"rules: [{{id: fresh, each: session, {DO}}}]")
    made = Router(rules, {"fresh": START})
    margin = MARGIN / timedelta(hours=1)
    old, late = node("session", "e1", hours=-margin - 1), node("session", "e1", hours=-margin + 1)
    assert looks(made, Change(old, None)) == set()
    assert looks(made, Change(late, None)) == {("fresh", "session", "e1")}
    assert looks(made, changed(old, label="new")) == {("fresh", "session", "e1")}
    [above] = made.route(new("subject", "s1", hours=-5000))
    assert above.since == START - MARGIN


JOB = "each-job: job, scope: {gear: 'mriq*'}\nended: session, trigger: [{job: [complete, failed], gear: ['mriq*']}]"
PARENTS = {"group": "scien", "project": "p1", "subject": "s1", "session": "e1"}


def job(state: str, gear: str = "mriqc", parents: dict[str, str] | None = None) -> Node:
    """A job."""
    made = node("job", "j1", parents=PARENTS if parents is None else parents, state=state, gear_info={"name": gear})
    return made if gear == "other" else _labelled(made, gear)


def _labelled(made: Node, label: str) -> Node:
    return replace(made, label=label)


@pytest.mark.parametrize(
    ("before", "after", "gear", "wanted"),
    [
        (None, "running", "mriqc", {"each-job"}),
        (None, "complete", "mriqc", {"each-job", "ended"}),
        ("running", "complete", "mriqc", {"each-job", "ended"}),
        ("complete", "complete", "mriqc", {"each-job"}),
        ("running", "cancelled", "mriqc", {"each-job"}),
        ("running", "failed", "dcm2niix", set()),
    ],
)
def test_jobs(before: str | None, after: str, gear: str, wanted: set[str]) -> None:
    """A state that a rule waits for, of a gear that it waits for; and rules on jobs themselves."""
    made = router(JOB)
    change = Change(job(after, gear), None if before is None else job(before, gear))
    assert {rule for rule, _, _ in looks(made, change)} == wanted


def test_a_job_on_a_container_above_the_target() -> None:
    """A rule on files looks at the files below what the job ran on; a job that ran elsewhere makes no look."""
    made = router("by-file: file, scope: {file: '*.nii.gz'}, trigger: [{job: [failed]}]\nby-project: project")
    [look] = made.route(Change(job("failed"), None))
    assert (look.level, look.ident, look.of) == (Level.SESSION, "e1", Level.FILE)
    assert look.fits is not None
    assert list(made.route(Change(job("failed", parents={"group": "scien"}), None))) == []


def test_rules_without_the_trigger_do_not_look() -> None:
    """A rule on a schedule is not bothered by changes."""
    made = router("nightly: session, trigger: [{schedule: '0 4 * * *'}]")
    assert looks(made, new("session", "e1")) == set()
    assert looks(made, new("acquisition", "a1")) == set()


def test_other_sites() -> None:
    """A rule is about one site."""
    made = router("here: session")
    elsewhere = node("session", "e1")
    foreign = replace(elsewhere, key=elsewhere.key._replace(site="other"))
    assert looks(made, Change(foreign, None)) == set()
    assert looks(made, Change(elsewhere, None)) == {("here", "session", "e1")}
    assert elsewhere.key.site == SITE


def test_rules_about_other_projects_are_not_asked() -> None:
    """Where the change's project is known; a rule without a project scope is about all of them."""
    made = router(
        "here: session, scope: {project: 'scien/tome'}\n"
        "there: session, scope: {project: ['scien/*', '!scien/tome']}\n"
        "all: session"
    )
    inside = Change(node("acquisition", "a1"), None, project="scien/tome")
    assert looks(made, inside) == {("here", "session", "e1"), ("all", "session", "e1")}
    assert looks(made, replace(inside, project="scien/other")) == {("there", "session", "e1"), ("all", "session", "e1")}
    assert {name for name, _, _ in looks(made, replace(inside, project=None))} == {"here", "there", "all"}
