"""Recording: a real target becomes what stands under `given` of a test, without what tells who somebody is. Pure.

Kept are the fields that the rules read, and the structure. Labels of subjects and sessions become pseudonyms; other
labels and names are kept only where a rule reads them, and are masked where a glob of the scope is all that needs them.
Ids are left out. Times are moved together, so that their distances stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flyball.model.levels import CONTAINERS, HIERARCHY, Level
from flyball.model.node import Document
from flyball.rules.given import NOW, PEERS
from flyball.rules.peers import group_of
from flyball.rules.profiles import Qc
from flyball.rules.pseudonyms import Pseudonyms, kind_of
from flyball.rules.rule import Rule
from flyball.rules.scope import Globs
from flyball.rules.selection import LISTS

Json = dict[str, Any]
_ALWAYS: Final = {Level.SUBJECT: "sub", Level.SESSION: "ses"}
_LEFT_OUT: Final = frozenset({"id", "_id", "parents", "parent_ref", "parent", "destination", "group", "label", "name"})
_PLAIN: Final = frozenset({"classification", "type", "modality", "mimetype", "state", "tags", "sex", "gear_info"})
_LONGEST_SUFFIX: Final = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What some rules read.

    Attributes:
        paths: level → paths below it.
        labels: levels whose label or name an expression, template or `expect` reads.
        globs: level → globs of the scope.
        metrics: place of a profile (`info`, `info.IQM` …, by level) → the metrics that are read there.
    """

    paths: Mapping[str, frozenset[tuple[str, ...]]]
    labels: frozenset[str]
    globs: Mapping[str, Sequence[Globs]]
    metrics: Mapping[tuple[str, ...], frozenset[str]]


def wanted_by(rules: Iterable[Rule], qc: Qc) -> Wanted:
    """What the rules read."""
    paths: dict[str, set[tuple[str, ...]]] = {}
    labels: set[str] = set()
    globs: dict[str, list[Globs]] = {}
    metrics: dict[tuple[str, ...], set[str]] = {}
    for rule in rules:
        for level, *rest in rule.reads:
            paths.setdefault(level, set()).add(tuple(rest))
            if rest and rest[0] in ("label", "name", "group", "code"):
                labels.add(level)
        if rule.expect is not None:
            labels.add(str(Level.ACQUISITION))
        for level, one in rule.scope.levels.items():
            globs.setdefault(level, []).append(one)
        for name in rule.profiles & qc.profiles.keys():
            for place in qc.profiles[name].places:
                metrics.setdefault(place, set()).update(qc.profiles[name].metrics)
    return Wanted(
        {level: frozenset(one) for level, one in paths.items()},
        frozenset(labels),
        globs,
        {place: frozenset(names) for place, names in metrics.items()},
    )


def record(document: Document, rules: Sequence[Rule], qc: Qc, now: datetime) -> Json:
    """What a test gives that shows the rules this state.

    Args:
        document: the target, with what lies below it and around it as far as the rules look.
        rules: those that shall see the same.
        qc: the profiles, with the peers of the target's site.
        now: the site's time.
    """
    nodes = [*document.ancestors.values(), document.node, *document.subtree]
    docs: list[Mapping[str, Any]] = [one.doc for one in nodes]
    docs += [value for name, value in document.names.items() if name in HIERARCHY and isinstance(value, Mapping)]
    labels = [(_ALWAYS[one.level], one.label) for one in nodes if one.level in _ALWAYS and one.label]
    times = [time for one in nodes for time in (one.created, one.modified, _time(one.doc.get("timestamp"))) if time]
    pseudonyms = Pseudonyms(docs, labels, max(times, default=now))
    recorder = _Recorder(wanted_by(rules, qc), pseudonyms)
    given: Json = {NOW: pseudonyms.moment(now).isoformat()}
    group = document.names.get("group")
    if recorder.keeps_label(Level.PROJECT) and isinstance(group, Mapping) and group.get("id"):
        given["group"] = pseudonyms.text(str(group["id"]))
    each = document.target.level
    for level in (*CONTAINERS, Level.FILE, Level.ANALYSIS, Level.JOB):
        if level is each or level in document.ancestors:
            given[str(level)] = recorder.document(level, document.names.get(str(level)) or {})
        elif each is Level.FILE and level in CONTAINERS:
            given[str(level)] = None  # a file that hangs further up
    if each in HIERARCHY and "gear" in document.names:
        given["gear"] = recorder.kept("gear", document.names["gear"])
    peers = _peers(document, rules, qc)
    return {**given, PEERS: peers} if peers else given


class _Recorder:
    """Goes through documents and keeps what is wanted."""

    def __init__(self, wanted: Wanted, pseudonyms: Pseudonyms) -> None:
        self._wanted = wanted
        self._pseudonyms = pseudonyms
        self._number: dict[Level, int] = {}

    def keeps_label(self, level: Level) -> bool:
        """Whether a label of this level is needed as it is."""
        return str(level) in self._wanted.labels or str(level) in self._wanted.globs

    def document(self, level: Level, doc: Mapping[str, Any]) -> Json:
        """What is kept of one node and of the lists in it."""
        made: Json = {}
        if level in HIERARCHY:
            made["name" if level is Level.FILE else "label"] = self._label(level, doc)
        made |= self.kept(str(level), doc)
        for key, lower in LISTS.items():
            if level in CONTAINERS and isinstance(doc.get(key), (list, tuple)):
                made[key] = [self.document(lower, one) for one in doc[key] if isinstance(one, Mapping)]
        if isinstance(doc.get("gear_info"), Mapping):
            made["gear_info"] = {key: doc["gear_info"][key] for key in ("name", "version") if key in doc["gear_info"]}
        return made

    def kept(self, level: str, doc: Mapping[str, Any]) -> Json:
        """The fields of a document that are read."""
        made: Json = {}
        for path in sorted(self._wanted.paths.get(level, ())):
            if path and path[0] not in _LEFT_OUT and path[0] not in LISTS:
                self._take(made, doc, path, (level,))
        return made

    def _take(self, into: Json, doc: Any, path: tuple[str, ...], base: tuple[str, ...]) -> None:
        """Copy what stands at a path."""
        key, rest = path[0], path[1:]
        if not isinstance(doc, Mapping) or key not in doc:
            return
        value, here = doc[key], (*base, key)
        if rest and isinstance(value, Mapping):
            lower = into.setdefault(key, {})
            if isinstance(lower, dict):
                self._take(lower, value, rest, here)
        elif here in self._wanted.metrics and isinstance(value, Mapping):
            lower = into.setdefault(key, {})
            for metric in self._wanted.metrics[here] if isinstance(lower, dict) else ():
                if metric in value:
                    lower[metric] = self._whole(metric, value[metric])
        elif isinstance(value, (list, tuple)) and not rest:
            into[key] = [
                self._whole(key, one) if isinstance(one, (Mapping, list, tuple)) else self._pseudonyms.value(key, one)
                for one in value
            ]
        elif isinstance(value, (Mapping, list, tuple)):
            whole = self._whole(key, value)
            known = into.get(key)
            into[key] = {**whole, **known} if isinstance(known, dict) and isinstance(whole, dict) else whole
        else:
            into[key] = value if "gear" in base or "gear_info" in base else self._pseudonyms.value(key, value)

    def _whole(self, key: str, value: Any, *, plain: bool = False) -> Any:
        """What may be kept of something that is read as a whole: numbers, and texts where they are none of people's."""
        plain = plain or key in _PLAIN
        kind = kind_of(key)
        if isinstance(value, Mapping):
            return {
                self._pseudonyms.text(str(name)): self._whole(str(name), one, plain=plain)
                for name, one in value.items()
                if kind_of(str(name)) is None
            }
        if isinstance(value, (list, tuple)):
            return [self._whole(key, one, plain=plain) for one in value]
        if value is None or isinstance(value, bool):
            return value
        if kind is not None:
            return self._pseudonyms.value(key, value)
        if not isinstance(value, str):
            return value
        return self._pseudonyms.text(value) if plain else self._pseudonyms.of("text", value)

    def _label(self, level: Level, doc: Mapping[str, Any]) -> str:
        text = str((doc.get("name") if level is Level.FILE else doc.get("label")) or "")
        if level in _ALWAYS:
            return self._pseudonyms.of(_ALWAYS[level], text)
        if str(level) in self._wanted.labels:
            return self._pseudonyms.text(text)
        number = self._number[level] = self._number.get(level, 0) + 1
        if level is Level.PROJECT:
            return self._pseudonyms.text(text) if self.keeps_label(level) else f"project-{number}"
        bare = f"{'file' if level is Level.FILE else 'acq'}-{number}"
        end = _suffix(text) if level is Level.FILE else ""
        globs = self._wanted.globs.get(str(level), ())
        if not globs:
            return bare + end
        masked = (
            _masked(pattern, bare, end) for one in globs for pattern in one.written if not pattern.startswith("!")
        )
        same = [one.match(text) for one in globs]
        candidates = [bare + end, *(one for one in masked if one is not None)]
        fitting = (one for one in candidates if [globs_.match(one) for globs_ in globs] == same)
        return next(fitting, self._pseudonyms.text(text))


def _masked(pattern: str, bare: str, end: str) -> str | None:
    """A name that fits a glob and tells nothing but what the glob says; None for a glob with sets or `?`."""
    if any(character in pattern for character in "?["):
        return None
    first, *rest = pattern.split("*")
    if not rest:
        return pattern
    middle = "".join(rest[:-1])
    last = rest[-1] if rest[-1] or not end else end
    return f"{first}{bare}{'_' if middle else ''}{middle}{last}"


def _suffix(name: str) -> str:
    """`.nii.gz` of a file's name; empty where it has none that is a usual one."""
    parts = name.rsplit(".", 2)[1:]
    usual = [part for part in parts if part.isalnum() and len(part) <= _LONGEST_SUFFIX and not part.isdigit()]
    if not usual or parts[-1] not in usual:
        return ""
    return ".nii.gz" if parts == ["nii", "gz"] else f".{parts[-1]}"


def _peers(document: Document, rules: Iterable[Rule], qc: Qc) -> Json:
    """Statistics of the target's peers, by metric: numbers of a group, of nobody alone."""
    found: Json = {}
    for name in sorted({name for rule in rules for name in rule.peers} & qc.profiles.keys()):
        for metric, cut in qc.profiles[name].peered.items():
            group = group_of(cut.within, document.names)
            one = qc.peers.get((name, metric, group)) if isinstance(group, tuple) else None
            if one is not None:
                found.setdefault(metric, {"n": one.n, "median": one.median, "mad": one.mad})
    return found


def _time(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
