"""Predictors, their events, and uploads of custom ones: `/predictors`, `/predictor-events`."""

from typing import Any

import orjson

from flyball.sandbox.api.call import Reply
from flyball.sandbox.scout import shapes
from flyball.sandbox.scout.api.call import Addresses, Call, crash, json_reply
from flyball.sandbox.scout.errors import Problems, Refusal, invalid, not_found
from flyball.sandbox.scout.fields import MISSING, Field, Unfit, boolean, integer, text
from flyball.sandbox.scout.records import Doc, Event, Predictor
from flyball.sandbox.scout.searching import visible_predictors
from flyball.sandbox.scout.state import found
from flyball.sandbox.scout.uploading import EventsFile, Upload, start_upload

_PREDICTORS = {
    "run_id": Field(integer, many=True),
    "name": Field(text, many=True),
    "active_only": Field(boolean),
    "newest": Field(boolean),
}


def _predictors(call: Call) -> Reply:
    values = call.query(_PREDICTORS)
    rows = visible_predictors(
        call.scout,
        run_ids=values.get("run_id"),
        names=values.get("name"),
        active_only=values.get("active_only", True),
        newest=values.get("newest", True),
    )
    return json_reply([shapes.predictor(row) for row in rows])


def _predictor(call: Call) -> Reply:
    return json_reply(shapes.predictor(found(call.scout.predictors, call.number())))


def _related(call: Call) -> Reply:
    """By id or name: the predictor, the public analyses that use it, their datasets."""
    scout, key = call.scout, call.args["key"]
    row = scout.predictors.get(int(key)) if key.isdecimal() else None
    row = row or next((p for p in scout.predictors.values() if p.name == key and not p.private), None)
    if row is None:
        raise not_found()
    rows = [a for a in scout.analyses.values() if row.id in a.predictors and a.status == "PASSED" and not a.private]
    return json_reply(
        {
            "predictor": shapes.predictor(row),
            "analyses": [shapes.summary(scout, a) for a in rows],
            "datasets": [shapes.dataset(scout, scout.datasets[row.dataset_id], brief=True)],
        }
    )


_EVENTS = {
    "predictor_id": Field(integer, many=True, required=True),
    "run_id": Field(integer, many=True),
    "stimulus_timing": Field(boolean),
}


def _events(call: Call) -> Reply:
    values = call.query(_EVENTS)
    timing = values.get("stimulus_timing", False)
    shown: list[Doc] = []
    for predictor_id in values["predictor_id"]:
        row = call.scout.predictors.get(predictor_id)
        if row is None:
            continue
        for run_id in sorted(row.runs):
            if run_id in values.get("run_id", [run_id]):
                shown += [_event(row, run_id, e, timing=timing) for e in call.scout.events_of(row, run_id)]
    return json_reply(shown)


def _event(row: Predictor, run_id: int, event: Event, *, timing: bool) -> Doc:
    stimulus = event.stimulus if row.feature is not None else None
    shown: Doc = {
        "onset": event.onset,
        "duration": event.duration,
        "value": event.value,
        "run_id": run_id,
        "predictor_id": row.id,
        "stimulus_id": stimulus,
    }
    if timing:
        known = stimulus is not None
        shown["stimulus_onset"] = event.onset if known else None
        shown["stimulus_duration"] = event.duration if known else None
        shown["stimulus_path"] = f"frame_{stimulus:04}.png" if known else None
    return shown


# Uploads


def _upload(call: Call) -> Reply:
    """Take an upload; whether its content is any good shows later."""
    user = call.user()
    dataset_id, runs, name, described = _form(call)
    files = [part.content for part in call.parts("event_files")]
    if not files:
        raise invalid("files", {"event_files": [MISSING]})
    if len(files) != len(runs):
        raise Refusal(422, "The length of event_files and runs must be the same.")
    every = [run for group in runs for run in group]
    if len(set(every)) != len(every):
        raise Refusal(422, "Runs can only be assigned to a single event file.")
    descriptions = _descriptions(described)
    if "/" in name:
        raise crash()
    tables = [EventsFile(group, content) for group, content in zip(runs, files, strict=True)]
    collection = call.scout.new_collection(name, user.id)
    if not start_upload(call.scout, collection, Upload(dataset_id, tables, descriptions)):
        raise crash()
    return json_reply(shapes.collection(call.scout, collection))


def _form(call: Call) -> tuple[int, list[list[int]], str, str | None]:
    """Data set, runs for each file, name, and descriptions as text."""
    problems: Problems = {}
    names, datasets, groups = (call.form(name) for name in ("collection_name", "dataset_id", "runs"))
    for field, given in (("collection_name", names), ("dataset_id", datasets), ("runs", groups)):
        if not given:
            problems[field] = [MISSING]
    dataset_id = 0
    if datasets:
        try:
            dataset_id = integer(datasets[-1])
        except Unfit as error:
            problems["dataset_id"] = [str(error)]
    runs: list[list[int]] = []
    wrong: Problems = {}
    for place, group in enumerate(groups):
        found_runs, bad = _integers(group.split(","))
        runs.append(found_runs)
        if bad:
            wrong[str(place)] = bad
    if wrong:
        problems["runs"] = wrong
    if problems:
        raise invalid("form", problems)
    described = call.form("descriptions")
    return dataset_id, runs, names[-1], described[-1] if described else None


def _integers(texts: list[str]) -> tuple[list[int], Problems]:
    values: list[int] = []
    bad: Problems = {}
    for place, given in enumerate(texts):
        try:
            values.append(integer(given))
        except Unfit as error:
            bad[str(place)] = [str(error)]
    return values, bad


def _descriptions(given: str | None) -> dict[str, str]:
    if given is None:
        return {}
    try:
        value: Any = orjson.loads(given)
    except orjson.JSONDecodeError as error:
        raise crash() from error
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _collection(call: Call) -> Reply:
    return json_reply(shapes.collection(call.scout, found(call.scout.collections, call.number())))


def routes(addresses: Addresses) -> None:
    """Register the addresses."""
    addresses.add("GET", "/predictors", _predictors)
    addresses.add("POST", "/predictors/collection", _upload)
    addresses.add("GET", "/predictors/collection/{id}", _collection)
    addresses.add("GET", "/predictors/{id}", _predictor)
    addresses.add("GET", "/predictors/{key}/related", _related)
    addresses.add("GET", "/predictor-events", _events)
