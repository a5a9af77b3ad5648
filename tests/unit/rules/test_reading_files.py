"""Whole files and folders: what is refused alone, what takes others with it, what is found."""

from pathlib import Path

import pytest

from flyball.rules.reading import read_rules
from unit.rules.kit import CATALOG, TAG, read

GOOD = f"{{id: good, each: session, do: {TAG}}}"


def ids(found: object) -> list[tuple[str, str | None, str]]:
    return [(one.kind, one.id, str(one)) for one in getattr(found, "rejected")]  # noqa: B009 - keeps the helper short


def test_a_broken_rule_is_refused_alone() -> None:
    """The others run; it stays listed with its id, its error and its place."""
    found = read(f"rules:\n  - {GOOD}\n  - {{id: bad, each: session, mode: dry, do: {TAG}}}\n  - text\n")
    assert [rule.id for rule in found.rules] == ["good"]
    bad, text = found.rejected
    assert (bad.kind, bad.id, bad.file, bad.line, bad.column) == ("rule", "bad", "rules/a.yaml", 3, 36)
    assert bad.message == "`mode`: 'dry' is not one of live, shadow, approve, paused"
    assert (text.kind, text.id, str(text)) == (
        "rule",
        None,
        "rules/a.yaml:4:5: a rule is a mapping that begins with `id:`",
    )


def test_a_file_that_is_no_yaml_is_one_entry() -> None:
    """Other files run."""
    found = read({"a.yaml": "rules: [", "b.yaml": f"rules: [{GOOD}]"})
    assert [rule.id for rule in found.rules] == ["good"]
    assert [(one.kind, one.id, one.file, one.line) for one in found.rejected] == [("file", None, "a.yaml", 1)]
    assert found.files == ("a.yaml", "b.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "a:1:1: a rule file is a mapping: write `rules:` and below it a list of rules"),
        ("rule: []", "a:1:1: unknown key `rule`; did you mean `rules`?"),
        ("version: 2", "a:1:10: `version` is 2; this program reads version 1"),
        ("version: true", "a:1:10: `version` is True; this program reads version 1"),
        ("rules: {a: b}", "a:1:8: `rules` must be a list of rules"),
        ("profiles: []", "a:1:11: `profiles` must be a mapping of names to profiles"),
        ("defaults: {scop: x}", "a:1:12: unknown key `scop`; did you mean `scope`?"),
        ("defaults: {settle: 1}", "a:1:20: `settle`: 1 is no duration; write a number with s, m, h, d or w"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(text: str, message: str) -> None:
    """What would change the meaning of all rules of a file refuses the file."""
    found = read({"a": text})
    assert found.rejected[0].kind == "file"
    assert str(found.rejected[0]).startswith(message)


def test_the_rules_of_a_refused_file_are_listed() -> None:
    """Without its defaults a rule would run without its scope, so it is refused, and named."""
    found = read(f"defaults: {{scop: {{project: a/b}}}}\nrules:\n  - {GOOD}\n")
    assert not found.rules
    assert ids(found)[1] == (
        "rule",
        "good",
        (
            "rules/a.yaml:3:5: refused with its whole file, because of rules/a.yaml:1:12: unknown key `scop`; "
            "did you mean `scope`?"
        ),
    )


@pytest.mark.parametrize("text", ["", "# all commented out\n", "version: 1", "rules:\n", "version: 1\nrules: []\n"])
def test_files_without_rules(text: str) -> None:
    """An empty file is no mistake."""
    found = read(text)
    assert (found.rules, found.rejected) == ((), ())


def test_a_rule_id_counts_once() -> None:
    """Of two rules with one id the first runs, and the second says where the first stands."""
    found = read({"a.yaml": f"rules: [{GOOD}]", "b.yaml": f"rules:\n  - {GOOD}\n"})
    assert [str(rule.place) for rule in found.rules] == ["a.yaml:1:9"]
    assert ids(found) == [
        ("rule", "good", "b.yaml:2:10: there is a rule `good` already, at a.yaml:1:9; rename one of the two")
    ]


def test_a_broken_first_rule_keeps_its_id() -> None:
    """Mending the first rule does not stop another one that had taken its place."""
    found = read({"a": "rules: [{id: good, each: x}]", "b": f"rules: [{GOOD}]"})
    assert not found.rules
    assert [one.id for one in found.rejected] == ["good", "good"]


def test_defaults() -> None:
    """A rule's own keys win; scope, limits and retry are merged entry by entry."""
    found = read(
        f"""
        defaults:
          scope: {{project: ["scien/*", "!scien/scratch"], subject: "1*"}}
          settle: 2h
          limits: {{canary: 3}}
          mode: shadow
          since: all
        rules:
          - {{id: plain, each: session, do: {TAG}}}
          - {{id: own, each: session, scope: {{subject: [], session: "s*"}}, settle: 0, limits: {{running: 5}}, do: {TAG}}}
        """
    )
    plain, own = found.rules
    assert {level: globs.written for level, globs in plain.scope.levels.items()} == {
        "project": ("scien/*", "!scien/scratch"),
        "subject": ("1*",),
    }
    assert {level: globs.written for level, globs in own.scope.levels.items()} == {
        "project": ("scien/*", "!scien/scratch"),
        "session": ("s*",),
    }
    assert (plain.settle.total_seconds(), own.settle.total_seconds()) == (7200, 0)
    assert (own.limits.running, own.limits.canary, own.mode.value, own.since.everything) == (5, 3, "shadow", True)


def test_anchors_may_share_parts() -> None:
    """YAML's own anchors and merges work, within the file."""
    found = read(
        f"""
        rules:
          - {{id: a, each: session, limits: &few {{running: 2}}, do: &what {TAG}}}
          - {{id: b, each: session, limits: {{<<: *few, per_day: 9}}, do: *what}}
        """
    )
    assert [(rule.limits.running, rule.limits.per_day) for rule in found.rules] == [(2, None), (2, 9)]


def test_folder(tmp_path: Path) -> None:
    """Both endings, all sub-folders, in the order of the names; hidden names and others are passed over."""
    for name in ("b/two.yml", "a.yaml", "b/three.YAML", ".hidden.yaml", ".git/x.yaml", "note.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"rules: [{{id: {path.stem.strip('.')}, each: session, do: {TAG}}}]")
    found = read_rules(tmp_path, CATALOG, {"main": "flywheel"}, {})
    assert [rule.id for rule in found.rules] == ["a", "three", "two"]
    assert found.files[0] == str(tmp_path / "a.yaml")


def test_mounted_folder(tmp_path: Path) -> None:
    """A mounted Kubernetes ConfigMap, links to a hidden folder, is read once; links in circles end."""
    inner = tmp_path / "..2026"
    inner.mkdir()
    (inner / "a.yaml").write_text(f"rules: [{GOOD}]")
    (tmp_path / "..data").symlink_to(inner)
    (tmp_path / "a.yaml").symlink_to(Path("..data", "a.yaml"))
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    found = read_rules(tmp_path, CATALOG, {"main": "flywheel"}, {})
    assert ([rule.id for rule in found.rules], found.rejected) == (["good"], ())


def test_missing_folder(tmp_path: Path) -> None:
    """A wrong folder is told, rather than running no rules in silence."""
    found = read_rules(tmp_path / "rulez", CATALOG, {"main": "flywheel"}, {})
    assert str(found.rejected[0]) == (
        f"{tmp_path}/rulez: there is no such rules folder; make it, or set `rules` to the right one"
    )


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without permission is one rejected entry."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(f"rules: [{GOOD}]")
    readable = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "a.yaml":
            raise PermissionError(13, "Permission denied")
        return readable(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    found = read_rules(tmp_path, CATALOG, {"main": "flywheel"}, {})
    assert [rule.place.file for rule in found.rules] == [str(tmp_path / "b.yaml")]
    assert found.rejected[0].message == "the file cannot be read (Permission denied); check its permissions"
