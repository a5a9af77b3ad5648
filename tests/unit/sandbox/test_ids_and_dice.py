"""Ids, time stamps and repeatable chance."""

from datetime import UTC, datetime, timedelta, timezone

import orjson

from flyball.sandbox.dice import Dice
from flyball.sandbox.ids import IdMaker, is_oid, stamp

MOMENT = datetime(2026, 11, 2, 9, 15, 42, 318_999, tzinfo=UTC)


def test_stamps_are_whole_milliseconds_in_utc() -> None:
    """A stored time is UTC, cut to the millisecond, and shows no fraction when there is none."""
    assert stamp(MOMENT.astimezone(timezone(timedelta(hours=5)))).microsecond == 318_000
    assert orjson.dumps(stamp(MOMENT)) == b'"2026-11-02T09:15:42.318000+00:00"'
    assert orjson.dumps(stamp(MOMENT.replace(microsecond=999))) == b'"2026-11-02T09:15:42+00:00"'


def test_ids_sort_by_time_and_show_their_second() -> None:
    """Ids begin with the creation second and grow, also within it."""
    maker = IdMaker("x")
    made = [maker.oid(MOMENT + timedelta(milliseconds=300 * n)) for n in range(10)]
    assert made == sorted(made)
    assert all(is_oid(own) for own in made)
    assert int(made[0][:8], 16) == int(MOMENT.timestamp())


def test_the_same_seed_makes_the_same_ids() -> None:
    """Two sites of one seed agree, those of another do not."""
    first, again, other = IdMaker("a"), IdMaker("a"), IdMaker("b")
    assert [first.oid(MOMENT), first.uuid()] == [again.oid(MOMENT), again.uuid()]
    assert other.oid(MOMENT) not in {first.oid(MOMENT), again.oid(MOMENT)}
    assert len(first.uuid()) == 36


def test_dice_depend_on_their_names_alone() -> None:
    """Equal names give equal numbers, in any order; the spread is that of fair dice."""
    assert Dice.of("job", 1).random() == Dice.of("job", 1).random() != Dice.of("job", 2).random()
    numbers = [Dice.of("n", n).random() for n in range(2000)]
    assert 0.47 < sum(numbers) / 2000 < 0.53
    assert {Dice.of("w", n).whole(1, 3) for n in range(50)} == {1, 2, 3}
    normal = [Dice.of("g", n).gauss(10, 2) for n in range(2000)]
    assert 9.8 < sum(normal) / 2000 < 10.2
