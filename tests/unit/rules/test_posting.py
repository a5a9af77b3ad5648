"""When a message may go: digests, severities, silences."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from flyball.rules.posting import Digest, Route, Silence, goes_at, longest

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "zone", "moment", "expected"),
    [
        (time(7, 30), "UTC", "2026-11-20T07:29:59+00:00", "2026-11-20T07:30:00+00:00"),
        (time(7, 30), "UTC", "2026-11-20T07:30:00+00:00", "2026-11-21T07:30:00+00:00"),
        (time(7, 30), "Europe/Berlin", "2026-07-01T00:00:00+00:00", "2026-07-01T05:30:00+00:00"),
        (time(7, 30), "Pacific/Auckland", "2026-11-20T18:31:00+00:00", "2026-11-21T18:30:00+00:00"),
        (time(0, 0), "America/New_York", "2026-12-31T23:00:00+00:00", "2027-01-01T05:00:00+00:00"),
        # skipped in spring: an hour later by the clock; twice in autumn: the first time, and once
        (time(2, 30), "Europe/Berlin", "2026-03-29T00:00:00+00:00", "2026-03-29T01:30:00+00:00"),
        (time(2, 30), "Europe/Berlin", "2026-10-24T23:00:00+00:00", "2026-10-25T00:30:00+00:00"),
        (time(2, 30), "Europe/Berlin", "2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"),
    ],
)
def test_the_next_digest(at: time, zone: str, moment: str, expected: str) -> None:
    """By the clocks of the zone, always later than the moment."""
    assert Digest(at, zone).after(datetime.fromisoformat(moment)) == datetime.fromisoformat(expected)


def test_least_severity() -> None:
    """What is at least as bad is taken; a word that is not known is taken as the worst."""
    taken = {
        least: [one for one in ("info", "warning", "error", "?") if Route(least).takes(one)]
        for least in ("info", "error")
    }
    assert taken == {"info": ["info", "warning", "error", "?"], "error": ["error", "?"]}


@pytest.mark.parametrize(
    ("digest", "severity", "wait", "expected", "what"),
    [
        (None, "warning", None, NOON, ""),
        (None, "warning", 60.0, NOON + timedelta(seconds=60), "group"),
        (Digest(time(7, 30)), "warning", 60.0, NOON + timedelta(hours=19, minutes=30), "digest"),
        (Digest(time(7, 30)), "error", 60.0, NOON + timedelta(seconds=60), "group"),
        (Digest(time(7, 30)), "error", None, NOON, ""),
    ],
)
def test_when_it_may_go(
    digest: Digest | None, severity: str, wait: float | None, expected: datetime, what: str
) -> None:
    """At once, after the wait of its group, or with the digest; an error waits for no digest."""
    assert goes_at(Route(digest=digest), {"severity": severity, "wait": wait}, NOON) == (expected, what)


def quiet(rule: str | None = None, project: str | None = None, hours: float = 1) -> Silence:
    """A silence from noon on."""
    return Silence(1, rule, project, NOON + timedelta(hours=hours), "why", NOON)


@pytest.mark.parametrize(
    ("silence", "covered"),
    [
        (quiet(rule="r"), True),
        (quiet(rule="other"), False),
        (quiet(project="scien/tome"), True),
        (quiet(project="scien/*"), True),
        (quiet(project="*/tome"), True),
        (quiet(project="scien"), False),
        (quiet(project="scien/tom"), False),
    ],
)
def test_what_a_silence_covers(silence: Silence, covered: bool) -> None:
    """A rule by its id, a project by group and label, each a glob."""
    assert silence.covers("r", "scien/tome") is covered
    assert silence.covers("r", None) is (silence.rule == "r")


def test_the_longest_silence_counts() -> None:
    """Of those that cover a message."""
    found = longest(
        [quiet(rule="r", hours=1), quiet(project="scien/*", hours=3), quiet(rule="x", hours=9)], "r", "scien/a"
    )
    assert found is not None
    assert found.project == "scien/*"
    assert longest([], "r", None) is None
