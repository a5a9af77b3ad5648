"""What the verbs ask of a Neuroscout server: `check --online` and `find`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flyball.cli.common import Lab
from flyball.cli.saying import USAGE, fail
from flyball.clients.neuroscout.names import RunChoice, UnknownName, split_custom, without_suffix
from flyball.clients.neuroscout.wire.answers import predictor_ids
from flyball.clock import SystemClock
from flyball.configfile.suggest import instead
from flyball.effects.scout.analysis import AnalysisEntry
from flyball.effects.scout.choosing import values_of
from flyball.effects.scout.predictors import PredictorsEntry
from flyball.model.errors import SiteError
from flyball.rules.rule import Rule
from flyball.scouts import ScoutParts, connect_scout
from flyball.settings import NeuroscoutSite

Say = Callable[..., None]
Json = dict[str, Any]

KINDS: dict[str, tuple[str, ...]] = {
    "datasets": ("id", "name", "active", "summary", "url"),
    "tasks": ("id", "dataset_id", "name", "TR", "n_subjects", "n_runs_subject", "summary"),
    "runs": ("id", "dataset_id", "task_name", "subject", "number", "session", "duration"),
    "predictors": ("id", "name", "dataset_id", "source", "private", "description"),
    "analyses": ("hash_id", "name", "status", "dataset_id", "user", "description"),
    "my-analyses": ("hash_id", "name", "status", "dataset_id", "modified_at", "description"),
    "my-predictors": ("id", "name", "dataset_id", "source", "description"),
    "my-collections": ("id", "collection_name", "status", "predictors", "traceback"),
}
"""What can be found on a Neuroscout server, with the columns that are shown."""

_PATHS = {
    "datasets": "/datasets",
    "tasks": "/tasks",
    "runs": "/runs",
    "predictors": "/predictors",
    "analyses": "/analyses",
    "my-analyses": "/user/myanalyses",
    "my-predictors": "/user/predictors",
    "my-collections": "/user/collections",
}


def filters_of(text: str | None) -> dict[str, str]:
    """The server's filters as a person writes them: `name=speech,dataset_id=9`; a value may be a list `a|b`.

    Ends the program where it is none.
    """
    found: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, sign, value = part.partition("=")
        if not sign or not name.strip() or not value.strip():
            fail(f"{part!r} is no filter of a Neuroscout server; write name=value, such as name=speech", USAGE)
        found[name.strip()] = value.strip().replace("|", ",")
    return found


async def find_on(parts: ScoutParts, kind: str, chosen: str | None) -> list[Json]:
    """The rows of one kind. A dataset and a task may be named: `dataset=Life`, `task=life`."""
    filters = filters_of(chosen)
    own = kind.startswith("my-")
    if own and not parts.settings.has_account:
        fail(f"{kind} needs an account; set `email` and `password` of site {parts.name!r}", USAGE)
    catalogue = parts.scout.catalogue
    dataset = filters.pop("dataset", None)
    if dataset is not None:
        found = await catalogue.dataset(dataset)
        if kind in ("tasks", "runs", "analyses"):
            filters["dataset_id"] = str(found["id"])
        elif kind == "predictors":
            task = filters.pop("task", None)
            place = await catalogue.place(dataset, RunChoice(tasks=() if task is None else (task,)))
            if "name" in filters:
                return await parts.client.predictors(place.run_ids, filters["name"].split(","))
            rows = {row["id"]: row for task_id in place.task_ids for row in await parts.client.task_predictors(task_id)}
            return [rows[ident] for ident in sorted(rows)]
        else:
            fail(f"{kind} cannot be chosen by dataset", USAGE)
    task = filters.pop("task", None)
    if task is not None:
        tasks = [row for row in await parts.client.tasks() if row.get("name") == task]
        if not tasks:
            fail(f"there is no task {task!r}", USAGE)
        filters["task_id"] = ",".join(str(row["id"]) for row in tasks)
    if kind == "predictors":
        filters.setdefault("newest", "false")
    return await parts.client.listing(_PATHS[kind], filters, own=own)


async def check_scout(lab: Lab, name: str, settings: NeuroscoutSite, say: Say) -> None:
    """Whether the server can be reached, the account is accepted, and what rules name is there."""
    parts = connect_scout(name, settings, SystemClock())
    try:
        if settings.has_account:
            profile = await parts.client.profile()
            say(f"{parts.address} answers; the account is {profile.get('user_name') or profile.get('email')}'s")
        else:
            datasets = await parts.client.datasets()
            say(f"{parts.address} answers with {len(datasets)} datasets; without an account nothing is made")
        for rule in lab.rules.rules:
            for entry in rule.do:
                if isinstance(entry, AnalysisEntry | PredictorsEntry) and entry.scout == name:
                    await _check_entry(rule, entry, parts, say)
    except SiteError as error:
        say(f"{error}; check `url`, `email` and `password` of site {name!r} ({parts.address})", ok=False)
    finally:
        await parts.client.close()


async def _check_entry(rule: Rule, entry: AnalysisEntry | PredictorsEntry, parts: ScoutParts, say: Say) -> None:
    """Look up every name of one entry, in every cell of its rule's matrix; each fault is said once."""
    told: set[str] = set()
    checked = 0
    for dataset, choices, predictors in values_of(rule, entry):
        try:
            for choice in choices:
                place = await parts.scout.catalogue.place(dataset, choice)
            checked += 1
            plain = [name for name in predictors if split_custom(name) is None]
            if plain:
                await parts.scout.catalogue.predictors(place, plain)
            custom = [name for name in predictors if split_custom(name) is not None]
            if custom and parts.settings.has_account:
                await _check_custom(rule, custom, parts)
        except UnknownName as error:
            if str(error) not in told:
                told.add(str(error))
                say(f"rule {rule.written_as}: {error}", ok=False)
    if checked and not told:
        say(f"rule {rule.written_as}: {entry.kind}: all names of {checked} analyses or uploads are there")


async def _check_custom(rule: Rule, names: Sequence[str], parts: ScoutParts) -> None:
    """Own predictors that the rule does not upload itself."""
    uploads = {str(entry.name) for entry in rule.do if isinstance(entry, PredictorsEntry)}
    rows = await parts.client.own_collections()
    known = {without_suffix(str(row.get("collection_name"))): predictor_ids(row) for row in rows}
    for name in names:
        collection, predictor = split_custom(name) or ("", "")
        if uploads or predictor in known.get(collection, {}):
            continue
        if collection not in known:
            raise UnknownName(f"you have no predictor collection {collection!r}; {instead(collection, known)}")
        hint = instead(predictor, known[collection])
        raise UnknownName(f"collection {collection!r} has no predictor {predictor!r}; {hint}")
