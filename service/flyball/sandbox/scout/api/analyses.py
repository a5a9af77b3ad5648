"""Analyses: list, create, read, change, delete, clone, fill."""

from copy import deepcopy
from typing import Any

from flyball.sandbox.api.call import Reply
from flyball.sandbox.scout import shapes
from flyball.sandbox.scout.api.call import Addresses, Call, crash, json_reply
from flyball.sandbox.scout.errors import Problems, Refusal, invalid
from flyball.sandbox.scout.fields import NULL, Field, boolean, integer, mapping, number, text, try_body
from flyball.sandbox.scout.filling import fill
from flyball.sandbox.scout.records import Analysis, Doc
from flyball.sandbox.scout.state import Scout

_ALWAYS = ("name", "description", "private")
"""What can be changed in every status."""

_FIELDS = {
    "dataset_id": Field(integer, required=True),
    "name": Field(text),
    "description": Field(text),
    "predictions": Field(text),
    "model": Field(mapping),
    "private": Field(boolean),
}


def _list(call: Call) -> Reply:
    """Public and passed ones only, by exact names."""
    values = call.query({"name": Field(text, many=True), "dataset_id": Field(number, many=True)})
    rows = [
        a
        for a in call.scout.analyses.values()
        if a.status == "PASSED"
        and not a.private
        and ("name" not in values or a.name in values["name"])
        and ("dataset_id" not in values or a.dataset_id in values["dataset_id"])
    ]
    return json_reply([shapes.summary(call.scout, row) for row in rows])


def _create(call: Call) -> Reply:
    """A new draft; the same name twice makes two."""
    user = call.user()
    values = _values(call.scout, call.body())
    row = call.scout.new_analysis(user.id, values["dataset_id"])
    _set(row, values)
    return json_reply(shapes.analysis(call.scout, row))


def _values(scout: Scout, body: Doc) -> Doc:
    """The fields of a body that may be set.

    Ids that are no numbers crash the handler before anything is checked, as on the real server.
    """
    lists = {name: _ids(body[name]) for name in ("runs", "predictors") if body.get(name) is not None}
    values, problems = try_body(body, _FIELDS)
    problems |= {name: [NULL] for name in ("runs", "predictors") if name in body and body[name] is None}
    _check(scout, values, lists, problems)
    if problems:
        raise invalid("json", problems)
    return values | lists


def _ids(given: Any) -> list[int]:
    """A list of ids, each once."""
    if not isinstance(given, list | str):
        raise crash()
    try:
        return list(dict.fromkeys(int(element) for element in given))
    except (TypeError, ValueError) as error:
        raise crash() from error


def _check(scout: Scout, values: Doc, lists: dict[str, list[int]], problems: Problems) -> None:
    """Whether what is named exists; not whether it belongs together."""
    if "dataset_id" in values and values["dataset_id"] not in scout.datasets:
        problems["dataset_id"] = ["Invalid dataset id."]
    absent = [{"id": run} for run in lists.get("runs", []) if run not in scout.runs]
    if absent:
        problems["runs"] = [f"Invalid run id: {absent[:1]}"]
    if any(p not in scout.predictors for p in lists.get("predictors", [])):
        problems["predictors"] = ["Invalid predictor id."]


def _set(row: Analysis, values: Doc) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _get(call: Call) -> Reply:
    return json_reply(shapes.analysis(call.scout, call.analysis()))


def _put(call: Call) -> Reply:
    """Change the keys that are sent; where the status forbids it, they are dropped without a word."""
    row = call.own_analysis()
    values = _values(call.scout, call.body())
    if row.locked:
        raise Refusal(422, "Analysis is locked. It cannot be edited.")
    if row.status not in {"DRAFT", "FAILED"}:
        values = {name: value for name, value in values.items() if name in _ALWAYS}
        if not values:
            raise Refusal(422, "Analysis is not editable. Try cloning it.")
    _set(row, values)
    call.scout.changed(row)
    return json_reply(shapes.analysis(call.scout, row))


def _delete(call: Call) -> Reply:
    row = call.own_analysis()
    if not row.editable:
        raise Refusal(422, "Analysis not editable, cannot delete.")
    if any(other.parent_id == row.hash_id for other in call.scout.analyses.values()):
        raise crash()
    del call.scout.analyses[row.hash_id]
    return json_reply({})


def _full(call: Call) -> Reply:
    return json_reply(shapes.full(call.scout, call.analysis()))


def _resources(call: Call) -> Reply:
    return json_reply(shapes.resources(call.scout, call.analysis()))


def _clone(call: Call) -> Reply:
    """A draft of the caller's with the same content, the lock included."""
    user = call.user()
    parent = call.analysis()
    if parent.status != "PASSED":
        raise Refusal(422, "Only passed analyses can be cloned.")
    row = call.scout.new_analysis(user.id, parent.dataset_id)
    row.created, row.parent_id = parent.created, parent.hash_id
    for name in ("name", "description", "predictions", "model", "predictors", "runs", "private", "locked"):
        setattr(row, name, deepcopy(getattr(parent, name)))
    return json_reply(shapes.analysis(call.scout, row))


def _fill(call: Call) -> Reply:
    row = call.own_analysis()
    values = call.query({"partial": Field(boolean), "dryrun": Field(boolean)})
    if not row.editable:
        raise Refusal(422, "Analysis not editable.")
    filled = fill(call.scout, row, partial=values.get("partial", True))
    found = {"runs": filled.runs, "predictors": filled.predictors, "model": filled.model}
    if values.get("dryrun", False):
        return json_reply({**shapes.analysis(call.scout, row), **found})
    _set(row, found)
    call.scout.changed(row)
    return json_reply(shapes.analysis(call.scout, row))


def routes(addresses: Addresses) -> None:
    """Register the addresses."""
    addresses.add("GET", "/analyses", _list)
    addresses.add("POST", "/analyses", _create)
    addresses.add("GET", "/analyses/{hash}", _get)
    addresses.add("PUT", "/analyses/{hash}", _put)
    addresses.add("DELETE", "/analyses/{hash}", _delete)
    addresses.add("GET", "/analyses/{hash}/full", _full)
    addresses.add("GET", "/analyses/{hash}/resources", _resources)
    addresses.add("POST", "/analyses/{hash}/clone", _clone)
    addresses.add("POST", "/analyses/{hash}/fill", _fill)
