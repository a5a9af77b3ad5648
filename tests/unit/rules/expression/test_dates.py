"""Dates: what is one, what may be done with it, and when passing time changes a decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flyball.rules.expression import Context, Flips, Unknown, compile_expression, next_flip
from flyball.rules.expression.context import MARGIN, NONLINEAR

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("now - session.timestamp", 4 * 86400.0),
        ("now() - session.timestamp", 4 * 86400.0),
        ("days(now - session.timestamp)", 4.0),
        ("hours(now - file.created)", 96.0),
        ("minutes(session.timestamp - file.created)", 0.0),
        ("years(now - session.timestamp) < 1", True),
        ("session.timestamp == file.created", True),
        ("session.timestamp == date('2026-11-01T14:00:00+02:00')", True),
        ("session.timestamp < now", True),
        ("date(session.timestamp) == session.timestamp", True),
        ("date(file.info.when) < now", True),
        ("session['timestamp'] == file['created']", True),
        ("session['time' + 'stamp'] == file.created", True),
        ("now - 4 * 86400 == session.timestamp", True),
        ("86400 + session.timestamp < now", True),
        ("session.timestamp + days(1) < now", True),
        ("max(session.timestamp, file.info.later)", "?"),
        ("max(session.timestamp, date(file.info.when)) == session.timestamp", True),
        ("sorted([now, session.timestamp])[0] == session.timestamp", True),
        ("acquisition.timestamp < now", "?"),
        ("has(acquisition.timestamp)", "?"),
        ("date('2026-01-01') < now", "?"),
        ("date(3) < now", "?"),
        ("date('soon') < now", "?"),
        ("date(file.gone) < now", "?"),
        ("session.timestamp < '2026-11-02T00:00:00Z'", "?"),
        ("session.timestamp < 3", "?"),
        ("session.timestamp + session.timestamp", "?"),
        ("session.timestamp * 2", "?"),
        ("session.timestamp + 1e15 == now", "?"),
        ("session.timestamp.year", "?"),
        ("file.size - session.timestamp", "?"),
        ("sum([now])", "?"),
        ("days(session.timestamp)", "?"),
    ],
)
def test_results(value: Any, names: dict[str, Any], source: str, expected: Any) -> None:
    """Dates subtract to seconds, compare with dates, and are unknown without a zone."""
    names["file"]["info"] |= {"when": "2026-10-31T00:00:00-05:00", "later": "2026-11-03T00:00:00Z"}
    assert value(source) == expected


def test_a_date_comes_out_as_one(value: Any, now: datetime) -> None:
    """The value of a date is a plain datetime with its zone."""
    assert value("session.timestamp") == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert type(value("now")) is datetime
    assert value("now + 3600") == now + HOUR
    assert type(value("days(now - session.timestamp)")) is float
    assert type(value("[now]")[0]) is datetime


def test_reasons(reason: Any) -> None:
    """What is wrong with a date is said with its text."""
    assert reason("acquisition.timestamp < now") == (
        "acquisition.timestamp is the date '2026-11-01T08:00:00' without a zone"
    )
    assert reason("date('soon') < now") == "'soon' is text 'soon', a date in ISO 8601 is needed"
    assert reason("date(3) < now") == "3 is the number 3, a date is needed"
    assert reason("session.timestamp + 1e15 == now") == (
        "stopped: session.timestamp and 1e15 give a date outside of the calendar"
    )


def test_dates_without_zone_from_the_rule_are_unknown(reason: Any) -> None:
    """Dates that do not come from text are held to the same rule."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the case under test
    for source in ("x < now", "now - x == 3", "x - now == 3", "date(x) < now", "min(x, now) == now", "x == now"):
        assert "without a zone" in reason(source, x=naive)


def flips(source: str, names: dict[str, Any], now: datetime) -> timedelta | None:
    """How long after `now` the truth of `source` may change."""
    at = next_flip(compile_expression(source, names=names), Context(names, now))
    return None if at is None else at - now - MARGIN


@pytest.mark.parametrize(
    ("source", "hours"),
    [
        ("hours(now - t) > 3", 2),
        ("hours(now - t) >= 3", 2),
        ("hours(now - t) < 3", 2),
        ("3 < hours(now - t)", 2),
        ("2 < hours(now - t) < 5", 1),
        ("0 < hours(now - t) < 5", 4),
        ("hours(now - t) == 3", 2),
        ("hours(now - t) in [0, 3, 7]", 2),
        ("hours(now - t) > 0.5", None),
        ("now > later", 5),
        ("later > now", 5),
        ("now - 2 * 3600 > t", 1),
        ("now + 3600 > later", 4),
        ("now - t > 3 * 3600", 2),
        ("-hours(now - t) < -3", 2),
        ("hours(now - t) * 2 > 6", 2),
        ("2 * hours(now - t) > 6", 2),
        ("hours(now - t) / 2 > 3", 5),
        ("hours(now - t) + hours(now - t) > 6", 2),
        ("hours(now - t) - hours(now - t) > 6", None),
        ("now - now == 0", None),
        ("now - (now - t) == t", None),
        ("abs(hours(later - now)) < 2", 3),
        ("abs(hours(later - now)) > 7", 5),
        ("round(hours(now - t)) >= 2", 0.5),
        ("round(-hours(now - t)) >= 2", 0.5),
        ("hours(now - t) % 4 < 9", 3),
        ("-hours(now - t) % 4 < 9", 3),
        ("hours(now - t) % -4 < 9", 3),
        ("max(hours(now - t), 4) > 9", 3),
        ("min([hours(now - t), 0]) > 9", None),
        ("sum([hours(now - t), 1]) > 3", 1),
        ("sorted([hours(now - t), 4])[0] == 7", 3),
        ("len([x for x in [3, 5] if hours(now - t) > x]) > 0", 2),
        ("any(hours(now - t) > x for x in [5, 3])", 2),
        ("days(now - t) > 1 if hours(now - t) > 2 else false", 1),
        ("false and now > later", None),
        ("now > later and false", 5),
        ("true or now > later", None),
        ("has(now)", None),
        ("now > gone", None),
        ("file > 3", None),
        ("hours(now - t) > 1e9", 1e9 - 1),
    ],
)
def test_the_next_flip(source: str, hours: float | None) -> None:
    """A comparison of what grows or falls steadily says when it turns."""
    now = datetime(2026, 11, 5, 12, tzinfo=UTC)
    names: dict[str, Any] = {"t": now - HOUR, "later": now + 5 * HOUR, "gone": None, "file": {}}
    left = flips(source, names, now)
    if hours is None or hours > 1e6:
        assert left is None
    else:
        assert left is not None
        assert abs(left - hours * HOUR) < timedelta(milliseconds=1)


@pytest.mark.parametrize("source", ["h * h > 4", "6 / h > 2", "6 % h > 2", "h / h == 1"])
def test_what_is_not_steady_is_looked_at_again(source: str) -> None:
    """Products and quotients of moving quantities are looked at again after a while."""
    now = datetime(2026, 11, 5, 12, tzinfo=UTC)
    names = {"t": now - HOUR}
    at = next_flip(compile_expression(source.replace("h", "hours(now - t)"), names=names), Context(names, now))
    assert at == now + NONLINEAR


def test_a_decision_taken_at_its_flip_settles() -> None:
    """Taken again at the named instant, the decision has changed, and does not ask to be taken again at once."""
    start = datetime(2026, 11, 5, 12, tzinfo=UTC)
    names = {"session": {"timestamp": "2026-10-30T03:14:15.926535+00:00"}}
    for source in (
        "days(now - session.timestamp) > 7",
        "days(now - session.timestamp) <= 7",
        "years(now - session.timestamp) >= 0.1",
    ):
        expression = compile_expression(source, names=names)
        before = expression.test(Context(names, start))
        at = next_flip(expression, Context(names, start))
        assert at is not None
        assert expression.test(Context(names, at - 2 * MARGIN)) is before
        assert expression.test(Context(names, at)) is not before
        assert next_flip(expression, Context(names, at)) is None


def test_a_flip_at_this_very_instant_is_not_lost() -> None:
    """A quantity that stands exactly on its limit is looked at again a moment later."""
    now = datetime(2026, 11, 5, 12, tzinfo=UTC)
    names = {"t": now - HOUR}
    expression = compile_expression("now - t > 3600", names=names)
    assert expression.test(Context(names, now)) is False
    at = next_flip(expression, Context(names, now))
    assert at == now + MARGIN
    assert expression.test(Context(names, at)) is True


def test_named_values_carry_their_movement() -> None:
    """With `moving`, the value of a name still tells the expressions that read it when they turn."""
    now = datetime(2026, 11, 5, 12, tzinfo=UTC)
    names: dict[str, Any] = {"t": now - HOUR}
    collector = Flips()
    age = compile_expression("hours(now - t)", names=names).value(Context(names, now, flips=collector), moving=True)
    assert collector.at is None
    names |= {
        "age": age,
        "start": compile_expression("now - 3600", names=names).value(Context(names, now), moving=True),
    }
    result = compile_expression("age > 3 or start > t", names=names).test(Context(names, now, flips=collector))
    assert result is False
    assert collector.at == now + MARGIN
    assert compile_expression("age", names=names).value(Context(names, now)) == 1.0
    assert compile_expression("coalesce(age, 0) + 1 > 3 ", names=names).uses_now is False
    assert flips("age + 1 > 3", names, now) == HOUR


def test_flips_beyond_the_calendar_are_never() -> None:
    """A flip after the year 9999 is none."""
    now = datetime(9999, 12, 31, 23, tzinfo=UTC)
    names = {"t": now}
    assert next_flip(compile_expression("hours(now - t) > 5", names=names), Context(names, now)) is None
    assert isinstance(compile_expression("now + 1e9 > t", names=names).test(Context(names, now)), Unknown)
