"""What a launch asks for: inputs by slot, the once-key and what is in it, label and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes.bench import SITE, Bench, node
from flyball.effects.catalog import KINDS
from flyball.model.decision import Decision, Verdict, Wish
from flyball.model.node import Node
from flyball.rules.keys import once_key, suffix
from flyball.rules.reading import Surroundings, read_texts

RULE = """
rules:
  - id: recon
    each: session
    since: all
    matter: x
    select:
      t1: {files: "file.type == 'nifti'", order: [file.name], max: 9}
      t2: {files: "file.type == 'dicom'", order: [file.name]}
    do:
      - launch: {gear: fs, on: session, INPUTS MORE}
""".replace("    matter: x\n", "")
INPUTS = 'inputs: {anatomical: "t1[0]", "t1w_{n}": "t1[1:]", t2w: "t2[0]"}'


def rule(more: str = "", inputs: str = INPUTS) -> str:
    """The rule file; `more` further parameters."""
    return RULE.replace("INPUTS", inputs).replace("MORE", f", {more}" if more else "").replace(", }", "}")


def scan(ident: str, kind: str = "nifti", **doc: Any) -> Node:
    """A file of the acquisition."""
    return node("file", ident, **{"name": f"{ident}.nii.gz", "type": kind, **doc})


def judged(text: str, *files: Node, generation: int = 0) -> Decision:
    """The decision of the rule on the small lab with these files."""
    with Bench(text) as bench:
        bench.lab(*files)
        bench.generation["recon"] = generation
        return bench.judge("recon", "e1")


def wish(text: str, *files: Node, generation: int = 0) -> Wish:
    """The only wish of the rule on the small lab with these files."""
    (found,) = judged(text, *files, generation=generation).wishes
    return found


def slots(found: Wish) -> dict[str, str]:
    """Slot → name of the file."""
    return {slot: reference["name"] for slot, reference in found.params["inputs"].items()}


def refused(text: str) -> str:
    """What is said of a rule file that must be refused."""
    found = read_texts({"r.yaml": text}, Surroundings(KINDS, {SITE: "flywheel"}, {}, {"lab": "webhook"}))
    assert found.rejected
    return str(found.rejected[0])


def test_as_many_inputs_as_there_are() -> None:
    """`{n}` counts on from 2; an empty list leaves its slot out."""
    assert slots(wish(rule(), scan("a"))) == {"anatomical": "a.nii.gz"}
    found = wish(rule(), scan("a"), scan("b"), scan("c"), scan("z", "dicom"))
    assert slots(found) == {"anatomical": "a.nii.gz", "t1w_2": "b.nii.gz", "t1w_3": "c.nii.gz", "t2w": "z.nii.gz"}


@pytest.mark.parametrize(
    ("slot", "names"), [("scan_{n:1}", ["scan_1", "scan_2"]), ("scan_{n:0}", ["scan_0", "scan_1"]), ("{n}", ["2", "3"])]
)
def test_counting_from_another_number(slot: str, names: list[str]) -> None:
    """`{n:1}` from 1."""
    assert list(slots(wish(rule(inputs=f'inputs: {{"{slot}": t1}}'), scan("a"), scan("b")))) == names


def test_what_gives_no_file_is_unknown() -> None:
    """Nothing is launched, and the decision says why."""
    for expression, note in (
        ("t1[0].name", "input anatomical: t1[0].name gives no file"),
        ("t1[0].nothing", "input anatomical: t1[0].nothing gives no file (t1[0].nothing is missing)"),
        ("session", "input anatomical: session gives no file"),
    ):
        decision = judged(rule(inputs=f'inputs: {{anatomical: "{expression}"}}'), scan("a"))
        assert decision.wishes[0].want is Verdict.UNKNOWN
        assert decision.wishes[0].reason == note
        assert note in [line.note for line in decision.because]
    assert "gives no list" in wish(rule(inputs='inputs: {"a_{n}": "t1[0]"}'), scan("a")).reason
    assert "entry 2 of" in wish(rule(inputs='inputs: {"a_{n}": "[one.name for one in t1]"}'), scan("a")).reason


def test_one_slot_given_twice() -> None:
    """Neither is taken silently."""
    found = wish(rule(inputs='inputs: {"t1w_{n}": "t1", t1w_2: "t1[0]"}'), scan("a"), scan("b"))
    assert (found.want, found.reason) == (Verdict.UNKNOWN, "input t1w_2 is given twice")


def test_the_reference() -> None:
    """Container and name are sent; id and version tell files apart; the type is for the manifest."""
    (reference,) = wish(rule(), scan("a", replaced="2026-11-19T00:00:00+00:00")).params["inputs"].values()
    assert reference == {
        "type": "acquisition",
        "id": "a1",
        "name": "a.nii.gz",
        "file_id": "a",
        "version": 1,
        "file_type": "nifti",
        "replaced": "2026-11-19T00:00:00+00:00",
    }


def key(more: str = "", *files: Node, generation: int = 0, inputs: str = INPUTS) -> str:
    """The once-key; of one file without any."""
    return wish(rule(more, inputs), *(files or (scan("a"),)), generation=generation).once_key


def test_the_key_is_what_the_specification_says() -> None:
    """Rule, destination, gear, version if pinned, slot → file id and version, depends, generation."""
    assert key() == once_key("launch", "recon", "e1", "fs", None, {"anatomical": ["a", 1]}, [], 0)


def test_what_is_not_in_the_key() -> None:
    """Config, secrets, tags, label, priority, the file's name and type; where a file moved to."""
    same = [
        key("config: {n: 1}"),
        key("tags: [x]"),
        key("label: other"),
        key("priority: high"),
        key("unless_ran: false"),
        key("", scan("a", info={"x": 1})),
        key("", scan("a", name="renamed.nii.gz")),
    ]
    assert set(same) == {key()}


def test_what_is_in_the_key() -> None:
    """Each of these is another launch."""
    keys = [
        key(),
        key("", scan("b")),
        key("", scan("a", version=2)),
        key("", scan("a"), scan("b")),
        key("", scan("a"), scan("b", "dicom")),
        key("", generation=1),
        key("depends: [session.label]"),
        key("depends: [session.id]"),
        key("", inputs='inputs: {other: "t1[0]"}'),
        wish(rule().replace("gear: fs", "gear: fs@1.0")).once_key,
        wish(rule().replace("gear: fs", "gear: fs@2.0")).once_key,
        wish(rule().replace("gear: fs", "gear: fsl")).once_key,
        wish(rule().replace("on: session", "on: subject")).once_key,
    ]
    assert len(set(keys)) == len(keys)


def test_once_for_the_target() -> None:
    """Then inputs do not matter."""
    assert key("once: target") == key("once: target", scan("a"), scan("b"))
    assert key("once: target") == key("once: target", scan("a", version=2))
    assert key("once: target") != key()


def test_a_site_without_versions() -> None:
    """The content's hash tells versions apart; else the time."""
    first = key("", scan("a", version=None, hash="v0-1"))
    assert first != key("", scan("a", version=None, hash="v0-2"))
    assert first == key("", scan("a", version=None, hash="v0-1", replaced="later"))
    assert key("", scan("a", version=None, replaced="x")) != key("", scan("a", version=None, replaced="y"))


def test_depends_that_is_not_known() -> None:
    """Nothing is launched: another value tomorrow would be another launch."""
    found = wish(rule("depends: [session.info.visit]"), scan("a"))
    assert (found.want, found.reason) == (Verdict.UNKNOWN, "depends: session.info is missing")


def test_the_label() -> None:
    """The gear's name, or a template; the key's beginning at the end, at most 256 characters in all."""
    found = wish(rule(), scan("a"))
    assert found.params["label"] == f"fs{suffix(found.once_key)}"
    found = wish(rule('label: "{{ subject.label }} FS"'), scan("a"))
    assert found.params["label"] == f"1001 FS{suffix(found.once_key)}"
    long = wish(rule(f"label: {'x' * 300}"), scan("a"))
    assert len(long.params["label"]) == 256
    assert long.params["label"].endswith(suffix(long.once_key))


def test_a_file_without_a_destination() -> None:
    """A file of the session cannot be processed on an acquisition; it is said."""
    with Bench(
        "rules: [{id: r, each: file, since: all, do: [{launch: {gear: g, on: acquisition, inputs: {a: file}}}]}]"
    ) as bench:
        loose = node("file", "f9", parents={"group": "scien", "project": "p1", "subject": "s1", "session": "e1"})
        bench.lab(replace(loose, doc={**loose.doc, "parent_ref": {"type": "session", "id": "e1"}}))
        decision = bench.judge("r", "f9")
        assert decision.wishes[0].want is Verdict.UNKNOWN
        assert "the file has no acquisition: cannot launch g" in [line.note for line in decision.because]
        assert decision.wishes[0].params == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rule(inputs="inputs: {}"), "without file inputs nothing tells one launch from the next: add once: target"),
        (rule("secrets: {license: abc}"), "a secret is never written here"),
        (rule("secrets: {license: 'env:NOPE'}"), "the environment has no NOPE"),
        (rule().replace("on: session", "on: acquisition"), "cannot launch on an acquisition"),
        (rule("group_by: [x]"), "group_by"),
        (rule("priority: urgent"), "priority"),
    ],
)
def test_what_is_refused_when_it_is_read(text: str, message: str) -> None:
    """With the place, and what would be right."""
    assert message in refused(text)


@pytest.mark.parametrize("more", ["once: target", "depends: [session.id]"])
def test_a_gear_without_inputs(more: str) -> None:
    """Needs something else that tells launches apart."""
    assert wish(rule(more, "inputs: {}"), scan("a")).want is Verdict.YES
