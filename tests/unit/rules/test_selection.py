"""`select`: filter, order, cap; each candidate with its own ancestors."""

from datetime import timedelta
from typing import Any

import pytest

from flyball.model.levels import Level
from flyball.model.node import Document, Node
from flyball.rules.expression import Unknown, compile_expression, is_unknown
from flyball.rules.rule import Selection
from flyball.rules.selection import Chosen, as_candidate, below_of, scopes, select
from unit.rules.kit import NOW, context, document, node

NAMES = frozenset(("project", "subject", "session", "acquisition", "file", "cut"))


def selection(condition: str, *order: str, of: Level = Level.FILE, most: int | None = None) -> Selection:
    keys = tuple(compile_expression(key, names=NAMES) for key in order)
    return Selection("s", of, compile_expression(condition, names=NAMES), keys, most)


def lab() -> Document:
    """A subject with two sessions; the second was created first. Each has an acquisition; files hang everywhere."""
    place = {"project": "p", "subject": "sub"}
    one, two = {**place, "session": "s1"}, {**place, "session": "s2"}
    a1, a2 = {**one, "acquisition": "a1"}, {**two, "acquisition": "a2"}
    nodes = [
        node(Level.SESSION, "s1", created=5, parents=place, timestamp="2026-11-02T00:00:00+00:00"),
        node(Level.SESSION, "s2", created=1, parents=place, timestamp="2026-11-03T00:00:00+00:00"),
        node(Level.ACQUISITION, "a1", "T1w", created=6, parents=one),
        node(Level.ACQUISITION, "a2", "T2w", created=2, parents=two),
        node(Level.FILE, "f1", "one.nii", created=7, parents=a1, type="nifti", size=30, kind="T1"),
        node(Level.FILE, "f2", "two.nii", created=3, parents=a2, type="nifti", size=10, kind="T1"),
        node(Level.FILE, "f3", "three.nii", created=3, parents=a2, type="nifti", size=20),
        node(Level.FILE, "f4", "notes.txt", created=8, parents=one, type="text", size=5, kind="none"),
        node(Level.FILE, "f5", "out.nii", created=None, parents={**one, "analysis": "x"}, type="nifti", kind="T1"),
    ]
    return document(node(Level.SUBJECT, "sub", "1001", parents={"project": "p"}, sex="f"), *nodes)


def chosen(made: Selection, **names: Any) -> Chosen:
    found = lab()
    return select(made, found, context({**found.names, **names}))


def ids(made: Selection, **names: Any) -> list[str]:
    return [item["id"] for item in chosen(made, **names).items]


def test_filter_in_order_of_creation() -> None:
    """Without `order`: by creation, then id, unknown creation last."""
    assert ids(selection("file.type == 'nifti'")) == ["f2", "f3", "f1", "f5"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["file.size"], ["f4", "f2", "f3", "f1", "f5"]),
        (["file.kind"], ["f2", "f1", "f5", "f4", "f3"]),  # ties by creation; the missing one last
        (["file.type", "file.size"], ["f2", "f3", "f1", "f5", "f4"]),
        (["session.timestamp", "file.name"], ["f4", "f1", "f5", "f3", "f2"]),
        (["acquisition.timestamp"], ["f2", "f3", "f1", "f4", "f5"]),  # nobody has one
        (["file.mixed if has(file.mixed) else file.size"], ["f4", "f2", "f3", "f1", "f5"]),
    ],
)
def test_order(order: list[str], expected: list[str]) -> None:
    """Keys count in turn, ascending; unknowns come last; ties by creation, then id."""
    assert ids(selection("true", *order)) == expected


def test_order_of_mixed_kinds_is_stable() -> None:
    """Numbers come before texts before dates, so that odd data cannot make two runs differ."""
    nodes = [node(Level.FILE, f"f{n}", created=n, key=value) for n, value in enumerate(["b", 2, None, "a", True, 1.5])]
    found = document(node(Level.ACQUISITION, "a"), *nodes)
    items = select(selection("true", "file.key"), found, context(found.names)).items
    assert [item["key"] for item in items] == [True, 1.5, 2, "a", "b", None]


def test_cap() -> None:
    """`max` keeps the first ones, and the note says how many were left out."""
    found = chosen(selection("file.type == 'nifti'", most=2))
    assert [item["id"] for item in found.items] == ["f2", "f3"]
    assert found.note == "2 of 5 files; 2 more left out by `max`"


def test_own_ancestors_are_bound() -> None:
    """Each candidate sees its own session and acquisition, and the target's names."""
    assert ids(selection("acquisition.label == 'T2w' and session.id == 's2' and subject.sex == 'f'")) == ["f2", "f3"]
    assert ids(selection("file.size > cut"), cut=15) == ["f3", "f1"]


def test_ancestors_that_a_candidate_lacks_are_missing() -> None:
    """A file of a session has no acquisition, not somebody else's."""
    found = chosen(selection("acquisition.label == 'T1w' or file.id == 'f4'"))
    assert [item["id"] for item in found.items] == ["f1", "f4"]
    assert not ids(selection("has(acquisition.label) and (file.id == 'f4' or file.id == 'f5')"))


def test_acquisitions() -> None:
    """The other level that can be selected."""
    assert ids(selection("session.id == 's1'", of=Level.ACQUISITION)) == ["a1"]


def test_unknown_candidates_are_counted() -> None:
    """A file without the value is not chosen, does not hold up the others, and is not passed over in silence."""
    found = chosen(selection("file.kind == 'T1'"))
    assert [item["id"] for item in found.items] == ["f2", "f1", "f5"]
    assert found.withheld is None
    assert found.note == "3 of 5 files; 1 undecided, not taken (file.kind is missing)"
    assert found.value == found.items


def test_reasons_are_summed_up() -> None:
    """Many different reasons do not flood the note."""
    nodes = [node(Level.FILE, "f1", kind=3), node(Level.FILE, "f2"), node(Level.FILE, "f3")]
    found = document(node(Level.ACQUISITION, "a"), *nodes)
    note = select(selection("startswith(file.kind, 'T')"), found, context(found.names)).note
    assert note.startswith("0 of 3 files; 3 undecided, not taken (")
    assert note.endswith("and 1 other reason)")


def test_what_could_not_be_looked_at_makes_the_list_unknown() -> None:
    """A permission that is lacking must not look like files that are not there."""
    hidden = node(Level.FILE, "f2", kind=Unknown("the info was not read", "withheld"))
    found = document(node(Level.ACQUISITION, "a"), node(Level.FILE, "f1", kind="T1"), hidden)
    result = select(selection("file.kind == 'T1'"), found, context(found.names))
    assert is_unknown(result.value)
    assert [item["id"] for item in result.items] == ["f1"]


def test_nothing_below() -> None:
    """An empty target gives an empty list."""
    found = document(node(Level.SESSION, "s"))
    assert select(selection("true"), found, context(found.names)) == Chosen([], "0 of 0 files")


def test_files_carry_what_effects_need() -> None:
    """Whatever the site left out: id, name, parent reference, parents."""
    candidates = {one.id: as_candidate(one) for one in lab().subtree}
    assert candidates["f1"]["parent_ref"] == {"type": "acquisition", "id": "a1"}
    assert candidates["f1"]["name"] == "one.nii"
    assert candidates["f1"]["parents"]["session"] == "s1"
    assert candidates["f4"]["parent_ref"] == {"type": "session", "id": "s1"}
    assert candidates["f5"]["parent_ref"] == {"type": "analysis", "id": "x"}
    kept = as_candidate(node(Level.FILE, "f", parents={"session": "s"}, parent_ref={"type": "project", "id": "p"}))
    assert kept["parent_ref"] == {"type": "project", "id": "p"}
    assert candidates["a1"]["label"] == "T1w"


def test_nodes_are_not_changed() -> None:
    """Selecting works on copies of the nodes' documents."""
    found = lab()
    before = [dict(one.doc) for one in found.subtree]
    select(selection("len(acquisition.files) > 0"), found, context(found.names))
    assert [dict(one.doc) for one in found.subtree] == before


def test_lists_of_candidates() -> None:
    """A candidate's own acquisition has its files, in order of creation, when the condition asks for them."""
    assert ids(selection("len(acquisition.files) == 2")) == ["f2", "f3"]
    assert ids(selection("acquisition.files[0].id == 'f2' and file.id != 'f2'")) == ["f3"]
    assert ids(selection("len(session.files) == 1 and len(session.acquisitions) == 1")) == ["f1", "f4", "f5"]


def test_count_goes_through_the_same_nodes() -> None:
    """`count` sees each node with its own ancestors."""
    found = lab()
    expression = compile_expression(
        "count(file, session.id == 's2' and file.size > 5) == 2 and count(session, len(session.acquisitions) == 1) == 2",
        names=("project", "subject"),
    )
    here = context(found.names)
    assert expression.test(type(here)(here.names, NOW, {}, below_of(found, found.names))) is True


def test_scopes_of_a_level_above_the_target() -> None:
    """There is nothing of that level below."""
    assert list(scopes(lab(), Level.PROJECT, {})) == []


def test_dates_without_zone_sort_last() -> None:
    """A creation time without zone cannot be compared, and does not break the sorting."""
    naive = (NOW - timedelta(days=9)).replace(tzinfo=None)
    odd = Node(node(Level.FILE, "f0").key, "f0", {}, naive, None, None, {"id": "f0"})
    found = document(node(Level.ACQUISITION, "a"), odd, node(Level.FILE, "f1"))
    assert [item["id"] for item in select(selection("true"), found, context(found.names)).items] == ["f1", "f0"]
