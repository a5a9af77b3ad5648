"""Requests that read. Lists come whole: the server has no pages, and refuses parameters that it does not know (422)."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.clients.exchange import Request, segment
from flyball.clients.neuroscout.wire.query import with_query


def datasets() -> Request:
    """All datasets, inactive ones too: these accept analyses as well."""
    return _read(with_query("/datasets", active_only=False), "/datasets")


def tasks(dataset_id: int | None = None) -> Request:
    """The tasks, of one dataset or of all."""
    return _read(with_query("/tasks", dataset_id=dataset_id), "/tasks")


def runs(dataset_id: int, *, inactive: bool = False) -> Request:
    """All runs of a dataset; those of one that is inactive are shown only when asked for."""
    path = with_query("/runs", dataset_id=dataset_id, active_only=False if inactive else None)
    return _read(path, "/runs")


def predictors(run_ids: Sequence[int | str], names: Sequence[str]) -> Request:
    """Public predictors by name that have events in any of the runs.

    `newest=False`: else the server picks the newest of each name over all users first, and a private upload of the
    same name hides the public one from everybody.
    """
    path = with_query("/predictors", run_id=run_ids, name=names, active_only=False, newest=False)
    return _read(path, "/predictors")


def task_predictors(task_id: int) -> Request:
    """All public predictors of all runs of a task; for names that cannot be asked for."""
    path = with_query(f"/tasks/{task_id}/predictors", active_only=False, newest=False)
    return _read(path, "/tasks/{id}/predictors")


def own_predictors() -> Request:
    """The account's own uploaded predictors, every one of each name."""
    return _read(with_query("/user/predictors", newest=False), "/user/predictors")


def own_analyses() -> Request:
    """All of the account's analyses in every status, in short form."""
    return _read("/user/myanalyses", "/user/myanalyses")


def own_collections() -> Request:
    """The account's predictor collections with status and predictors."""
    return _read("/user/collections", "/user/collections")


def user() -> Request:
    """The account's profile."""
    return _read("/user", "/user")


def public_analyses(*, name: str | None = None, dataset_id: int | None = None) -> Request:
    """Public analyses that passed; names are matched exactly."""
    return _read(with_query("/analyses", name=name, dataset_id=dataset_id), "/analyses")


def analysis(ident: str) -> Request:
    """One analysis with everything that can be set."""
    return _read(f"/analyses/{segment(ident)}", "/analyses/{id}")


def compile_status(ident: str) -> Request:
    """How far compiling is, and why it failed."""
    return _read(f"/analyses/{segment(ident)}/compile", "/analyses/{id}/compile")


def bundle(ident: str) -> Request:
    """The bundle of an analysis that passed: a gzipped tar."""
    return _read(f"/analyses/{segment(ident)}/bundle", "/analyses/{id}/bundle")


def report(ident: str) -> Request:
    """The newest report of an analysis, made with the same words as `writes.report`."""
    return _read(with_query(f"/analyses/{segment(ident)}/report", scale=False), "/analyses/{id}/report")


def collection(ident: int) -> Request:
    """One predictor collection."""
    return _read(f"/predictors/collection/{ident}", "/predictors/collection/{id}")


def listing(path: str, **filters: str) -> Request:
    """Any list, with the server's own filters as a person wrote them: a comma separates values."""
    parts: dict[str, Sequence[str]] = {name: value.split(",") for name, value in filters.items()}
    return _read(with_query(path, **parts), path)


def _read(path: str, template: str) -> Request:
    return Request("GET", path, template=template)
