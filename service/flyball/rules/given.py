"""`given` of a rule's test: a map of level to document becomes the document that the rule would see. Pure.

What `given` does not say is not there: no tags, no info, other fields missing. Ancestors that it does not name exist
and say nothing; `acquisition: null` says that there is none (a file on a session). Lists such as `acquisitions` and
`files` stand inside of their container and become what lies below the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from flyball.configfile.durations import shortened
from flyball.configfile.suggest import instead
from flyball.model.levels import CONTAINERS, HIERARCHY, Level, above
from flyball.model.node import Document, Node, Target
from flyball.model.search import Hits, Search, hit_name
from flyball.rules.cells import cell_document
from flyball.rules.given_nodes import UNTOLD, GivenError, Making, mapping, with_lists
from flyball.rules.matrix import MATRIX, cell_of
from flyball.rules.peers import PeerKey, Peers
from flyball.rules.rule import Rule
from flyball.rules.selection import LISTS

NOW: Final = "now"
PEERS: Final = "peers"
HITS: Final = "hits"
_BESIDE: Final = ("group", "gear", "event", "matrix")
_FIELDS_OF_PEERS: Final = ("date", "n", "median", "mad")


class AnyPeers(Mapping[PeerKey, Peers]):
    """Peer statistics that a test tells by metric, whatever the profile and the group."""

    def __init__(self, by_metric: Mapping[str, Peers]) -> None:
        self._by_metric = by_metric

    def __getitem__(self, key: PeerKey) -> Peers:
        return self._by_metric[key[1]]

    def __iter__(self) -> Iterator[PeerKey]:
        return iter(())

    def __len__(self) -> int:
        return len(self._by_metric)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a test gives.

    Attributes:
        document: as the rule sees it.
        told: scope levels whose label the test tells (`project` only with its group; `gear` for jobs and analyses).
        now: the present, None when the test does not say.
        peers: by metric.
    """

    document: Document
    told: frozenset[str]
    now: datetime | None = None
    peers: AnyPeers = field(default_factory=lambda: AnyPeers({}))


def situation(rule: Rule, given: Mapping[str, Any]) -> Situation:
    """The situation that a test of the rule describes.

    Raises:
        GivenError: with what would be right.
    """
    each = rule.each
    own = [str(level) for level in (*above(each), each)] if each is not Level.MATRIX else []
    known = (*own, *_BESIDE, NOW, PEERS, *([HITS] if rule.searches else ()))
    for key in given:
        if key in known:
            continue
        if key in HIERARCHY and each in CONTAINERS:
            raise GivenError(f"`{key}` lies below the rule's {each}: put it into `{each}`, under `{key}s`")
        raise GivenError(f"`{key}` is nothing that a rule on each {each} sees; {instead(str(key), known)}")
    if each is Level.MATRIX:
        cell = cell_of(mapping(given.get(MATRIX), MATRIX))
        return Situation(cell_document(rule, cell.id), frozenset(), _now(given), _peers(given))
    made = Making(rule.site)
    group = _group(given)
    parents = {"group": group} if group else {}
    ancestors: dict[Level, Node] = {}
    around: dict[Level, list[Node]] = {}
    for level in _present(rule, given):
        doc = mapping(given.get(str(level)), str(level))
        ancestors[level], around[level] = made.node(level, doc, parents)
        parents = {**parents, str(level): ancestors[level].id}
    doc = mapping(given.get(str(each)), str(each))
    if each in (Level.JOB, Level.ANALYSIS) and "gear_info" not in doc and "gear" in given:
        doc = {**doc, "gear_info": _gear(given["gear"])}
    target, subtree = made.node(each, doc, parents)
    names: dict[str, Any] = {"group": {"id": group or None}, **_beside(given, target)}
    for level, node in ancestors.items():
        names[str(level)] = with_lists(node, around[level]) if _reads_lists(rule, level) else node.doc
    names[str(each)] = with_lists(target, subtree) if rule.below else target.doc
    path = "/".join([group or UNTOLD, *(one.label for one in (*ancestors.values(), target))])
    document = Document(
        Target(rule.site, each, target.id, path),
        names,
        target,
        ancestors,
        tuple(subtree) if rule.below else (),
        hits=_hits(rule, given, subtree),
    )
    return Situation(document, _told(rule, given, document), _now(given), _peers(given))


def _hits(rule: Rule, given: Mapping[str, Any], subtree: Sequence[Node]) -> dict[Search, Hits]:
    """What each search finds below the target, told as ids, labels or names of files by the selection's name."""
    told = mapping(given.get(HITS), HITS)
    searches = {one.name: one.search for one in rule.select if one.search is not None}
    found: dict[Search, Hits] = {}
    for name, search in searches.items():
        if name not in told:
            found[search] = Hits(reason=f"the test does not say the hits of `{name}`: hits: {{{name}: [label, …]}}")
            continue
        wanted = [str(one) for one in told[name]] if isinstance(told[name], list | tuple) else [str(told[name])]
        nodes = [one for one in subtree if one.level is search.returns and not {one.id, one.label}.isdisjoint(wanted)]
        found[search] = Hits(frozenset(map(hit_name, nodes)))
    for name in told:
        if name not in searches:
            raise GivenError(f"`{name}` is no selection by search; {instead(str(name), searches)}")
    return found


def _present(rule: Rule, given: Mapping[str, Any]) -> Iterator[Level]:
    """The ancestors that the target has, from the top."""
    each = rule.each
    levels = [level for level in above(each) if level in CONTAINERS]
    doc = given.get(str(each))
    reference = (
        doc.get("parent_ref") or doc.get("parent") or doc.get("destination") if isinstance(doc, Mapping) else None
    )
    holder = reference.get("type") if isinstance(reference, Mapping) else None
    if holder not in levels and each not in HIERARCHY:  # a job or analysis hangs on the lowest container that is told
        holder = next(
            (str(level) for level in reversed(levels) if isinstance(given.get(str(level)), Mapping)), "session"
        )
    for level in levels:
        if str(level) not in given or given[str(level)] is not None:
            yield level
        if level == holder:
            return


def _reads_lists(rule: Rule, level: Level) -> bool:
    return any(path[0] == level and len(path) > 1 and path[1] in LISTS for path in rule.reads)


def _group(given: Mapping[str, Any]) -> str:
    """The group's id: from `group`, else from the project's document."""
    group = given.get("group")
    if isinstance(group, Mapping):
        group = group.get("id") or group.get("_id") or group.get("label")
    if group is None:
        project = mapping(given.get("project"), "project")
        group = project.get("group") or mapping(project.get("parents"), "parents").get("group")
    return str(group or "")


def _beside(given: Mapping[str, Any], target: Node) -> dict[str, Any]:
    found = {key: given[key] for key in ("event", "matrix") if key in given}
    gear = given.get("gear", target.doc.get("gear_info"))
    if gear is not None:
        found["gear"] = _gear(gear)
    return found


def _gear(gear: Any) -> Any:
    return {"name": gear} if isinstance(gear, str) else gear


def _told(rule: Rule, given: Mapping[str, Any], document: Document) -> frozenset[str]:
    """The levels of the rule's scope that can be judged; the others count as in scope."""
    nodes = {**document.ancestors, document.target.level: document.node}
    told = {str(level) for level, node in nodes.items() if node.label != UNTOLD}
    if isinstance(document.names.get("gear"), Mapping):
        told.add("gear")
    if "project" in told and "project" in rule.scope.levels and not _group(given):
        raise GivenError("the rule's scope is about group/label; say the group as well: `group: NAME`")
    absent = {str(level) for level in above(rule.each) if str(level) in given and given[str(level)] is None}
    return frozenset(told | absent)


def _now(given: Mapping[str, Any]) -> datetime | None:
    if given.get(NOW) is None:
        return None
    moment: datetime | None
    try:
        moment = datetime.fromisoformat(str(given[NOW]))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise GivenError(
            f"`now` is a time with its zone, such as 2026-01-31T08:00:00+01:00, not {shortened(given[NOW])}"
        )
    return moment


def _peers(given: Mapping[str, Any]) -> AnyPeers:
    found: dict[str, Peers] = {}
    for metric, one in mapping(given.get(PEERS), PEERS).items():
        entry = mapping(one, metric)
        for key in entry:
            if key not in _FIELDS_OF_PEERS:
                raise GivenError(f"`{key}` is unknown in `peers`; {instead(str(key), _FIELDS_OF_PEERS)}")
        numbers = [entry.get(key) for key in _FIELDS_OF_PEERS[1:]]
        if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
            raise GivenError(f"`peers` of `{metric}` are told as {{n: 40, median: 50, mad: 4}}")
        found[metric] = Peers(str(entry.get("date", UNTOLD)), *(number for number in numbers if number is not None))
    return AnyPeers(found)
