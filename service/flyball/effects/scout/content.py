"""What an analysis is to hold, with every name looked up on the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flyball.clients.neuroscout.catalogue import Place
from flyball.clients.neuroscout.names import RunChoice, UnknownName, split_custom, without_suffix
from flyball.clients.neuroscout.wire.answers import predictor_ids
from flyball.configfile.suggest import instead
from flyball.effects.scout.model import build_model, description_of
from flyball.effects.scout.port import Scout
from flyball.model.effect import Effect
from flyball.model.errors import Permanent

Json = dict[str, Any]


class NotYet(Exception):  # noqa: N818 - what is so, not who erred
    """A collection that the analysis needs is still being made."""


@dataclass(frozen=True, slots=True)
class _Custom:
    """A predictor of one's own, as a rule names it."""

    written: str
    collection: str
    name: str


async def content_of(effect: Effect, scout: Scout, now: datetime) -> Json:
    """The whole content: what goes into the one POST that makes the analysis.

    Raises:
        UnknownName: a dataset, task, subject, run, predictor or collection that there is not.
        NotYet: a collection is still being made.
    """
    params = effect.params
    place = await scout.catalogue.place(params["dataset"], choice_of(params))
    custom = [_Custom(name, *parts) for name in params["predictors"] if (parts := split_custom(str(name))) is not None]
    own = {one.written: one for one in custom}
    plain = [name for name in params["predictors"] if name not in own]
    ids = await scout.catalogue.predictors(place, plain) if plain else {}
    if custom:
        ids |= await _own(custom, scout, now, params.get("uploads", ()))
    columns = [own[name].name if name in own else name for name in params["predictors"]]
    return {
        "name": params["name"],
        "description": description_of(params["description"], effect.once_key),
        "dataset_id": place.dataset_id,
        "model": _model(params, place, columns, {one.written: one.name for one in custom}),
        "predictors": [ids[name] for name in dict.fromkeys(params["predictors"])],
        "runs": place.run_ids,
        "private": params["private"],
        "predictions": "",
    }


def choice_of(params: Mapping[str, Any]) -> RunChoice:
    """Which runs are meant."""
    return RunChoice(
        tuple(params["tasks"]), tuple(params["subjects"]), tuple(params["runs"]), tuple(params["sessions"])
    )


def _model(params: Mapping[str, Any], place: Place, columns: Sequence[str], renamed: Mapping[str, str]) -> Json:
    if params["model"] is not None:
        return {"Name": params["name"], "Input": {}, **_renamed(params["model"], renamed)}
    return build_model(
        params["name"],
        columns,
        place.runs,
        hrf=[renamed.get(name, name) for name in params["hrf"]],
        transformations=_renamed(params["transformations"], renamed),
        contrasts=_renamed(params["contrasts"], renamed),
        dummy_contrasts=params["dummy_contrasts"],
        sessions=params["sessions"],
    )


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The structure with `collection/name` written as the column that it is on the server."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        return {key: _renamed(one, names) for key, one in value.items()}
    return [_renamed(one, names) for one in value] if isinstance(value, list | tuple) else value


async def _own(custom: Iterable[_Custom], scout: Scout, now: datetime, uploads: Sequence[str]) -> dict[str, int]:
    """The ids of custom predictors, as written → id."""
    collections = list((await scout.board.collections(now)).rows.values())
    return {one.written: _own_id(one, collections, uploads) for one in custom}


def _own_id(wanted: _Custom, collections: Sequence[Mapping[str, Any]], uploads: Sequence[str]) -> int:
    names = [str(row.get("collection_name")) for row in collections]
    mine = [
        row for row, name in zip(collections, names, strict=True) if wanted.collection in (name, without_suffix(name))
    ]
    if wanted.collection in uploads:
        raise NotYet(f"collection {wanted.collection!r} is being uploaded")
    if not mine:
        known = sorted({without_suffix(name) for name in names})
        hint = f"; {instead(wanted.collection, known)}" if known else ""
        raise UnknownName(f"you have no predictor collection {wanted.collection!r}{hint}")
    good = [row for row in mine if row.get("status") == "OK"]
    if not good:
        newest = max(mine, key=lambda row: int(row["id"]))
        if newest.get("status") == "PENDING" and not newest.get("traceback"):
            raise NotYet(f"collection {wanted.collection!r} (id {newest['id']}) is being made")
        raise Permanent(f"collection {wanted.collection!r} (id {newest['id']}) failed: {newest.get('traceback')}")
    newest = max(good, key=lambda row: int(row["id"]))
    ids = predictor_ids(newest)
    if wanted.name not in ids:
        raise UnknownName(
            f"collection {wanted.collection!r} has no predictor {wanted.name!r}; {instead(wanted.name, ids)}"
        )
    return ids[wanted.name]
