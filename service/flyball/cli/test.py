"""`flyball test`: the rules' own tests; `--record TARGET`: a real target as a de-identified document for a test."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from flyball.app import Daemon
from flyball.cli.common import Lab, load_lab
from flyball.cli.looping import run_loop_value
from flyball.cli.saying import FAILED, FINE, USAGE, Exit, complain, err, fail, options, out, say_json, say_table
from flyball.configfile.suggest import instead
from flyball.configfile.writing import write_yaml
from flyball.configfile.yaml import NotReadable, read_yaml
from flyball.events.documents import load_documents
from flyball.model.node import Document, NodeKey
from flyball.rules.cells import names_for_people, rules_named
from flyball.rules.engine import Functions
from flyball.rules.given_nodes import GivenError
from flyball.rules.matrix import family_of
from flyball.rules.profiles import Qc
from flyball.rules.reading import Rejected, RuleTest
from flyball.rules.recording import record
from flyball.rules.rule import Rule
from flyball.rules.testing import TestResult, on_document, run_test, verdicts_on

_HEADER = """\
# Recorded from a site and de-identified: names, codes, UIDs, addresses and notes are replaced, times are moved
# together, and only what {rules} reads is kept. Look it over before you share it. In a test: `given: THIS-FILE`.
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("test")(run_tests)


def run_tests(
    rule: Annotated[str | None, typer.Option(metavar="ID", help="Only this rule.")] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--record",
            metavar="TARGET",
            help="Print this target of the site, de-identified, as a document for `given` (id or path of labels).",
        ),
    ] = None,
) -> None:
    """Run the rules' own tests; exit code 1 when one fails."""
    lab = load_lab(offline=target is None)  # tests ask nobody: they run where no key is set
    chosen = _chosen(lab, rule)
    if target is not None:
        recorded = run_loop_value(_record(lab, chosen, target))
        _show_record(recorded)
        return
    tests = [one for one in lab.rules.tests if rule is None or one.rule == family_of(rule)]
    now = datetime.now(UTC)
    results = [_run(one, lab, now) for one in tests]
    refused = [one for one in lab.rules.rejected if rule is None or one.id == rule]
    _show(results, refused, rule)
    fine = all(one.status == "passed" for one in results) and not refused
    raise Exit(FINE if fine else FAILED)


def _chosen(lab: Lab, rule: str | None) -> list[Rule]:
    """The rules meant."""
    rules = list(lab.rules.rules)
    if rule is None:
        return rules
    found = rules_named(rules, rule)
    if not found:
        refused = next((one for one in lab.rules.rejected if one.id == rule), None)
        if refused is not None:
            fail(f"the rule {rule!r} is refused: {refused}", USAGE)
        fail(f"there is no rule {rule!r}; {instead(rule, names_for_people(rules))}", USAGE)
    return found


# --- running


def _run(one: RuleTest, lab: Lab, now: datetime) -> TestResult:
    try:
        given = one.given if isinstance(one.given, Mapping) else _document_file(lab, one.given)
    except GivenError as error:
        return TestResult(one, "error", (str(error),))
    return run_test(one, lab.rules.rules, lab.rules.functions, given, now)


def _document_file(lab: Lab, name: str) -> Mapping[str, Any]:
    """What a document file gives.

    Raises:
        GivenError: there is none, or it holds something else.
    """
    path = lab.settings.config_dir / name
    try:
        found = read_yaml(path.read_bytes(), str(path)).root
    except FileNotFoundError:
        raise GivenError(f"there is no document file {path}; `given` names one below the config folder") from None
    except OSError as error:
        raise GivenError(f"the document file {path} cannot be read ({error.strerror})") from None
    except NotReadable as error:
        raise GivenError(str(error)) from None
    if not isinstance(found, Mapping):
        raise GivenError(f"the document file {path} is no map of level to document, such as `session: {{…}}`")
    return found


def _show(results: list[TestResult], refused: Iterable[Rejected], rule: str | None) -> None:
    counts: Counter[str] = Counter(one.status for one in results)
    refusals = [str(one) for one in refused]
    if options.json:
        tests = [one.as_json() for one in results]
        numbers = {status: counts[status] for status in ("passed", "failed", "error")}
        say_json({"tests": tests, **numbers, "rejected": refusals})
        return
    for refusal in refusals:
        complain(refusal)
    numbered: Counter[str] = Counter()
    rows = []
    for one in results:
        numbered[one.test.rule] += 1
        name = one.test.name or f"test {numbered[one.test.rule]}"
        place = f"{one.test.place.file}:{one.test.place.line}"
        rows.append((one.status, one.test.rule, name, place))
    say_table(("result", "rule", "test", "place"), rows, empty="")
    for one, row in zip(results, rows, strict=True):
        if one.status != "passed" or one.note:
            _explain(one, f"{row[3]}: {row[1]}, {row[2]}")
    if not results:
        out.print("no tests" if rule is None else f"the rule {rule} has no tests", markup=False)
        return
    words = {"passed": "passed", "failed": "failed", "error": "could not be run"}
    numbers_ = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    out.print(", ".join(numbers_), markup=False)


def _explain(one: TestResult, head: str) -> None:
    """A failing test: what is not as expected, and how the rule came to it."""
    out.print()
    out.print(Text(f"{head}: {one.status}", style="yellow" if one.status == "passed" else "red"))
    for line in one.differences:
        out.print(Text(f"  {line}"))
    if one.note:
        out.print(Text(f"  note: {one.note}", style="dim"))
    if one.status != "failed" or one.verdicts is None:
        return
    out.print(Text("  because:", style="dim"))
    for because in one.verdicts.decision.because:
        values = ", ".join(f"{name} = {value}" for name, value in because.values.items())
        note = f"  ({because.note})" if because.note else ""
        out.print(Text(f"    {because.result!s:>10}  {because.expr}"))
        if values or note:
            out.print(Text(f"                {values}{note}", style="dim"))


# --- recording


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A recorded target: what `given` takes, and how each rule decides on it, there and here."""

    given: dict[str, Any]
    rules: tuple[str, ...]
    remarks: tuple[str, ...]
    tests: tuple[dict[str, Any], ...]


async def _record(lab: Lab, rules: list[Rule], target: str) -> _Recorded:
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, only_look=True) as daemon:
        if not await daemon.look():
            errors = "; ".join(watch.weather.error or "" for watch in daemon.watches.values() if watch.weather.error)
            fail(lab.secrets.mask(errors), FAILED)
        keys = await daemon.find(target)
        if not keys:
            fail(f"the site shows nothing named {target!r} that a rule is about")
        key, fitting = _fitting(keys, rules, target)
        whole = _together(fitting)
        document = (await daemon.store.read(lambda connection: load_documents(connection, [(whole, key)])))[0]
        if document is None:
            fail(f"the site shows nothing named {target!r}")
        now = daemon.clock.now()
        return _recorded(document, fitting, daemon.dispatcher.functions_at(key.site), now)


def _fitting(keys: Iterable[NodeKey], rules: list[Rule], target: str) -> tuple[NodeKey, list[Rule]]:
    """The target that some rule looks at, and these rules."""
    levels = set()
    for key in keys:
        levels.add(str(key.level))
        fitting = [rule for rule in rules if (rule.site, rule.each) == (key.site, key.level)]
        if fitting:
            return key, fitting
    known = ", ".join(f"{rule.id} ({rule.each})" for rule in rules)
    return fail(f"{target!r} is a {' or '.join(sorted(levels))}, and no rule meant looks at one: {known}", USAGE)


def _together(rules: list[Rule]) -> Rule:
    """A rule that reads what all of them read."""
    reads = frozenset(path for rule in rules for path in rule.reads)
    below = max((rule.below for rule in rules), key=len)
    return replace(rules[0], reads=reads, below=below)


def _recorded(document: Document, rules: list[Rule], functions: Functions, now: datetime) -> _Recorded:
    qc = functions.get("qc")
    given = record(document, rules, qc if isinstance(qc, Qc) else Qc({}), now)
    remarks, tests = [], []
    for rule in rules:
        there = on_document(rule, document, functions, now)
        here = verdicts_on(rule, given, functions, now)
        tests.append(
            {
                "rule": rule.id,
                "decision": str(here.decision.verdict),
                "effects": [
                    {"kind": one["kind"], **({"tag": one["params"]["tag"]} if "tag" in one["params"] else {})}
                    for one in here.effects
                ],
            }
        )
        same = there.decision.verdict is here.decision.verdict and len(there.effects) == len(here.effects)
        if not same:
            remarks.append(
                f"{rule.id} decides {here.decision.verdict} with {len(here.effects)} effects on the recorded document, "
                f"and {there.decision.verdict} with {len(there.effects)} on the site: it hangs on what was left out"
            )
    return _Recorded(given, tuple(rule.id for rule in rules), tuple(remarks), tuple(tests))


def _show_record(recorded: _Recorded) -> None:
    """The document on standard output; what there is to say about it on standard error."""
    if options.json:
        say_json(recorded.given)
    else:
        sys.stdout.write(_HEADER.format(rules=" and ".join(recorded.rules)) + write_yaml(recorded.given))
        sys.stdout.flush()
    for remark in recorded.remarks:
        complain(remark)
    for one in recorded.tests:
        expect = write_yaml({"expect": {"decision": one["decision"], "effects": one["effects"]}}).strip()
        err.print(Text(f"{one['rule']}: {expect}", style="dim"))
