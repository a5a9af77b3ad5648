"""`expect`: missing and unexpected acquisitions."""

import pytest

from flyball.rules.expectation import expect
from flyball.rules.rule import Expected

T1 = Expected("T1w", label="T1w")
TASKS = Expected("4 task runs", match="^task-.*_run-0[1-4]$", at_least=4, at_most=4)
RUNS = [f"task-rest_run-0{n}" for n in range(1, 6)]


@pytest.mark.parametrize(
    ("entries", "labels", "missing", "unexpected"),
    [
        ([T1], ["T1w"], [], []),
        ([T1], [], ["T1w"], []),
        ([T1], ["T1w", "T1w", "T1w"], [], []),  # a bare label means at least one
        ([T1], ["t1w", "T1w_2"], ["T1w"], ["t1w", "T1w_2"]),
        ([T1, TASKS], ["T1w", *RUNS[:4]], [], []),
        ([T1, TASKS], ["T1w", *RUNS[:3]], ["4 task runs"], []),
        ([T1, TASKS], ["T1w", *RUNS], [], [RUNS[4]]),  # fits no entry
        ([TASKS], [*RUNS[:4], RUNS[0]], [], [RUNS[0]]),  # one too many
        ([Expected("a", label="a", at_least=2, at_most=2)], ["a", "a", "a", "a"], [], ["a"]),
        ([Expected("a", label="a", at_least=0, at_most=1)], [], [], []),
        ([Expected("none", match="^bad", at_least=0, at_most=0)], ["bad1", "bad2"], [], ["bad1", "bad2"]),
        ([Expected("T1", match="T1"), T1], ["T1w"], [], []),  # one acquisition counts for every entry that it fits
        ([Expected("x", match="x"), Expected("x", match="xx")], [], ["x"], []),
        ([], ["odd", "odd"], [], ["odd"]),
        ([], [], [], []),
    ],
)
def test_plans(entries: list[Expected], labels: list[str], missing: list[str], unexpected: list[str]) -> None:
    """Fewer than wanted are missing; what no entry wants, and the later ones of too many, are unexpected."""
    assert expect(entries, labels) == (missing, unexpected)


def test_the_later_ones_are_too_many() -> None:
    """Of five runs where three are wanted, the last two in order of creation are the unexpected ones."""
    entry = Expected("runs", match="^run", at_least=3, at_most=3)
    assert expect([entry], ["run-5", "run-1", "run-2", "run-3", "run-4"]) == ([], ["run-3", "run-4"])


def test_match_is_found_anywhere() -> None:
    """An expression without `^` and `$` is found inside of the label, as it is in conditions."""
    assert expect([Expected("rest", match="rest")], ["task-rest_run-01"]) == ([], [])
