"""Tags, notes and alerts as rules ask for them: what is refused, and what a wish holds."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.bench import SITE, Bench, node, rules_of
from flyball.effects.catalog import KINDS
from flyball.model.decision import Verdict, Wish
from flyball.rules.keys import suffix
from flyball.rules.reading import Surroundings, read_texts


def text(do: str, each: str = "file", more: str = "") -> str:
    """A rule file with one rule."""
    return f"rules: [{{id: r, each: {each}, since: all, {more} do: [{do}]}}]"


def refused(do: str, each: str = "file", **around: Any) -> str:
    """What is said of a rule that must be refused."""
    surroundings = Surroundings(KINDS, {SITE: "flywheel"}, {}, around.get("channels", {"lab": "webhook"}))
    found = read_texts({"r.yaml": text(do, each)}, surroundings)
    assert found.rejected, "it was taken"
    return str(found.rejected[0])


def wishes(do: str, more: str = "", **info: Any) -> list[Wish]:
    """What the rule wishes for a file with this info."""
    with Bench(text(do, more=more)) as bench:
        bench.lab(node("file", "f1", name="f1.html", info=info))
        return list(bench.judge("r", "f1").wishes)


@pytest.mark.parametrize(
    ("do", "each", "message"),
    [
        ("{tag: {on: acquisition, set: {}}}", "file", "set"),
        ("{tag: {on: acquisition, set: {a/b: 'true'}}}", "file", "a tag has 1 to 32 characters and no slash"),
        (f"{{tag: {{on: acquisition, set: {{{'x' * 33}: 'true'}}}}}}", "file", "a tag has 1 to 32 characters"),
        ("{tag: {on: file, set: {A: 'true'}}}", "acquisition", "cannot tag a file"),
        ("{tag: {on: acquisition, set: {A: 'true'}}}", "session", "cannot tag an acquisition"),
        ("{tag: {on: group, set: {A: 'true'}}}", "file", "on"),
        ("{tag: {on: acquisition, set: {A: 'nope > 1'}}}", "file", "nope"),
        ("{note: {on: file, text: x}}", "file", "cannot put a note on a file"),
        ("{note: {on: session, text: ''}}", "file", "text"),
        ("{note: {on: session, text: '{{ nope }}'}}", "file", "nope"),
        ("{alert: {title: ''}}", "file", "title"),
        ("{alert: {title: x, channel: nowhere}}", "file", "there is no channel 'nowhere'"),
        ("{alert: {title: x, group_by: [gear]}}", "file", "known to rules on each job"),
        ("{alert: {title: x, group_by: [session]}}", "subject", "has no session to group by"),
        ("{alert: {title: x, group_by: [nope > 1]}}", "file", "nope"),
        ("{alert: {title: x, wait: long}}", "file", "wait"),
        ("{alert: {title: x, channel: [lab, nowhere]}}", "file", "there is no channel 'nowhere'"),
        ("{alert: {title: x, channel: []}}", "file", "channel"),
        ("{alert: {title: x, severity: bad}}", "file", "severity"),
        ("{alert: {title: x, repeat: 3}}", "file", "no duration"),
    ],
)
def test_what_is_refused(do: str, each: str, message: str) -> None:
    """At load, with its place."""
    said = refused(do, each)
    assert message in said
    assert said.startswith("r.yaml:1:")


def test_tags_by_condition() -> None:
    """One wish a tag; conditions of any form, true and false written out as well."""
    found = wishes(
        "{tag: {on: acquisition, set: {A: file.info.snr < 1, B: true, C: 'false', D: file.info.none}}}", snr=0.5
    )
    assert [(wish.slot, wish.want) for wish in found] == [
        ("0/A", Verdict.YES),
        ("0/B", Verdict.YES),
        ("0/C", Verdict.NO),
        ("0/D", Verdict.UNKNOWN),
    ]
    assert found[0].params["container"] == {
        "level": "acquisition",
        "id": "a1",
        "path": "scien/tome/1001/Session 1/T1w",
        "project": "p1",
    }


def test_when_and_if_and_condition_are_one_and() -> None:
    """No beats unknown, unknown beats yes."""
    do = "{tag: {on: acquisition, set: {A: file.info.c > 0}, when: file.info.b > 0}}"
    more = "if: file.info.a > 0,"
    expected = {
        (1, 1, 1): Verdict.YES,
        (1, 1, 0): Verdict.NO,
        (0, 1, 1): Verdict.NO,
        (1, None, 1): Verdict.UNKNOWN,
        (None, 0, 1): Verdict.NO,
        (None, 1, 0): Verdict.NO,
        (None, 1, 1): Verdict.UNKNOWN,
    }
    for (first, second, third), want in expected.items():
        assert [wish.want for wish in wishes(do, more, a=first, b=second, c=third)] == [want]


def test_a_tag_of_32_characters_of_any_script() -> None:
    """Characters are counted, not bytes."""
    tag = "ü" * 32
    assert wishes(f"{{tag: {{on: acquisition, set: {{{tag}: 'true'}}}}}}")[0].params["tag"] == tag


def test_a_note() -> None:
    """The text is filled in when it is wanted, and ends with a part of the key."""
    (found,) = wishes("{note: {on: session, text: 'snr {{ file.info.snr }} of {{ file.info.no }}'}}", snr=0.5)
    assert found.params["text"] == f"snr 0.5 of ?{suffix(found.once_key)}"
    (none,) = wishes("{note: {on: session, text: x, when: 'false'}}")
    assert (none.want, none.params["text"]) == (Verdict.NO, "")


def test_keys_of_entries_differ() -> None:
    """Two notes of one rule on one container are two; on other targets they are others."""
    found = wishes("{note: {on: session, text: x}}, {note: {on: session, text: x}}, {alert: {title: x}}")
    assert len({wish.once_key for wish in found}) == 3


def test_an_alert() -> None:
    """Channel by default the log, severity warning; `repeat` in seconds."""
    (found,) = wishes("{alert: {title: '{{ subject.label }} <b>', repeat: 3d}}")
    assert found.params == {
        "channel": "log",
        "title": "1001 <b>",
        "body": "",
        "severity": "warning",
        "repeat": 259200.0,
        "project": "scien/tome",
    }
    assert found.over == "resolve"


@pytest.mark.parametrize(
    ("do", "when_over", "over"),
    [
        ("{tag: {on: acquisition, set: {A: 'true'}}}", None, "retract"),
        ("{tag: {on: acquisition, set: {A: 'true'}}}", "leave", "leave"),
        ("{alert: {title: x}}", None, "resolve"),
        ("{alert: {title: x}}", "leave", "leave"),
        ("{alert: {title: x}}", "retract", "resolve"),
        ("{note: {on: session, text: x}}", "retract", "leave"),
    ],
)
def test_what_happens_when_it_is_over(do: str, when_over: str | None, over: str) -> None:
    """By kind, unless the rule says otherwise; what cannot be taken back is left."""
    (found,) = wishes(do, f"when_over: {when_over}," if when_over else "")
    assert found.over == over


def test_the_catalog() -> None:
    """Every kind has a name and a docstring that says how it is made safe."""
    assert {"tag", "note", "alert", "launch"} < set(KINDS)
    assert {"info", "collection", "view", "download", "upload", "containers", "post"} < set(KINDS)
    assert all(kind.name == name for name, kind in KINDS.items())
    assert rules_of(text("{alert: {title: x}}"))
