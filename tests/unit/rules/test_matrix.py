"""Matrices: identities that hang on the values alone, and what is wrong with a matrix, each at its place."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.model.levels import Level
from flyball.rules.cells import NOWHERE, cell_document, cell_keys, rules_named
from flyball.rules.matrix import MOST_CELLS, cell_of, cell_rule_id, cells_of, family_of, same_path
from flyball.rules.reading import RuleSet
from flyball.rules.rule import Rule
from unit.rules.kit import CATALOG, read, refused, rule_text

TAG = "[{tag: {on: session, set: {A: 'true'}}}]"
SAY = "[{alert: {title: '{{ matrix.dataset }} {{ predictor }}'}}]"


class OfScout:
    """An effect kind that needs a Neuroscout site."""

    name = "neuroscout.analysis"
    params = CATALOG["alert"].params
    over = CATALOG["alert"].over
    sites = frozenset(("neuroscout",))
    compile = CATALOG["alert"].compile


SAYING = CATALOG["alert"]


class Saying:
    """`alert`, which needs no site."""

    name = "alert"
    params = SAYING.params
    over = SAYING.over
    sites: frozenset[str] = frozenset()
    compile = SAYING.compile


AROUND: dict[str, Any] = {
    "catalog": {**CATALOG, "alert": Saying(), "neuroscout.analysis": OfScout()},
    "site_kinds": {"main": "flywheel", "scout": "neuroscout"},
}


def rules_of(body: str, *, each: str = "session", do: str = TAG) -> list[Rule]:
    """The rules that one entry becomes."""
    found: RuleSet = read(rule_text(body, each=each, do=do), **AROUND)
    assert not found.rejected, str(found.rejected[0])
    return list(found.rules)


def ids(body: str) -> set[str]:
    """The ids of the cells' rules."""
    return {rule.id for rule in rules_of(body)}


def test_every_combination_once() -> None:
    """The last key changes fastest."""
    cells = cells_of({"dataset": ["Life", "Sherlock"], "predictor": ["rmse", "speech"]})
    assert [cell.path for cell in cells] == [
        "dataset=Life,predictor=rmse",
        "dataset=Life,predictor=speech",
        "dataset=Sherlock,predictor=rmse",
        "dataset=Sherlock,predictor=speech",
    ]
    assert len({cell.id for cell in cells}) == 4
    assert all(len(cell.id) == 24 for cell in cells)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": "x"}, {"b": "x", "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": {"task": "rest", "n": 1}}, {"a": {"n": 1.0, "task": "rest"}}),
    ],
    ids=["order of keys", "one number", "order within a map"],
)
def test_equal_values_are_one_cell(one: dict[str, Any], other: dict[str, Any]) -> None:
    """However they are written."""
    assert (cell_of(one).id, cell_of(one).path) == (cell_of(other).id, cell_of(other).path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", 1),
        ("true", True),
        ("a b", "a_b"),
        ("x" * 300, "x" * 300 + "y"),
        (["a", "b"], ["b", "a"]),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ("a/b", "a,b"),
        ("1e3", 1000),
    ],
    ids=["text or number", "text or truth", "blank", "long", "order of a list", "maps", "odd letters", "exponent"],
)
def test_different_values_never_share_a_name(one: Any, other: Any) -> None:
    """Neither id nor path nor the id of the rule that a cell becomes, even where they read alike."""
    first, second = cell_of({"k": one}), cell_of({"k": other})
    assert first.id != second.id
    assert first.path != second.path
    assert cell_rule_id("r", first) != cell_rule_id("r", second)


@pytest.mark.parametrize("value", ["é" * 500, "x" * 1000, 1.5, -3, True, ["a", {"b": 1}]], ids=range(6))
def test_names_fit_everywhere(value: Any) -> None:
    """An id of a rule stands in addresses, on command lines and, with more around it, in 128 characters."""
    made = cell_rule_id("r" * 100, cell_of({"key": value, "other": "y" * 90}))
    assert len(f"schedule/{made}/99") <= 128
    assert made.isascii()
    assert not set(made) & set(" /?#%'\"$*[]{}()&|;<>\\!")
    assert family_of(made) == "r" * 100


def test_a_rule_for_each_cell() -> None:
    """Each has the values under `matrix` and by their own names, and knows what it was written as."""
    rules = rules_of(
        "matrix: {task: [rest, movie], limit: [0.25, 0.5]}", do="[{alert: {title: '{{ task }} {{ limit }}'}}]"
    )
    assert [rule.id for rule in rules] == [
        "r@limit=0.25,task=rest",
        "r@limit=0.5,task=rest",
        "r@limit=0.25,task=movie",
        "r@limit=0.5,task=movie",
    ]
    assert {rule.written_as for rule in rules} == {"r"}
    assert rules[0].matrix == {"task": "rest", "limit": 0.25}
    assert rules[0].title == "r (limit=0.25,task=rest)"
    assert len({rule.version for rule in rules}) == 4


def test_ids_and_versions_stay_when_the_matrix_is_written_otherwise() -> None:
    """The order of keys and values, and further values, change nothing for a cell that is there."""
    before = {rule.id: rule.version for rule in rules_of("matrix: {a: [1, 2], b: [x]}")}
    after = {rule.id: rule.version for rule in rules_of("matrix: {b: [x, y], a: [2, 1, 3]}")}
    assert before.items() <= after.items()
    assert len(after) == 6


def test_another_rule_for_a_changed_condition() -> None:
    """What the rule means counts in each cell."""
    one = rules_of("matrix: {a: [1]}\nif: 'true'")[0]
    other = rules_of("matrix: {a: [1]}\nif: 'false'")[0]
    assert one.id == other.id
    assert one.version != other.version


def test_rules_are_named_by_cell_or_whole() -> None:
    """The id in the file means all cells."""
    rules = rules_of("matrix: {a: [1, 2]}")
    assert [rule.id for rule in rules_named(rules, "r@a=1")] == ["r@a=1"]
    assert len(rules_named(rules, "r")) == 2
    assert rules_named(rules, "q") == []


def test_one_rule_on_each_cell() -> None:
    """`each: matrix`: the cells are targets, found by id and by path in any order."""
    rule = rules_of("matrix: {dataset: [Life, Sherlock], predictor: [rmse, speech]}", each="matrix", do=SAY)[0]
    assert (rule.each, rule.site, len(rule.cells), rule.matrix) == (Level.MATRIX, NOWHERE, 4, {})
    found = cell_keys(rule, "predictor=rmse,dataset=Life")
    assert len(found) == 1
    assert cell_keys(rule, found[0].id) == found
    document = cell_document(rule, found[0].id)
    assert document.target.as_json() == {"level": "matrix", "id": found[0].id, "path": "dataset=Life,predictor=rmse"}
    assert document.names["matrix"] == {"dataset": "Life", "predictor": "rmse"}
    assert document.names["dataset"] == "Life"
    assert same_path("a=1,b=2", "b=2,a=1")


def test_without_a_matrix_there_is_one_cell() -> None:
    """A rule that only has a schedule."""
    rule = rules_of('trigger: [{schedule: "0 4 * * *"}]', each="matrix", do="[{alert: {title: x}}]")[0]
    assert [cell.path for cell in rule.cells.values()] == ["one"]


@pytest.mark.parametrize(
    ("body", "do", "site"),
    [
        ("matrix: {a: [1]}", "[{alert: {title: x}}]", NOWHERE),
        ("matrix: {a: [1]}\nsite: main", "[{alert: {title: x}}]", "main"),
        ("matrix: {a: [1]}\nsite: scout", "[{alert: {title: x}}]", "scout"),
        ("matrix: {a: [1]}", "[{neuroscout.analysis: {title: x}}]", "scout"),
        ("matrix: {a: [1]}", "[{alert: {title: x}}, {neuroscout.analysis: {title: x}}]", "scout"),
    ],
    ids=["none needed", "said", "said, of another kind", "by the effect", "by one of the effects"],
)
def test_the_site_of_cells(body: str, do: str, site: str) -> None:
    """The effects say which kind of site they need, if any."""
    assert rules_of(body, each="matrix", do=do)[0].site == site


def test_defaults_about_data_do_not_concern_cells() -> None:
    """`scope`, `settle` and `since` of a file's defaults are about containers."""
    text = "defaults: {scope: {project: a/*}, settle: 2h, since: all}\n" + rule_text(
        "matrix: {a: [1]}", each="matrix", do="[{alert: {title: x}}]"
    )
    found = read(text, **AROUND)
    assert not found.rejected
    assert not found.warnings
    assert not found.rules[0].scope.levels


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("matrix: {}", "4:13: `matrix` has no keys"),
        ("matrix: {a: []}", "4:17: `a` has no values, so there would be no cell"),
        ("matrix: {a: [1, 2, 1]}", "4:24: entry 3 of `a`: 1 is entry 1 again"),
        ("matrix: {a: [1, 1.0]}", "4:21: entry 2 of `a`: 1.0 is entry 1 again"),
        ("matrix: {a: [{x: 1, y: 2}, {y: 2, x: 1}]}", "4:32: entry 2 of `a`: it is entry 1 again"),
        ("matrix: {a: [x, null]}", "4:21: entry 2 of `a`: a value is missing (null)"),
        ("matrix: {a: [.nan]}", "4:18: entry 1 of `a`: a number must be finite"),
        ("matrix: {a: [{x: {}}]}", "4:18: entry 1 of `a`: an empty list or map says nothing"),
        ("matrix: {a: [[[[[[1]]]]]]}", "4:18: entry 1 of `a`: lists and maps are at most 4 levels deep"),
        ("matrix: {session: [1]}", "4:14: `session` has a meaning already"),
        ("matrix: {matrix: [1]}", "4:14: `matrix` has a meaning already"),
        ("matrix: {len: [1]}", "4:14: `len` has a meaning already"),
        ("matrix: {row: [1]}", "4:14: `row` has a meaning already"),
        ("matrix: {lambda: [1]}", "4:14: `lambda` is a word of the expressions' own"),
        ("matrix: {a: [1]}\nlet: {a: '1'}", "4:14: `a` stands under `let` or `select` too"),
        ("matrix: {a-b: [1]}", "4:14: the name `a-b` must look like"),
        ("matrix: [1]", "4:13: `matrix` must be a mapping of keys to values, not a list"),
        (
            f"matrix: {{a: {list(range(100))}, b: {list(range(100))}}}",
            f"4:5: `matrix` has 10000 cells (100 times 100), more than {MOST_CELLS}; take values out",
        ),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_wrong_with_a_matrix(body: str, message: str) -> None:
    """Each mistake stands where it was made."""
    told = refused(body)
    assert len(told) == 1
    assert told[0].startswith(message)


@pytest.mark.parametrize(
    ("body", "do", "message"),
    [
        ("matrix: {a: [1]}\nsettle: 2h", "[{alert: {title: x}}]", "5:13: a cell has nothing below it"),
        (
            "matrix: {a: [1]}\nscope: {project: a/b}",
            "[{alert: {title: x}}]",
            "5:22: a rule on each matrix has no project",
        ),
        ("trigger: [{job: complete}]", "[{alert: {title: x}}]", "4:15: a gear job belongs to no cell"),
        ("matrix: {a: [1]}\nif: session.label == 'x'", "[{alert: {title: x}}]", "5:9: `if`: unknown name `session`"),
        ("matrix: {a: [1]}\nsite: main", "[{neuroscout.analysis: {title: x}}]", "5:11: the effects need a Neuroscout"),
        ("site: man", "[{alert: {title: x}}]", "4:11: there is no site `man` in the settings; did you mean `main`?"),
        (
            "",
            "[{tag: {on: session, set: {}}}, {neuroscout.analysis: {title: x}}]",
            "4:5: the effects of this rule need sites of different kinds; make two rules of it",
        ),
    ],
    ids=["settle", "scope", "job", "names", "kind of site", "no such site", "two kinds"],
)
def test_what_is_wrong_with_a_rule_on_cells(body: str, do: str, message: str) -> None:
    """What is about containers, jobs and other sites fits no cell."""
    told = refused(body, each="matrix", do=do, **AROUND)
    assert len(told) == 1
    assert told[0].startswith(message)


GEARS = "matrix: {tool: [mriqc, fmriprep], cut: [{tag: LOW, limit: 1}, {tag: LOWER, limit: 0.5}]}"


def test_names_are_filled_in_cell_by_cell() -> None:
    """A tag, a gear or a channel is no template; the values of the matrix can stand there all the same."""
    do = "[{tag: {on: session, set: {'{{ cut.tag }}': cut.limit > 0}}}, {alert: {title: '{{ tool }}', channel: '{{ tool }}'}}]"
    around = {**AROUND, "channels": {"mriqc": "log", "fmriprep": "log"}}
    found = read(rule_text(GEARS, do=do), **around)
    assert not found.rejected, str(found.rejected[0])
    assert [rule.id.partition("@")[0] for rule in found.rules] == ["r"] * 4
    assert [getattr(spec, "notify", None) for rule in found.rules for spec in rule.do if spec.kind == "alert"] == [
        *("mriqc", "mriqc", "fmriprep", "fmriprep")
    ]
    assert len({rule.version for rule in found.rules}) == 4
    assert {rule.written_as for rule in found.rules} == {"r"}


def test_what_is_wrong_in_one_cell_refuses_the_rule_once() -> None:
    """At its place in the file."""
    do = "[{tag: {on: session, set: {'{{ cut.tag }}': cut.limt >}}}]"
    found = read(rule_text(GEARS, do=do), **AROUND)
    assert not found.rules
    assert len(found.rejected) == 1
    assert str(found.rejected[0].place) == "rules/a.yaml:5:63"


def test_a_broken_matrix_with_names_is_told_as_any_other() -> None:
    """The names are not filled in then."""
    told = refused("matrix: {a: [1, 1]}", do="[{tag: {on: session, set: {'{{ a }}': 'true'}}}]", **AROUND)
    assert told == ["4:21: entry 2 of `a`: 1 is entry 1 again"]
