"""What is told of a rule from its text alone: the paths it reads, the levels below, its version."""

import pytest

from flyball.model.levels import Level
from unit.rules.kit import TAG, one, read, rule_text

SESSION, ACQUISITION, FILE = Level.SESSION, Level.ACQUISITION, Level.FILE


@pytest.mark.parametrize(
    ("body", "each", "levels"),
    [
        ("", "session", {ACQUISITION, FILE}),  # `since: now` goes by what lies below
        ("since: all", "session", set()),
        ("since: all\nsettle: 1h", "subject", {SESSION, ACQUISITION, FILE}),
        ("since: 2026-01-01", "session", {ACQUISITION, FILE}),
        ("since: all\nexpect: {acquisitions: [T1w]}", "subject", {SESSION, ACQUISITION}),
        ("since: all\nselect: {a: {acquisitions: 'true'}}", "session", {ACQUISITION}),
        ("since: all\nselect: {a: {files: 'true'}}", "session", {ACQUISITION, FILE}),
        ("since: all\nif: len(session.acquisitions) > 3", "session", {ACQUISITION}),
        ("since: all\nif: len(session.files) > 3", "session", {ACQUISITION, FILE}),
        (
            "since: all\nif: any(f.size > 1 for a in session.acquisitions for f in a.files)",
            "session",
            {ACQUISITION, FILE},
        ),
        ("since: all\nif: count(session, session.label == 'a') > 1", "subject", {SESSION}),
        ("since: all\nif: \"count('file', file.size > 0) > 1\"", "acquisition", {FILE}),
        ("since: all\nif: len(subject.sessions) > 1", "subject", {SESSION}),
        ("since: all\nif: len(session.acquisitions) > 3", "acquisition", set()),  # beside the target, not below
        ("settle: 1h", "file", set()),
        ("", "job", set()),
    ],
)
def test_levels_below(body: str, each: str, levels: set[Level]) -> None:
    """Only what a rule can need is loaded for it; what it can need is never left out."""
    rule = one(body, each=each, do="[{alert: {title: x}}]")
    assert rule.below == levels


def test_templates_count_as_reading() -> None:
    """A text that names what lies below needs it."""
    title = "'{% for a in session.acquisitions %}{{ a.label }}{% endfor %}'"
    rule = one("since: all", do=f"[{{alert: {{title: {title}}}}}]")
    assert rule.below == {ACQUISITION}
    assert ("session", "acquisitions") in rule.reads


def test_reads() -> None:
    """Conditions, `when`, effects, `let`, `select` with its order: all paths, of the site's own things only."""
    rule = one(
        """
        let: {old: "days(now - session.timestamp) > 7"}
        select: {qa: {files: "file.type == 'qa'", order: acquisition.timestamp}}
        if: old and subject.sex == 'f' and len(qa) > 0
        """,
        do="[{tag: {on: session, set: {A: session.info.visit == 1}, when: has(project.label)}}]",
    )
    assert rule.reads >= {
        ("session", "timestamp"),
        ("file", "type"),
        ("acquisition", "timestamp"),
        ("subject", "sex"),
        ("session", "info", "visit"),
        ("project", "label"),
    }
    assert not {path for path in rule.reads if path[0] in ("old", "qa")}


def test_attributes_of_list_elements_count() -> None:
    """What is read of selected files, wherever in the rule, is read of files."""
    rule = one(
        """
        select: {qa: {files: "file.type == 'qa'"}}
        let: {snrs: "[f.info.snr for f in qa]"}
        if: "'seen' in qa[0].tags"
        """
    )
    assert {("file", "info"), ("file", "tags")} <= rule.reads
    assert rule.looks_at(FILE, "tags")
    assert not rule.looks_at(FILE, "notes")


def test_literal_lists_are_no_attributes() -> None:
    """`== ['T1']` compares with a list."""
    rule = one("select: {t1: {files: \"file.classification.Measurement == ['T1'] and file.info['a b'] == 1\"}}")
    assert ("file", "T1") not in rule.reads
    assert ("file", "info", "a b") in rule.reads


def test_count_reads_what_it_looks_at() -> None:
    """The condition of `count` reads of the nodes below."""
    rule = one("if: count(file, 'x' in file.tags) > 0")
    assert ("file", "tags") in rule.reads


def version(body: str, head: str = "", do: str = TAG) -> str:
    """The version of the rule `r` with this body, in a file with this head."""
    found = read(head + rule_text(body, do=do))
    assert not found.rejected, str(found.rejected[0])
    return found.rules[0].version


BASE = version("settle: 2h\nif: session.label == 'a'")


@pytest.mark.parametrize(
    ("body", "head"),
    [
        ("settle: 2h\nif: session.label == 'a'", "# a remark\n"),
        ("settle: 2h\nif: session.label == 'a'\ntitle: Another title", ""),
        ("if: session.label == 'a'\nsettle: 120m   # the same", ""),
        ("if: session.label == 'a'", "defaults: {settle: 2h}\n"),
        ("settle: 2h\nif: session.label == 'a'\nmode: live\nsince: now\nlimits: {}\ntrigger: [changed]", ""),
        ("settle: 2h\nif: session.label == 'a'\ntests: [{given: {}, expect: {}}]", ""),
        ("settle: 2h\nsite: main\nif: session.label == 'a'", ""),
        ("settle: 2h\nif: session.label == 'a'", "profiles: {p: {metrics: {snr: {fail: 1}}}}\n"),
    ],
)
def test_version_stays(body: str, head: str) -> None:
    """Titles, remarks, tests, the order of keys, and how the same is written do not change a rule."""
    assert version(body, head) == BASE


@pytest.mark.parametrize(
    ("body", "head", "do"),
    [
        ("settle: 3h\nif: session.label == 'a'", "", TAG),
        ("settle: 2h\nif: session.label == 'b'", "", TAG),
        ("settle: 2h\nif: session.label == 'a'\nmode: approve", "", TAG),
        ("settle: 2h\nif: session.label == 'a'", "defaults: {scope: {project: a/b}}\n", TAG),
        ("settle: 2h\nif: session.label == 'a'", "", "[{tag: {on: session, set: {B: 'true'}}}]"),
        ("settle: 2h\nif: session.label == 'a'", "", "[{tag: {on: session, set: {A: 'true'}, when: 'true'}}]"),
        ("settle: 2h\nif: session.label == 'a'", "", "[{alert: {title: x}}]"),
    ],
)
def test_version_changes(body: str, head: str, do: str) -> None:
    """Whatever changes what the rule does makes another version of it."""
    assert version(body, head, do) != BASE


def test_version_covers_the_profiles_in_use() -> None:
    """A changed cut-off changes the rules that use it, and no others."""
    rules = rule_text("if: qc('p').level == 'fail'", each="file").replace("session, set", "file, set")
    heads = [
        f"profiles: {{p: {{metrics: {{snr: {{fail: {cut}}}}}}}, q: {{metrics: {{snr: {{fail: {other}}}}}}}}}\n"
        for cut, other in ((1, 1), (2, 1), (1, 2))
    ]
    first, cut_changed, other_changed = (read(head + rules).rules[0].version for head in heads)
    assert first != cut_changed
    assert first == other_changed


def test_version_covers_the_default_channel_where_it_counts() -> None:
    """`notify` belongs to rules with alerts that name no channel."""
    head, alert = "defaults: {notify: %s}\n", "[{alert: {title: x}}]"
    assert version("", head % "a", alert) != version("", head % "b", alert)
    assert version("", head % "a", TAG) == version("", head % "b", TAG)
