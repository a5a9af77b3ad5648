"""Builds the emulated Neuroscout server from the `neuroscout:` section of a scenario."""

from datetime import datetime, timedelta
from typing import Any

from flyball.sandbox.dice import Dice
from flyball.sandbox.maps import refuse_unknown
from flyball.sandbox.scout.habits import Habits
from flyball.sandbox.scout.records import Dataset, Predictor, Run, Task, User
from flyball.sandbox.scout.state import Scout

Map = dict[str, Any]

_SECTIONS = {"habits", "users", "catalogue", "datasets", "analyses"}
_DATASET = {"id", "name", "active", "subjects", "tasks", "predictors", "first_predictor"}


def build_scout(section: Map, seed: str, now: datetime) -> Scout:
    """A server with the scenario's data, as it is at the moment given.

    Raises:
        ValueError: an unknown key or a wrong value.
    """
    refuse_unknown(section, _SECTIONS, "keys of neuroscout")
    scout = Scout(now, Habits.read(section.get("habits") or {}), seed)
    try:
        for values in section.get("users") or []:
            own = len(scout.users) + 1
            scout.users[own] = User(**{"id": own, "name": values["user_name"], **values})
        for values in section.get("datasets") or []:
            _add_dataset(scout, values, section.get("catalogue") or {})
        for values in section.get("analyses") or []:
            _add_analysis(scout, values, now)
    except (KeyError, TypeError, StopIteration) as error:
        raise ValueError(f"neuroscout: {type(error).__name__}: {error}") from error
    return scout


def _add_dataset(scout: Scout, values: Map, catalogue: Map) -> None:
    """A dataset with its tasks, its runs (every subject has all of them) and its predictors."""
    own, name = int(values["id"]), str(values["name"])
    about = {"description": {"Name": name, "BIDSVersion": "1.1.1"}, "mimetypes": ["image/png"]}
    about |= {key: value for key, value in values.items() if key not in _DATASET}
    scout.datasets[own] = Dataset(own, name, bool(values.get("active", True)), about)
    for task in values.get("tasks") or []:
        _add_task(scout, own, task, [str(s) for s in values.get("subjects") or []])
    for place, entry in enumerate(values.get("predictors") or []):
        given: Map = dict(entry) if isinstance(entry, dict) else {"name": entry}
        given = {**(catalogue.get(given["name"]) or {}), **given}
        if "first_predictor" in values:
            given.setdefault("id", int(values["first_predictor"]) + place)
        _add_predictor(scout, own, given)


def _add_task(scout: Scout, dataset_id: int, values: Map, subjects: list[str]) -> None:
    """`{id, name, TR, summary, runs, first_run, duration, session, acquisition}`; no `runs`: one without a number."""
    task = Task(int(values["id"]), dataset_id, str(values["name"]), float(values["TR"]), values.get("summary"))
    scout.tasks[task.id] = task
    numbers = range(1, int(values["runs"]) + 1) if values.get("runs") else [None]
    run_id = int(values.get("first_run", max(scout.runs, default=0) + 1))
    session, acquisition = values.get("session"), values.get("acquisition")
    for subject in subjects:
        for number in numbers:
            duration = float(values.get("duration", 600))
            run = Run(run_id, dataset_id, task.id, subject, number, session, acquisition, duration)
            scout.runs[run_id] = run
            run_id += 1


def _add_predictor(scout: Scout, dataset_id: int, values: Map) -> None:
    """`{id, name, source, extractor, description, tasks, active, stats}`; no `tasks`: on all runs."""
    own = int(values.get("id", scout.last_predictor + 1))
    scout.last_predictor = max(scout.last_predictor, own)
    tasks = values.get("tasks")
    runs = {r.id for r in scout.runs_of(dataset_id) if tasks is None or scout.tasks[r.task_id].name in tasks}
    extractor = values.get("extractor")
    row = Predictor(own, str(values["name"]), dataset_id, "extracted" if extractor else "events", runs=runs)
    row.source = str(values.get("source", row.source))
    row.description, row.active = values.get("description"), bool(values.get("active", True))
    if extractor:
        dice = Dice.of(scout.seed, "stats", row.name, dataset_id)
        low, high = round(dice.uniform(0, 0.3), 6), round(dice.uniform(0.7, 1), 6)
        row.stats = {"min": low, "max": high, "mean": round((low + high) / 2, 6), "num_na": 0}
        row.feature = {
            "id": own,
            "description": row.description,
            "created_at": "2019-03-07 23:34:06.129979",
            "extractor_name": extractor,
            "modality": values.get("modality"),
            "resample_frequency": None,
        }
    row.stats |= values.get("stats") or {}
    scout.predictors[own] = row


def _add_analysis(scout: Scout, values: Map, now: datetime) -> None:
    """`{name, owner, dataset, predictors, hash_id, status, private, locked, days_ago, description}`, all by name."""
    owner = next(u for u in scout.users.values() if u.user_name == values["owner"])
    dataset = next(d for d in scout.datasets.values() if d.name == values["dataset"])
    row = scout.new_analysis(owner.id, dataset.id, values.get("hash_id"))
    row.created = row.modified = now - timedelta(days=float(values.get("days_ago", 30)))
    row.name, row.description = values.get("name"), values.get("description")
    row.private, row.locked = bool(values.get("private", False)), bool(values.get("locked", False))
    row.runs = [r.id for r in scout.runs_of(dataset.id)]
    names: list[str] = values.get("predictors") or []
    known = {p.name: p.id for p in scout.predictors.values() if p.dataset_id == dataset.id}
    row.predictors = [known[name] for name in names]
    row.model = _model(scout, row.name or "", names, row.runs)
    row.status = str(values.get("status", "PASSED"))
    row.passed = row.modified if row.status == "PASSED" else None


def _model(scout: Scout, name: str, conditions: list[str], runs: list[int]) -> Map:
    """A BIDS Stats Model with runs, subjects and the dataset as its steps."""
    rows = [scout.runs[r] for r in runs]
    tasks = list(dict.fromkeys(scout.tasks[r.task_id].name for r in rows))
    convolve = {"Name": "Convolve", "Input": conditions}
    contrasts = {"Type": "t"}
    return {
        "Name": name,
        "Input": {"Subject": list(dict.fromkeys(r.subject for r in rows)), "Task": tasks},
        "Steps": [
            {
                "Level": "Run",
                "Model": {"X": conditions},
                "Transformations": [convolve],
                "Contrasts": [],
                "DummyContrasts": contrasts,
            },
            {"Level": "Subject", "DummyContrasts": {"Type": "FEMA"}},
            {"Level": "Dataset", "DummyContrasts": contrasts},
        ],
    }
