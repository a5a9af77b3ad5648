"""Finding predictors, with the trap of the real server: the newest of a name wins before anything is filtered.

A private upload therefore hides the public predictor of the same name from everybody who asks for the
newest (which is the default) on a run that it covers.
"""

from collections.abc import Iterable

from flyball.sandbox.scout.records import Predictor
from flyball.sandbox.scout.state import Scout


def visible_predictors(
    scout: Scout,
    *,
    run_ids: list[int] | None = None,
    names: list[str] | None = None,
    active_only: bool = True,
    newest: bool = True,
    owner: int | None = None,
) -> list[Predictor]:
    """Public predictors, or the private ones of an owner; a match on any of the runs is enough."""
    wanted = set(run_ids) if run_ids is not None else None
    rows: Iterable[Predictor] = scout.predictors.values()
    if wanted is not None:
        rows = [row for row in rows if row.runs & wanted]
    if newest:
        last: dict[str, Predictor] = {}
        for row in rows:
            if row.name not in last or last[row.name].id < row.id:
                last[row.name] = row
        rows = last.values()
    return [
        row
        for row in rows
        if (names is None or row.name in names)
        and (row.active or not active_only)
        and (row.owner == owner and row.private if owner is not None else not row.private)
    ]
