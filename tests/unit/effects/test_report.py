"""`report` as rules ask for it: what is refused, where a report goes, and when it is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from fakes.bench import SITE, Bench, node, rules_of
from flyball.effects.catalog import KINDS
from flyball.effects.report import without_ending
from flyball.events.documents import load_documents
from flyball.ledger.mirror import find
from flyball.model.decision import Wish
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.rules.engine import Standing, judge
from flyball.rules.reading import Surroundings, read_texts

PROFILE = "profiles: {mine: {metrics: {fd_mean: {warn: 0.2}}, per_project: {'scien/tome': {fd_mean: {warn: 0.3}}}}}\n"


def text(do: str, each: str = "project", more: str = "") -> str:
    """A rule file with one rule and a profile."""
    return f"{PROFILE}rules: [{{id: r, each: {each}, since: all, {more} do: [{{report: {do}}}]}}]"


@pytest.mark.parametrize(
    ("do", "each", "message"),
    [
        ("{kind: weather}", "project", "kind"),
        ("{kind: gear-status}", "project", "`gear` goes with `kind: gear-status`"),
        ("{kind: qc, gear: mriqc}", "project", "`gear` goes with `kind: gear-status`"),
        ("{kind: overview, profile: mine}", "project", "`profile` goes with `kind: qc`"),
        ("{kind: qc, profile: nope}", "project", "there is no profile `nope`"),
        ("{kind: qc, format: pdf}", "project", "format"),
        ("{kind: qc, to: moon}", "project", "to"),
        ("{kind: qc, to: []}", "project", "to"),
        ("{kind: qc, name: /etc/passwd}", "project", "relative to the data folder"),
        ("{kind: qc, name: ../x}", "project", "nothing is written outside"),
        ("{kind: qc, name: '{{ nope }}'}", "project", "nope"),
        ("{kind: qc}", "session", "write `each: project`"),
    ],
)
def test_what_is_refused(do: str, each: str, message: str) -> None:
    """At load, with what would be right."""
    around = Surroundings(KINDS, {SITE: "flywheel"}, {}, {"lab": "webhook"})
    found = read_texts({"r.yaml": text(do, each)}, around)
    assert found.rejected
    assert message in str(found.rejected[0])


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A lab with one of each, and a file."""
    with Bench() as made:
        made.lab(node("file", "f1", name="x_mriqc.qa.html", info={"snr": 2.0}))
        yield made


def wish(bench: Bench, do: str, more: str = "") -> Wish:
    """What a rule wishes for the project, judged on the document that the daemon would assemble."""
    (rule,) = rules_of(text(do, more=more))
    key = NodeKey(SITE, Level.PROJECT, "p1")
    (document,) = bench.ledger.do(lambda connection: load_documents(connection, [(rule, key)]))
    assert document is not None
    assert document.subtree == ()
    now = bench.clock.now()
    (found,) = judge(rule, document, Standing(now), now).wishes
    return found


def test_by_default_it_goes_below_reports() -> None:
    """By group, project and kind; the gear's name in place of the kind's for its status."""
    with Bench() as bench:
        bench.lab()
        assert wish(bench, "{kind: qc}").params["place"] == ["reports", "scien", "tome_qc"]
        found = wish(bench, "{kind: gear-status, gear: bids/mriqc}").params["place"]
        assert found[:2] == ["reports", "scien"]
        assert "/" not in found[2]


def test_a_name_of_ones_own(bench: Bench) -> None:
    """With folders, without a second ending, and with a label that cannot lead elsewhere."""
    assert wish(bench, "{kind: qc, name: 'a/{{ project.label }}.csv'}").params["place"] == ["a", "tome"]
    bench.see(node("project", "p1", label="../../x"))
    (place,) = wish(bench, "{kind: qc, name: '{{ project.label }}'}").params["place"]
    assert "/" not in place
    assert not place.startswith(".")
    assert without_ending("A.HTML") == "A"


def test_a_name_that_is_not_known_is_unknown(bench: Bench) -> None:
    """Nothing is written under half a name."""
    found = wish(bench, "{kind: qc, name: '{{ project.info.study }}'}")
    assert str(found.want) == "unknown"


def test_cut_offs_are_those_of_the_project(bench: Bench) -> None:
    """The profile's exceptions by project hold."""
    assert wish(bench, "{kind: qc, profile: mine}").params["cuts"]["fd_mean"]["warn"] == 0.3


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("{kind: demographics}", {"session": True, "acquisition": False, "file": False, "job": False}),
        ("{kind: overview}", {"session": True, "acquisition": True, "file": False, "job": False}),
        ("{kind: qc}", {"session": True, "acquisition": True, "file": True, "job": False}),
        ("{kind: gear-status, gear: g}", {"session": True, "acquisition": False, "file": False, "job": True}),
    ],
)
def test_its_key_moves_with_what_it_reads(bench: Bench, kind: str, changes: dict[str, bool]) -> None:
    """And with nothing else: tags, files of the project itself, other levels."""
    bench.see(node("job", "j1", state="running", gear_info={"name": "g"}))
    before = wish(bench, kind).once_key
    for level, matters in changes.items():
        ident = {"session": "e1", "acquisition": "a1", "file": "f1", "job": "j1"}[level]
        more: dict[str, Any] = {"name": "x_mriqc.qa.html"} if level == "file" else {}
        kept = bench.ledger.do(partial(load_node, key=NodeKey(SITE, Level(level), ident)))
        bench.see(node(level, ident, state="complete", age=5, timestamp="2026-01-01T00:00:00Z", **more))
        assert (wish(bench, kind).once_key != before) == matters, level
        bench.see(kept)
        assert wish(bench, kind).once_key == before
    own = node("file", "f9", parents={"group": "scien", "project": "p1"}, name="tome_qc.html", info={"snr": 1})
    bench.see(own)
    assert wish(bench, kind).once_key == before


def load_node(connection: Any, key: NodeKey) -> Node:
    """One node as it is in the mirror."""
    return find(connection, [key])[key]


def test_a_hidden_session_makes_it_unknown(bench: Bench) -> None:
    """A lost permission must not look like fewer scans."""
    (rule,) = rules_of(text("{kind: demographics}"))
    bench.see(node("session", "e2").with_presence(Presence.HIDDEN))
    key = NodeKey(SITE, Level.PROJECT, "p1")
    (document,) = bench.ledger.do(lambda connection: load_documents(connection, [(rule, key)]))
    assert document is not None
    assert not document.complete
    now = bench.clock.now()
    assert str(judge(rule, document, Standing(now), now).verdict) == "unknown"


def test_settle_and_since_go_by_what_lies_below(bench: Bench) -> None:
    """Without the nodes being loaded."""
    (rule,) = rules_of(text("{kind: demographics}", more="settle: 6h,"))
    bench.see(node("file", "f2", name="new.nii", hours=-0.5))
    key = NodeKey(SITE, Level.PROJECT, "p1")
    (document,) = bench.ledger.do(lambda connection: load_documents(connection, [(rule, key)]))
    assert document is not None
    now = bench.clock.now()
    decision = judge(rule, document, Standing(now), now)
    assert decision.verdict is None
    assert "settle" in decision.held_by[0]
    assert document.data_time == node("file", "f2", name="new.nii", hours=-0.5).created


def test_a_rule_that_reads_the_lists_gets_them(bench: Bench) -> None:
    """A report beside a condition on what lies below: both see it."""
    more = 'if: "len(project.subjects) == 1",'
    (rule,) = rules_of(text("{kind: demographics}", more=more))
    assert not rule.summed
    key = NodeKey(SITE, Level.PROJECT, "p1")
    (document,) = bench.ledger.do(lambda connection: load_documents(connection, [(rule, key)]))
    assert document is not None
    now = bench.clock.now()
    assert str(judge(rule, document, Standing(now), now).verdict) == "yes"
    assert document.summary is not None
    assert document.summary.state["session"].startswith("1:")
