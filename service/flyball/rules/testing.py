"""Runs the tests that stand beside the rules: through the one `judge`, with nothing but what the test gives. Pure.

`since`, `settle` and `mode` do not get in the way: a test asks what the rule makes of a state, so `since` is taken as
everything, `settle` as 0, and a paused or shadow rule as live. Levels of the scope whose label the test does not tell
count as in scope. No claims are on record, as at first sight; a tag that `given` already has is people's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from flyball.configfile.durations import shortened
from flyball.configfile.suggest import instead
from flyball.model.decision import Decision, Wish
from flyball.model.node import Document
from flyball.rules.claims import TAG, Book, Planned, subject_of
from flyball.rules.engine import Functions, Standing, effects_of, judge
from flyball.rules.given import situation
from flyball.rules.given_nodes import GivenError
from flyball.rules.matching import effect_differences
from flyball.rules.matrix import MATRIX, cell_name
from flyball.rules.profiles import Qc
from flyball.rules.reading import RuleTest
from flyball.rules.rule import Mode, Rule, Since
from flyball.rules.scope import Scope

Json = dict[str, Any]
_EXPECTED: Final = ("decision", "effects")
_DECISIONS: Final = ("yes", "no", "unknown")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a rule makes of a state.

    Attributes:
        decision: with its explanation.
        effects: those that it asks for at first sight, in the shape of effects.
    """

    decision: Decision
    effects: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class TestResult:
    """How a test ended.

    Attributes:
        status: `error`: it could not be run.
        differences: what is not as expected, or the error; empty when it passed.
        verdicts: None when it could not be run.
        note: for people, of a test that passed too.
    """

    __test__ = False  # pytest takes it for a test otherwise

    test: RuleTest
    status: Literal["passed", "failed", "error"]
    differences: tuple[str, ...] = ()
    verdicts: Verdicts | None = None
    note: str = ""

    def as_json(self) -> Json:
        """The shape of `flyball test --json`."""
        test, got = self.test, self.verdicts
        return {
            "rule": test.rule,
            "name": test.name,
            "file": test.place.file,
            "line": test.place.line,
            "status": self.status,
            "differences": list(self.differences),
            "expected": dict(test.expect),
            "got": None if got is None else {"decision": str(got.decision.verdict), "effects": list(got.effects)},
            "because": [] if got is None else [line.as_json() for line in got.decision.because],
            "note": self.note,
        }


def run_test(
    test: RuleTest, rules: Sequence[Rule], functions: Functions, given: Mapping[str, Any], now: datetime
) -> TestResult:
    """Run one test.

    Args:
        test: as written.
        rules: all rules that run.
        functions: of the expressions.
        given: what the test gives; read from its file, where it names one.
        now: the present, for a test that does not say `now`.
    """
    try:
        check_expectation(test.expect)
        ends = [_end(test, rule, one, functions, now) for rule, one in _cells_of(test, rules, given)]
    except GivenError as error:
        return TestResult(test, "error", (str(error),))
    return next((end for end in ends if end.status != "passed"), ends[0])


def _end(test: RuleTest, rule: Rule, given: Mapping[str, Any], functions: Functions, now: datetime) -> TestResult:
    """How the test ends for one rule; of a rule with a matrix, for one cell."""
    verdicts = verdicts_on(rule, given, functions, now)
    differences: list[str] = []
    wanted, got = test.expect.get("decision"), str(verdicts.decision.verdict)
    if wanted is not None and wanted != got:
        differences.append(f"decision: expected {wanted}, got {got}")
    if "effects" in test.expect:
        differences += effect_differences(test.expect["effects"] or (), verdicts.effects)
    cell = cell_name(rule.id) or (verdicts.decision.target.path if rule.cells else "")
    if cell:
        differences = [f"[{cell}] {difference}" for difference in differences]
    note = ""
    if verdicts.decision.look_again is not None and "now" not in given:
        note = "the rule reads `now` and the test does not say it, so that it can end otherwise another day"
    return TestResult(test, "failed" if differences else "passed", tuple(differences), verdicts, note)


def verdicts_on(rule: Rule, given: Mapping[str, Any], functions: Functions, now: datetime) -> Verdicts:
    """What a rule makes of what a test gives.

    Raises:
        GivenError: when that is no document.
    """
    found = situation(rule, given)
    qc = functions.get("qc")
    if isinstance(qc, Qc) and len(found.peers):
        functions = {**functions, "qc": qc.with_peers(found.peers)}
    return on_document(rule, found.document, functions, found.now or now, told=found.told)


def on_document(
    rule: Rule, document: Document, functions: Functions, now: datetime, *, told: frozenset[str] | None = None
) -> Verdicts:
    """What a rule makes of a document at first sight, whatever its `since`, `settle` and mode.

    Args:
        rule: the rule.
        document: the document.
        functions: of the expressions.
        now: the present.
        told: levels of the scope that are judged; None: all.
    """
    levels = (
        rule.scope.levels if told is None else {one: rule.scope.levels[one] for one in rule.scope.levels if one in told}
    )
    tested = replace(rule, mode=Mode.LIVE, since=Since(everything=True), settle=timedelta(0), scope=Scope(levels))
    decision = judge(tested, document, Standing(now, functions=functions), now)
    book = Book(present=dict(_present(document, decision.wishes)))
    return Verdicts(decision, tuple(effect_json(one) for one in effects_of(decision, book)))


def check_expectation(expect: Mapping[str, Any]) -> None:
    """See that `expect` says something that can be compared.

    Raises:
        GivenError: with what would be right.
    """
    for key in expect:
        if key not in _EXPECTED:
            raise GivenError(f"`{key}` is unknown in `expect`; {instead(str(key), _EXPECTED)}")
    if not expect:
        raise GivenError("`expect` says nothing; write {decision: yes, effects: [{kind: tag, tag: NAME}]}")
    decision, effects = expect.get("decision"), expect.get("effects")
    if "decision" in expect and decision not in _DECISIONS:
        raise GivenError(f"`decision` is yes, no or unknown, not {shortened(decision)}")
    if effects is not None and (isinstance(effects, str) or not isinstance(effects, Sequence)):
        raise GivenError("`effects` is a list: [{kind: tag, tag: NAME}], or [] for none")
    for effect in effects or ():
        if not isinstance(effect, Mapping):
            raise GivenError(
                f"an expected effect is a mapping such as {{kind: tag, tag: NAME}}, not {shortened(effect)}"
            )


def effect_json(one: Planned) -> Json:
    """A planned effect, as far as it can be said before it is in the ledger."""
    return {
        "rule": one.rule,
        "target": one.target.as_json(),
        "kind": one.kind,
        "state": "planned",
        "once_key": one.once_key,
        "slot": one.slot,
        "summary": one.summary,
        "params": dict(one.params),
    }


def _cells_of(test: RuleTest, rules: Iterable[Rule], given: Mapping[str, Any]) -> list[tuple[Rule, Mapping[str, Any]]]:
    """The test's rule with what is given; of a rule with a matrix, once for each cell that `given` leaves open."""
    known = list(rules)
    mine = [rule for rule in known if rule.written_as == test.rule]
    if not mine:
        raise GivenError(f"there is no rule `{test.rule}`; {instead(test.rule, (rule.id for rule in known))}")
    wanted = given.get(MATRIX)
    chosen = wanted if isinstance(wanted, Mapping) else {}
    open_ = [
        (rule, values) for rule in mine for values in ([cell.values for cell in rule.cells.values()] or [rule.matrix])
    ]
    found = [
        (rule, {**given, MATRIX: dict(values)} if rule.cells else given)
        for rule, values in open_
        if not values or all(key in values and values[key] == value for key, value in chosen.items())
    ]
    if not found:
        raise GivenError(f"the rule's matrix has no cell {shortened(dict(chosen))}")
    return found


def _present(document: Document, wishes: Iterable[Wish]) -> Iterable[tuple[tuple[str, str], bool]]:
    """Which of the tags that are wished for are there already."""
    nodes = {(str(level), node.id): node for level, node in document.ancestors.items()}
    nodes[str(document.target.level), document.node.id] = document.node
    for wish in wishes:
        if wish.kind == TAG and wish.params:
            container = wish.params["container"]
            node = nodes.get((container["level"], container["id"]))
            tags = None if node is None else node.doc.get("tags")
            yield (document.target.site, subject_of(wish.params)), isinstance(tags, list) and wish.params["tag"] in tags
