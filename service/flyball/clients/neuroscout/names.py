"""From names to what the server knows by number: dataset, tasks, runs, predictors. Pure.

Names are matched exactly, as the server matches them. What is not found is said with what was probably meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flyball.configfile.suggest import instead
from flyball.model.errors import Permanent

Json = dict[str, Any]
SHOWN = 8  # names that an error lists


class UnknownName(Permanent):
    """A name that the server does not have; the text suggests others."""


@dataclass(frozen=True, slots=True)
class RunChoice:
    """Which runs of a dataset are meant; an empty part means all.

    Attributes:
        tasks: names of tasks.
        subjects: labels, as the server has them.
        numbers: of the runs.
        sessions: labels.
    """

    tasks: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    sessions: tuple[str, ...] = ()


def dataset_named(rows: Sequence[Json], name: str) -> Json:
    """The dataset of that name; of several an active one, then the newest.

    Raises:
        UnknownName: there is none.
    """
    found = [row for row in rows if row.get("name") == name]
    if not found:
        raise UnknownName(_unknown("dataset", name, (str(row.get("name")) for row in rows)))
    return max(found, key=lambda row: (bool(row.get("active")), int(row.get("id") or 0)))


def tasks_of(dataset: Mapping[str, Any]) -> list[Json]:
    """The tasks that a dataset's own row lists."""
    found = dataset.get("tasks")
    return [task for task in found if isinstance(task, dict)] if isinstance(found, list) else []


def runs_chosen(runs: Sequence[Json], choice: RunChoice, dataset: str) -> list[Json]:
    """The runs that are meant, by number of the row.

    Args:
        runs: all runs of the dataset.
        choice: which of them.
        dataset: its name, for the errors.

    Raises:
        UnknownName: a task, subject, number or session that no run has; or nothing is left.
    """
    parts: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
        ("task", "task_name", choice.tasks),
        ("subject", "subject", choice.subjects),
        ("run number", "number", choice.numbers),
        ("session", "session", choice.sessions),
    )
    left = list(runs)
    for what, key, wanted in parts:
        known = {run.get(key) for run in runs}
        for value in wanted:
            if value not in known:
                names = sorted(str(one) for one in known if one is not None)
                raise UnknownName(f"dataset {dataset!r}: {_unknown(what, str(value), names)}")
        if wanted:
            left = [run for run in left if run.get(key) in wanted]
    if not left:
        said = ", ".join(f"{what} {' '.join(map(str, wanted))}" for what, _, wanted in parts if wanted)
        raise UnknownName(f"dataset {dataset!r} has no run with {said}" if said else f"dataset {dataset!r} has no runs")
    return sorted(left, key=lambda run: int(run.get("id") or 0))


def public_named(rows: Iterable[Json], names: Iterable[str], dataset_id: int) -> dict[str, int]:
    """Name → id, for the names that are found: of each the newest public one of the dataset."""
    wanted, found = set(names), dict[str, int]()
    for row in rows:
        name, ident = row.get("name"), row.get("id")
        if name not in wanted or not isinstance(ident, int) or row.get("private"):
            continue
        if row.get("dataset_id") not in (None, dataset_id):
            continue
        found[str(name)] = max(ident, found.get(str(name), ident))
    return found


def missing_predictors(missing: Sequence[str], known: Iterable[str], dataset: str) -> UnknownName:
    """The error for predictors that a dataset's runs do not have."""
    names = sorted(set(known))
    told = "; ".join(_unknown("predictor", name, names) for name in missing[:SHOWN])
    more = f"; and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return UnknownName(f"dataset {dataset!r}: {told}{more}")


def split_custom(name: str) -> tuple[str, str] | None:
    """`collection/name` taken apart, None for a plain name. Collections cannot have a slash in their name."""
    collection, slash, predictor = name.partition("/")
    return (collection, predictor) if slash and collection and predictor else None


def without_suffix(collection_name: str) -> str:
    """A collection's name without the part of the once-key that ours end in (` [fb-xxxxxx]`)."""
    head, mark, tail = collection_name.rpartition(" [fb-")
    return head if mark and tail.endswith("]") and len(tail) == 7 else collection_name


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    return f"there is no {what} {name!r}; {instead(name, names)}" if names else f"there is no {what} {name!r}"
