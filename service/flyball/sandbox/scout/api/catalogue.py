"""What there is to be analysed: `/datasets`, `/tasks`, `/runs`, `/extractors`."""

from flyball.sandbox.api.call import Reply
from flyball.sandbox.scout import shapes
from flyball.sandbox.scout.api.call import Addresses, Call, json_reply
from flyball.sandbox.scout.fields import Field, boolean, integer, text
from flyball.sandbox.scout.searching import visible_predictors
from flyball.sandbox.scout.state import found


def _datasets(call: Call) -> Reply:
    values = call.query({"active_only": Field(boolean), "name": Field(text, many=True)})
    rows = [
        d
        for d in call.scout.datasets.values()
        if (d.active or not values.get("active_only", True)) and ("name" not in values or d.name in values["name"])
    ]
    return json_reply([shapes.dataset(call.scout, row) for row in rows])


def _dataset(call: Call) -> Reply:
    return json_reply(shapes.dataset(call.scout, found(call.scout.datasets, call.number()), runs=True))


def _analyses(call: Call) -> Reply:
    own = call.number()
    rows = [a for a in call.scout.analyses.values() if a.dataset_id == own and a.status == "PASSED" and not a.private]
    return json_reply([shapes.summary(call.scout, row) for row in rows])


def _tasks(call: Call) -> Reply:
    values = call.query({"dataset_id": Field(integer), "name": Field(text, many=True)})
    rows = [
        t
        for t in call.scout.tasks.values()
        if t.dataset_id == values.get("dataset_id", t.dataset_id) and ("name" not in values or t.name in values["name"])
    ]
    return json_reply([shapes.task(call.scout, row) for row in rows])


def _task(call: Call) -> Reply:
    return json_reply(shapes.task(call.scout, found(call.scout.tasks, call.number())))


def _task_predictors(call: Call) -> Reply:
    """The predictors of all runs of a task, without naming the runs in the address."""
    task = found(call.scout.tasks, call.number())
    values = call.query({"active_only": Field(boolean), "newest": Field(boolean)})
    rows = visible_predictors(
        call.scout,
        run_ids=[r.id for r in call.scout.runs_of(task.dataset_id) if r.task_id == task.id],
        active_only=values.get("active_only", True),
        newest=values.get("newest", True),
    )
    return json_reply([shapes.predictor(row) for row in rows])


_RUNS = {
    "dataset_id": Field(integer),
    "task_id": Field(integer, many=True),
    "subject": Field(text, many=True),
    "number": Field(integer, many=True),
    "session": Field(text, many=True),
    "active_only": Field(boolean),
}


def _runs(call: Call) -> Reply:
    values = call.query(_RUNS)
    hidden = {d.id for d in call.scout.datasets.values() if not d.active} if values.get("active_only", True) else set()
    rows = [
        r
        for r in call.scout.runs.values()
        if r.dataset_id not in hidden
        and r.dataset_id == values.get("dataset_id", r.dataset_id)
        and all(
            getattr(r, name) in values[name] for name in ("task_id", "subject", "number", "session") if name in values
        )
    ]
    return json_reply([shapes.run(call.scout, row) for row in rows])


def _run(call: Call) -> Reply:
    return json_reply(shapes.run(call.scout, found(call.scout.runs, call.number())))


def _timing(call: Call) -> Reply:
    """When stimuli were shown in a run; the emulated runs have none on record."""
    found(call.scout.runs, call.number())
    return json_reply([])


def _extractors(call: Call) -> Reply:
    names = {p.feature["extractor_name"]: p.description for p in call.scout.predictors.values() if p.feature}
    return json_reply([{"name": name, "description": about} for name, about in names.items()])


def _distinct(call: Call) -> Reply:
    """How many predictors each extractor made, by `dataset_task`."""
    scout = call.scout
    features = [p for p in scout.predictors.values() if p.feature is not None]
    names = sorted({p.feature["extractor_name"] for p in features if p.feature})
    counts: dict[str, dict[str, int]] = {}
    for task in scout.tasks.values():
        own = {r.id for r in scout.runs_of(task.dataset_id) if r.task_id == task.id}
        fitting = [p.feature["extractor_name"] for p in features if p.feature and p.runs & own]
        counts[f"{scout.datasets[task.dataset_id].name}_{task.name}"] = {n: fitting.count(n) for n in names}
    return json_reply(counts)


def routes(addresses: Addresses) -> None:
    """Register the addresses."""
    addresses.add("GET", "/datasets", _datasets)
    addresses.add("GET", "/datasets/{id}", _dataset)
    addresses.add("GET", "/datasets/{id}/analyses", _analyses)
    addresses.add("GET", "/tasks", _tasks)
    addresses.add("GET", "/tasks/{id}", _task)
    addresses.add("GET", "/tasks/{id}/predictors", _task_predictors)
    addresses.add("GET", "/runs", _runs)
    addresses.add("GET", "/runs/{id}", _run)
    addresses.add("GET", "/runs/{id}/timing", _timing)
    addresses.add("GET", "/extractors", _extractors)
    addresses.add("GET", "/extractors/distinct", _distinct)
