"""The samples behind the page's charts."""

from __future__ import annotations

from flyball.web.barometer import EVERY, KEPT, Barometer, Totals


def test_samples_are_differences() -> None:
    """Each says what came in since the one before; the first since the start."""
    barometer = Barometer()
    barometer.note("main", Totals(7, 0, 1), None)
    barometer.note("main", Totals(10, 2, 1), 1.26)
    assert barometer.shown() == {
        "main": {"every_s": EVERY, "requests": [7, 3], "throttled": [0, 2], "failed": [1, 0], "lag_s": [None, 1.3]}
    }


def test_sites_are_kept_apart() -> None:
    """One site's requests are not the other's."""
    barometer = Barometer()
    barometer.note("main", Totals(7), 1.0)
    barometer.note("pilot", Totals(9), 2.0)
    assert [barometer.shown()[site]["requests"] for site in ("main", "pilot")] == [[7], [9]]


def test_old_samples_go() -> None:
    """Half an hour is kept, and not more."""
    barometer = Barometer()
    for number in range(KEPT + 20):
        barometer.note("main", Totals(number * number), 0.0)
    shown = barometer.shown()["main"]
    assert {len(shown[name]) for name in ("requests", "throttled", "failed", "lag_s")} == {KEPT}
    assert shown["requests"][-1] == 2 * (KEPT + 19) - 1
