"""One rule: every key, what it becomes, and what is said when it is wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from flyball.model.levels import Level
from flyball.rules.rule import (
    Expected,
    JobTrigger,
    Limits,
    Mode,
    Retry,
    ScheduleTrigger,
    Since,
    Triggers,
    WhenOver,
)
from unit.rules.kit import CATALOG, TAG, Spec, one, read, refused


def test_the_smallest_rule() -> None:
    """Everything but id, each and do has a default."""
    rule = one()
    assert (rule.id, rule.title, rule.site, rule.each) == ("r", "r", "main", Level.SESSION)
    assert str(rule.place) == "rules/a.yaml:2:5"
    assert rule.trigger == Triggers(changed=True)
    assert (rule.since, rule.mode, rule.limits, rule.retry) == (Since(), Mode.LIVE, Limits(), None)
    assert (rule.settle, rule.condition, rule.when_over, rule.expect) == (timedelta(0), None, None, None)
    assert [spec.kind for spec in rule.do] == ["tag"]


def test_plain_keys() -> None:
    """The keys that are values."""
    rule = one(
        """
        title: A title
        settle: 1h30m
        mode: shadow
        when_over: leave
        limits: {running: 20, per_day: 200, canary: 3}
        retry: {attempts: 4, backoff: [1s, 2m]}
        """
    )
    assert rule.title == "A title"
    assert rule.settle == timedelta(hours=1.5)
    assert (rule.mode, rule.when_over) == (Mode.SHADOW, WhenOver.LEAVE)
    assert rule.limits == Limits(20, 200, 3)
    assert rule.retry == Retry(4, timedelta(seconds=1), timedelta(minutes=2))


@pytest.mark.parametrize(
    ("written", "since"),
    [
        ("now", Since()),
        ("all", Since(everything=True)),
        ("2026-01-31", Since(date=datetime(2026, 1, 31, tzinfo=UTC))),
        ("2026-01-31T08:00+02:00", Since(date=datetime(2026, 1, 31, 6, tzinfo=UTC))),
        ("2026-01-31 08:00:00Z", Since(date=datetime(2026, 1, 31, 8, tzinfo=UTC))),
    ],
)
def test_since(written: str, since: Since) -> None:
    """A plain date is midnight UTC; a time has a zone."""
    assert one(f"since: {written}").since == since


def test_triggers() -> None:
    """All triggers of this version, in one list or alone."""
    rule = one(
        """
        trigger:
          - startup
          - {job: [complete, failed], gear: ["bids-*", "!bids-mriqc"]}
          - {job: cancelled}
          - {schedule: "0 4 * * MON-FRI", zone: Europe/Paris}
          - {webhook: lab}
        """,
        hooks=frozenset({"lab"}),
    )
    assert rule.trigger == Triggers(
        changed=False,
        startup=True,
        jobs=(
            JobTrigger(frozenset({"complete", "failed"}), ("bids-*", "!bids-mriqc")),
            JobTrigger(frozenset({"cancelled"})),
        ),
        schedules=(ScheduleTrigger("0 4 * * mon-fri", "Europe/Paris"),),
        webhooks=("lab",),
    )
    assert one("trigger: startup").trigger == Triggers(changed=False, startup=True)


def test_expect() -> None:
    """A bare label means at least one; `at_most` alone does not ask for any."""
    rule = one(
        """
        expect:
          acquisitions:
            - T1w
            - {label: T2w, count: 2}
            - {match: "^task-", at_least: 3, title: task runs}
            - {match: "^localizer", at_most: 2}
            - {label: bad, count: 0}
        """
    )
    assert rule.expect == (
        Expected("T1w", "T1w"),
        Expected("T2w", "T2w", None, 2, 2),
        Expected("task runs", None, "^task-", 3, None),
        Expected("^localizer", None, "^localizer", 0, 2),
        Expected("bad", "bad", None, 0, 0),
    )


def test_select() -> None:
    """Selections have a level, a condition, an order, a cap."""
    rule = one(
        """
        select:
          t1: {files: "file.type == 'nifti'", order: [session.timestamp, file.name], max: 5}
          runs: {acquisitions: "acquisition.label != 'x'", order: acquisition.label}
        """,
        each="subject",
    )
    t1, runs = rule.select
    assert (t1.name, t1.of, t1.most, len(t1.order)) == ("t1", Level.FILE, 5, 2)
    assert (runs.name, runs.of, runs.most, len(runs.order)) == ("runs", Level.ACQUISITION, None, 1)


def test_conditions_may_be_yaml_booleans() -> None:
    """`if: true` is the expression `true`."""
    condition = one("if: true").condition
    assert condition is not None
    assert condition.source == "true"


def test_own_names_are_ordered_by_need() -> None:
    """`let` and `select` may use each other in any order, so long as there is no circle."""
    rule = one(
        """
        let: {worst: "min(f.info.snr for f in qa)", cut: "1 + 1", late: "len(runs)"}
        select:
          qa: {files: "file.info.snr < cut"}
          runs: {acquisitions: "true"}
        """
    )
    assert rule.order == ("cut", "qa", "worst", "runs", "late")
    assert one('select: {b: {files: "true"}}\nlet: {a: "1"}').order == ("b", "a")


def test_effects_get_names_condition_and_places() -> None:
    """`when` and the expressions of effects see the rule's own names."""
    rule = one(
        'let: {poor: "session.info.snr < 1"}\nexpect: {acquisitions: [T1w]}',
        do='[{tag: {on: session, set: {A: poor}, when: missing}}, {alert: {title: "{{ session.label }} {{ missing }}"}}]',
    )
    assert [spec.kind for spec in rule.do] == ["tag", "alert"]
    assert {("poor",), ("missing",)} <= rule.do[0].reads


def test_jobs_have_a_gear() -> None:
    """A rule on each job can use `job` and `gear`."""
    rule = one("if: gear.info.version == '1' and job.state == 'failed'", each="job", do="[{alert: {title: x}}]")
    assert ("job", "state") in rule.reads


@pytest.mark.parametrize("each", ["project", "analysis"])
def test_levels_of_later_use_are_accepted(each: str) -> None:
    """Projects and analyses can be looked at one by one, too."""
    assert one(each=each, do="[{alert: {title: x}}]").each == Level(each)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("titel: x", "4:5: unknown key `titel`; did you mean `title`?"),
        (
            "settle: 30",
            "4:13: `settle`: 30 is no duration; write a number with s, m, h, d or w, such as 30s, 2h or 1h30m",
        ),
        ("mode: dry", "4:11: `mode`: 'dry' is not one of live, shadow, approve, paused"),
        ("mode: pause", "4:11: `mode`: 'pause' is not one of live, shadow, approve, paused; did you mean `paused`?"),
        ("limits: {runing: 1}", "4:14: unknown key `runing`; did you mean `running`?"),
        ("limits: {running: 0}", "4:23: `running` must be at least 1, not the number 0"),
        (
            "retry: {backoff: [1h, 1s]}",
            "4:22: `backoff`: the first pause is more than 0, and no longer than the longest",
        ),
        ("trigger: []", "4:14: `trigger`: no trigger is given, so the rule would never look; leave the key out for"),
        ("trigger: [chanegd]", "4:15: entry 1 of `trigger`: 'chanegd' is not one of changed, startup; did you mean"),
        ("trigger: [{job: done}]", "4:21: `job`: 'done' is not one of complete, failed, cancelled"),
        ("trigger: [{gear: x, schedule: '* * * * *'}]", "4:15: entry 1 of `trigger`: `gear` belongs to `job`"),
        ("trigger: [{schedule: '0 4 * *'}]", "4:26: `schedule`: '0 4 * *' has 4 fields; a schedule has five"),
        ("trigger: [{schedule: '0 4 * * *', zone: Europe/Pari}]", "4:45: `zone`: there is no time zone 'Europe/Pari'"),
        (
            "trigger: [{analysis: PASSED}]",
            "4:15: the trigger `analysis` is for rules on each analysis of a Neuroscout site",
        ),
        ("trigger: [{webhook: lba}]", "4:25: there is no hook `lba` in the settings; did you mean `lab`?"),
        ("since: 2026", "4:12: `since`: 2026 is no date; write now, all, a date such as 2026-01-31"),
        ("since: 2026-02-30", "4:12: `since`: '2026-02-30' is no date; write now, all, a date such as"),
        (
            "since: 2026-01-31T08:00",
            "4:12: `since`: '2026-01-31T08:00' has no zone, so nobody knows which moment it is",
        ),
        ("if: sesion.label == 'x'", "4:9: `if`: unknown name `sesion`; did you mean `session`?"),
        ("if: \"file.type == 'x'\"", "4:10: `if`: unknown name `file`"),
        ('if: "session.label = 3"', "4:24: `if`: this is no expression: invalid syntax; write == to compare"),
        ("if: [a]", "4:9: `if` must be text, not a list"),
        ("let: {session: '1'}", "4:11: `session` has a meaning already; choose another name"),
        ("let: {len: '1'}", "4:11: `len` has a meaning already; choose another name"),
        ("let: {if: '1'}", "4:11: `if` is a word of the expressions' own; choose another name"),
        ("let: {a b: '1'}", "4:11: the name `a b` must look like"),
        ("let: {a: b, b: a}", "4:11: `a` needs `b` needs `a`; break the circle"),
        ("let: {a: a}", "4:11: `a` needs `a`; break the circle"),
        ("let: {a: '1'}\nselect: {a: {files: 'true'}}", "5:14: `a` stands under `let` and under `select`; rename one"),
        ("select: {a: {search: x}}", "4:17: `a`: `search` and `returns` go together"),
        ("select: {a: {returns: file, files: 'true'}}", "4:17: `a`: `search` and `returns` go together"),
        ("select: {a: {search: x, returns: session}}", "4:38: a session has no sessions below it"),
        ("select: {a: {search: '', returns: file}}", "4:26: `search` must not be empty"),
        ("select: {a: {max: 1}}", "4:17: `a`: a selection has exactly one of `files` and `acquisitions`"),
        ("select: {a: {files: 'true', max: 0}}", "4:38: `max` must be at least 1, not the number 0"),
        ("select: {a: {files: 'fil.x'}}", "4:26: `files`: unknown name `fil`; did you mean `file`?"),
        ("select: {a: {acquisitions: 'file.x == 1'}}", "4:33: `acquisitions`: unknown name `file`"),
        ("expect: {acquisitions: [1001]}", "4:29: entry 1 of `acquisitions`: a label is text; write 1001 in quotes"),
        ("expect: {acquisitions: []}", "4:28: `acquisitions` must not be empty"),
        (
            "expect: {acquisitions: [{count: 2}]}",
            "4:29: entry 1 of `acquisitions`: an expected acquisition has exactly",
        ),
        ("expect: {acquisitions: [{match: '('}]}", "4:37: `match`: the regular expression is broken"),
        ("expect: {acquisitions: [{match: 'a(?!b)'}]}", "4:37: `match`: look-ahead and look-behind are not available"),
        (
            "expect: {acquisitions: [{label: a, at_least: 3, at_most: 2}]}",
            "4:29: entry 1 of `acquisitions`: `at_least` 3",
        ),
        ("scope: {sesion: x}", "4:13: unknown key `sesion`; did you mean `session`?"),
        ("scope: {project: scien}", "4:22: `project`: 'scien' names no group; write group/label, for instance scien/*"),
        ("scope: {subject: 1001}", "4:22: `subject` must be text, not the number 1001; write it in quotes"),
        ("scope: {subject: 'a[b-]c[z-a]'}", "4:22: `subject`: the glob is broken: invalid character class range"),
        ("scope: {subject: ''}", "4:22: `subject` must look like ^!?[^!], not the text ''"),
        ("scope: {file: x}", "4:19: a rule on each session has no file, so `scope.file` fits nothing"),
        ("scope: {gear: x}", "4:19: a rule on each session has no gear, so `scope.gear` fits nothing"),
        ("site: mian", "4:11: there is no site `mian` in the settings; did you mean `main`?"),
        ("tests: [{given: {}}]", "4:13: the key `expect` is missing"),
    ],
)
def test_what_is_wrong(body: str, message: str) -> None:
    """Each mistake is told where it stands, with what would be right."""
    told = refused(body, hooks=frozenset({"lab"}))
    assert len(told) == 1
    assert told[0].startswith(message)


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (None, "2:5: the key `do` is missing (What to do: a list of effects, each with an optional `when`)"),
        ("[]", "4:9: `do` must not be empty"),
        ("{tag: {}}", "4:9: `do` must be a list, not a mapping"),
        ("[tag]", "4:10: entry 1 of `do` must be a mapping of keys to values, not the text 'tag'"),
        ("[{tga: {}}]", "4:11: unknown effect kind `tga`; did you mean `tag`?"),
        (
            "[{collection: {}}]",
            "4:11: effect kind 'collection' is not available in this version; available: alert, tag",
        ),
        ("[{tag: {on: session, set: {}}, alert: {title: x}}]", "4:10: an entry of `do` is one effect: its kind"),
        (
            "[{tag: {on: session, set: {}}, when: 'true'}]",
            "4:40: `when` stands below `tag`, beside its other parameters",
        ),
        ("[{tag: x}]", "4:16: `tag` takes parameters: a mapping, such as {on: session}"),
        ("[{tag: {on: session, set: {A: 'true'}, wehn: 'true'}}]", "4:48: unknown key `wehn`; did you mean `when`?"),
        ("[{tag: {on: session, set: {A: 3}}}]", "4:39: `A` must be text, not the number 3; write it in quotes"),
        ("[{tag: {on: session, set: {A: 'sesion.x'}}}]", "4:40: `A`: unknown name `sesion`; did you mean `session`?"),
        ("[{tag: {on: session, set: {A: 'true'}, when: 'x'}}]", "4:55: `when`: unknown name `x`"),
        ("[{tag: {on: session, set: {A: 'true'}, when: [x]}}]", "4:54: `when` is an expression, written as text"),
        ("[{tag: {on: group, set: {A: 'true'}}}]", "4:21: `on`: a group carries no tags"),
        ("[{alert: {title: '{{ sesion.label }}'}}]", "4:26: `title`: unknown name `sesion`"),
        ("[{alert: {title: '{{ cycler() }}'}}]", "4:26: `title`: nothing can be called in a template"),
    ],
)
def test_what_is_wrong_with_effects(do: str | None, message: str) -> None:
    """The effects' own parameters are checked as strictly, by their kind's model and compiler."""
    told = refused("", do=do, channels={"lab": "slack"})
    assert len(told) == 1
    assert told[0].startswith(message)


@pytest.mark.parametrize(
    ("body", "each", "message"),
    [
        ("select: {a: {files: 'true'}}", "file", "a file has no files below it; `select` is for rules on levels above"),
        ("select: {a: {files: 'true'}}", "job", "a job has no files below it; `select` is for rules on levels above"),
        ("select: {a: {acquisitions: 'true'}}", "acquisition", "an acquisition has no acquisitions below it"),
        ("expect: {acquisitions: [a]}", "acquisition", "an acquisition has no acquisitions below it; `expect` is for"),
        (
            "select: {a: {files: 'true'}}",
            "matrix",
            "a matrix has no files below it; `select` is for rules on levels above",
        ),
        (
            "",
            "sesion",
            "`each`: 'sesion' is not one of file, acquisition, session, subject, project, job, analysis, matr",
        ),
    ],
)
def test_what_does_not_fit_the_level(body: str, each: str, message: str) -> None:
    """What lies below the target can be asked for only where something lies below."""
    told = refused(body, each=each, do="[{alert: {title: x}}]")
    assert message in told[0]


def test_all_mistakes_of_a_rule_are_told_at_once() -> None:
    """Nobody has to mend and try again once for each mistake."""
    told = refused("mode: dry\nsettle: 3", do="[{tga: {}}, {alert: {titel: x}}]")
    assert [line.split(": ")[0] for line in told] == ["4:11", "5:13", "6:11", "6:29", "6:30"]


@pytest.mark.parametrize(
    ("sites", "body", "message"),
    [
        ({}, "", "there is no Flywheel site in the settings for this rule; add one under `sites`"),
        ({"a": "flywheel", "b": "flywheel"}, "", "there are several Flywheel sites; say which with `site`: a, b"),
        ({"a": "flywheel", "s": "neuroscout"}, "site: s", "the site `s` is a neuroscout server and has no session"),
    ],
)
def test_sites(sites: dict[str, str], body: str, message: str) -> None:
    """The site must be told where there is a choice."""
    assert message in refused(body, site_kinds=sites)[0]


def test_the_only_site_of_the_kind() -> None:
    """A Neuroscout server beside it leaves no choice."""
    assert one(site_kinds={"scout": "neuroscout", "fw": "flywheel"}).site == "fw"
    assert one("site: b", site_kinds={"a": "flywheel", "b": "flywheel"}).site == "b"


@pytest.mark.parametrize("ident", ["a b", "", "ä", "-x", "a/b", "x" * 101])
def test_ids_are_slugs(ident: str) -> None:
    """An id stands in addresses and once-keys, so it is plain."""
    found = read(f"rules: [{{id: {ident!r}, each: session, do: {TAG}}}]")
    assert "`id`" in str(found.rejected[0])


def test_notify_reaches_the_alerts() -> None:
    """`defaults.notify` is the channel of alerts that name none."""
    text = """
        defaults: {notify: ops}
        rules:
          - {id: a, each: session, do: [{alert: {title: x}}]}
          - {id: b, each: session, do: [{alert: {title: x, channel: log}}]}
    """
    found = read(text, channels={"ops": "webhook", "log": "log"})
    specs = [rule.do[0] for rule in found.rules]
    assert [spec.notify for spec in specs if isinstance(spec, Spec)] == ["ops", "log"]


def test_notify_must_exist() -> None:
    """A default channel that the settings do not have is told at its place."""
    text = "defaults: {notify: opps}\nrules: [{id: a, each: session, do: [{alert: {title: x}}]}]\n"
    found = read(text, channels={"ops": "webhook"})
    assert str(found.rejected[0]) == (
        "rules/a.yaml:1:20: there is no channel `opps` in the settings; did you mean `ops`?"
    )


def test_the_rules_own_tests_are_kept() -> None:
    """`tests` are handed on as written, with their place."""
    found = read(
        f"""
        rules:
          - id: r
            each: session
            do: {TAG}
            tests:
              - {{name: plain, given: {{session: {{label: x}}}}, expect: {{decision: yes}}}}
              - {{given: case.json, expect: {{decision: no, effects: []}}}}
        """
    )
    plain, case = found.tests
    assert (plain.rule, plain.name, plain.given, plain.expect) == (
        "r",
        "plain",
        {"session": {"label": "x"}},
        {"decision": "yes"},
    )
    assert case.given == "case.json"
    assert str(case.place) == "rules/a.yaml:8:9"


def test_remarks() -> None:
    """What is accepted and can never be known is remarked upon."""
    found = read(f"rules: [{{id: a, each: session, if: \"date('2026-01-31') < now\", do: {TAG}}}]")
    assert [str(warning) for warning in found.warnings] == [
        "rules/a.yaml:1:36: date('2026-01-31') is always unknown: it is the date '2026-01-31' without a zone"
    ]


def test_kinds_of_packages_are_kinds() -> None:
    """A kind that an installed package brought is used like one of ours."""
    assert one(do="[{lab.mark: {on: session, set: {}}}]", catalog={**CATALOG, "lab.mark": CATALOG["tag"]}).do
