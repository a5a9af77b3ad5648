"""Reading of files that anybody may write: it never raises, never hangs, and tells places that exist."""

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.configfile.durations import parse_duration, written_duration
from flyball.configfile.tree import Map, Seq, Written
from flyball.configfile.yaml import NotReadable, read_yaml
from flyball.logs import Secrets
from flyball.model.place import Problem
from flyball.rules.expectation import expect
from flyball.rules.reading.names import in_order
from flyball.rules.rule import Expected
from unit.rules.kit import read

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    # YAML has no unpaired surrogates and refuses most control characters
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff\ufffe\uffff")),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text("abc. -:#'\"{[", max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
FRAGMENTS = [
    *(
        "rules",
        "defaults",
        "profiles",
        "version",
        "id",
        "each",
        "session",
        "file",
        "do",
        "tag",
        "alert",
        "if",
        "let",
        "x",
    ),
    *(
        "select",
        "files",
        "expect",
        "acquisitions",
        "scope",
        "trigger",
        "schedule",
        "0 4 * * *",
        "since",
        "now",
        "settle",
    ),
    *(
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        '"',
        "|\n",
        ">",
        "&a ",
        "*a",
        "!",
        "<<",
        "#",
    ),
    *(
        "1",
        "2h",
        "true",
        "null",
        "{{ x }}",
        "session.label == 'a'",
        "\t",
        "---\n",
        "%YAML 1.1\n",
        "é",
        "\u2028",
        "?",
        "@",
    ),
]


@given(json_values)
def test_json_reads_as_json(value: Any) -> None:
    """JSON is YAML: every JSON text gives the value that a JSON parser gives."""
    text = json.dumps(value, ensure_ascii=False)
    assert read_yaml(text, "f").root == json.loads(text)


@given(json_values)
def test_places_lie_within_the_file(value: Any) -> None:
    """Every key and value has a place, at which its text begins."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    lines = text.split("\n")
    written = read_yaml(text, "f")

    def check(node: Any, path: tuple[str | int, ...]) -> None:
        place = written.place(path)
        rest = lines[place.line - 1][place.column - 1 :]
        assert rest.startswith(json.dumps(node, ensure_ascii=False)[0])
        if isinstance(node, Map):
            for key, below in node.items():
                at = written.place((*path, key), key=True)
                assert lines[at.line - 1][at.column - 1 :].startswith(json.dumps(key, ensure_ascii=False))
                check(below, (*path, key))
        if isinstance(node, Seq):
            for index, below in enumerate(node):
                check(below, (*path, index))

    check(written.root, ())


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join) | st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """Whatever a file holds, it is values, or a problem with a place in this file."""
    outcome: Written | Problem
    try:
        outcome = read_yaml(text, "f.yaml")
    except NotReadable as error:
        outcome = error.problem
    if isinstance(outcome, Problem):
        assert outcome.place.file == "f.yaml"
        assert outcome.place.line <= len(text.splitlines()) + 2
        assert outcome.message


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join))
def test_no_rule_file_breaks_reading(text: str) -> None:
    """Reading the rules never raises: a file gives rules and refusals."""
    found = read(text)
    assert all(one.problems for one in found.rejected)


rule_like = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", "a b", ""]) | json_values,
        "each": st.sampled_from(["session", "file", "job", "matrix", "x"]) | json_values,
        "do": st.just([{"tag": {"on": "session", "set": {"A": "true"}}}])
        | st.lists(json_values, max_size=2)
        | json_values,
        "if": st.sampled_from(["session.label == 'a'", "a >", "missing", "qc('p').fail", "len(s)"]) | json_values,
        "let": st.dictionaries(st.sampled_from(["u", "v", "session", "if"]), st.sampled_from(["u", "v", "1"]))
        | json_values,
        "select": st.just({"s": {"files": "file.x == 1", "order": ["file.y"], "max": 2}}) | json_values,
        "expect": st.just({"acquisitions": ["T1", {"match": "(", "count": 1}]}) | json_values,
        "scope": st.dictionaries(st.sampled_from(["project", "file", "x"]), json_values) | json_values,
        "trigger": st.lists(st.sampled_from(["changed", {"job": "failed"}, {"schedule": "* * * * 9"}])) | json_values,
        **dict.fromkeys(
            ("settle", "since", "mode", "limits", "retry", "matrix", "title", "when_over", "tests"), json_values
        ),
    },
)


@given(
    st.fixed_dictionaries(
        {"rules": st.lists(rule_like | json_values, max_size=3) | json_values},
        optional={
            "version": json_values,
            "defaults": rule_like | json_values,
            "profiles": st.just({"p": {"metrics": {"snr": {"fail": 1}}}}) | json_values,
        },
    )
)
def test_no_values_break_reading(content: Any) -> None:
    """Values of any kind at any place are accepted or refused, with a place in the file."""
    text = json.dumps(content)
    try:
        read_yaml(text, "f")
    except NotReadable:
        return  # such as control characters; another test's business
    found = read(text)
    entries = content["rules"] if isinstance(content["rules"], list) else []
    listed = len(found.rules) + sum(one.kind == "rule" for one in found.rejected)
    whole = any(one.kind == "file" for one in found.rejected)
    assert whole or listed == len(entries)
    assert all(problem.place.line >= 1 for one in found.rejected for problem in one.problems)


@given(st.timedeltas(timedelta(0), timedelta(days=3000)).map(lambda one: one - one % timedelta(milliseconds=1)))
def test_durations_read_back(value: timedelta) -> None:
    """What is written reads back, to the millisecond."""
    assert parse_duration(written_duration(value)) == value


@given(st.text(max_size=30))
def test_durations_are_read_or_refused(text: str) -> None:
    """Any text is a duration that is no less than nothing, or a ValueError."""
    told = ""
    try:
        length = parse_duration(text)
    except ValueError as error:
        told = str(error)
    assert "is no duration" in told or "is longer than" in told or length >= timedelta(0)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.frozensets(st.sampled_from("abcdefgh"), max_size=3)))
def test_order_by_need(needs: dict[str, frozenset[str]]) -> None:
    """Each name comes after those that it needs, or a circle is shown that is one."""
    order, cycle = in_order(needs)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(later in needs[earlier] for earlier, later in itertools.pairwise(cycle))
        return
    assert sorted(order) == sorted(needs)
    for place, name in enumerate(order):
        assert needs[name] & set(needs) <= set(order[:place])


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.none() | st.integers(0, 3)), max_size=4),
    st.lists(st.sampled_from("abcd"), max_size=12),
)
def test_expectation_counts(plan: list[tuple[str, int, int | None]], labels: list[str]) -> None:
    """Against counting by hand: fewer is missing, more is unexpected, nothing wanted is unexpected."""
    entries = [Expected(f"{label}{n}", label, None, least, most) for n, (label, least, most) in enumerate(plan)]
    missing, unexpected = expect(entries, labels)
    assert missing == [entry.title for entry in entries if labels.count(str(entry.label)) < entry.at_least]
    for label in set(labels):
        mine = [entry for entry in entries if entry.label == label]
        too_many = any(entry.at_most is not None and labels.count(label) > entry.at_most for entry in mine)
        assert (label in unexpected) == (not mine or too_many)


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    """A secret of some length is gone from any text that holds it, in every nesting."""
    bare = secret.strip()
    if len(bare) < 4 or bare in "***":
        return
    secrets = Secrets(secret)
    masked = secrets.masked({"a": [before + bare + after, {bare: bare.encode(errors="replace")}]})
    assert bare not in json.dumps(masked, ensure_ascii=False)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=200).map("".join))
def test_no_rule_file_breaks_reading_deep(text: str) -> None:
    """The same as the quick one, longer."""
    assert read(text).files
