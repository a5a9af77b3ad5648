"""Compiling: DRAFT → PENDING → PASSED or FAILED, by the task queue."""

import re
from datetime import timedelta

from flyball.sandbox.dice import Dice
from flyball.sandbox.scout.modelcheck import problem_of
from flyball.sandbox.scout.records import Analysis
from flyball.sandbox.scout.state import Scout


def start_compiling(scout: Scout, analysis: Analysis, *, build: bool) -> None:
    """Queue an analysis in whatever status it is; with the queue down it is FAILED with no traceback."""
    analysis.compiled += 1
    analysis.status, analysis.traceback = "PENDING", ""
    scout.moved(analysis)
    low, high = scout.habits.compile_s
    seconds = Dice.of(scout.seed, "compile", analysis.hash_id, analysis.compiled).uniform(low, high)
    if not scout.submit(seconds, [lambda: _compiled(scout, analysis, build=build)]):
        analysis.status = "FAILED"


def _compiled(scout: Scout, analysis: Analysis, *, build: bool) -> None:
    if scout.analyses.get(analysis.hash_id) is not analysis:
        return
    ordered = _ordered(scout, analysis)
    if ordered is not None and ordered[0] == "STUCK":
        return
    if ordered is None:
        problem = problem_of(scout, analysis, build=build)
        ordered = ("PASSED", "") if problem is None else ("FAILED", f"Error building analysis.\n{problem}")
    status, analysis.traceback = ordered
    if status == "PASSED" or scout.habits.lag_s <= 0 or scout.habits.compile_s[1] <= 0:
        _end(scout, analysis, status)
    else:
        scout.plan(scout.now + timedelta(seconds=scout.habits.lag_s), lambda: _end(scout, analysis, status))


def _end(scout: Scout, analysis: Analysis, status: str) -> None:
    analysis.status = status
    if status == "PASSED":
        analysis.passed = scout.now
    scout.moved(analysis)


def _ordered(scout: Scout, analysis: Analysis) -> tuple[str, str] | None:
    """Status and traceback that the habits order for it."""
    for outcome in scout.habits.outcomes:
        if (outcome.count is None or outcome.count > 0) and re.search(outcome.name, analysis.name or ""):
            if outcome.count is not None:
                outcome.count -= 1
            return outcome.status, outcome.traceback
    return None
