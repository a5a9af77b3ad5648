"""`select`: what lies below the target, filtered, in order, capped. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from flyball.model.levels import CONTAINERS, Level, above, below
from flyball.model.node import Document, Node
from flyball.model.search import NOT_ASKED, hit_name
from flyball.rules.expression import Context, Unknown, is_unknown
from flyball.rules.rule import Selection

LISTS: Mapping[str, Level] = {
    "subjects": Level.SUBJECT,
    "sessions": Level.SESSION,
    "acquisitions": Level.ACQUISITION,
    "files": Level.FILE,
}
"""The lists that a container's document has when a rule names them, by key."""

_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a selection gives.

    Attributes:
        items: the chosen documents; files with `id`, `name`, `parent_ref` and `parents`, whatever the site left out.
        note: for people: how many of how many, and what could not be decided. Candidates whose condition is unknown are
            not chosen: a lab's data is full of files without a classification, and these must not hold up the rest.
        withheld: set when some candidate could not be looked at (a permission, a page not read yet). Then the list may
            lack what is there, and must not be taken for the whole.
    """

    items: list[dict[str, Any]]
    note: str = ""
    withheld: Unknown | None = None

    @property
    def value(self) -> list[dict[str, Any]] | Unknown:
        """What the selection's name stands for: the list, or unknown when something could not be looked at."""
        return self.items if self.withheld is None else self.withheld


@dataclass(slots=True)
class _Candidate:
    node: Node
    document: dict[str, Any]
    rank: tuple[Any, ...] = field(default=())


def select(selection: Selection, document: Document, context: Context) -> Chosen:
    """The nodes of the selection's level below the target whose condition is true.

    Args:
        selection: level, condition, order, cap.
        document: the target with its subtree.
        context: names in force at the target; each candidate sees its own ancestors in their place.
    """
    hits = None
    if selection.search is not None:
        found = document.hits.get(selection.search, NOT_ASKED)
        if found.reason:
            return Chosen([], found.reason, withheld=Unknown(found.reason))
        hits = found.names
    chosen: list[_Candidate] = []
    doubts: list[Unknown] = []
    total = 0
    lists = any(path[1:2] and path[1] in LISTS for path in selection.condition.reads)
    for node, scope in scopes(document, selection.of, context.names, lists=lists):
        total += 1
        if hits is not None and hit_name(node) not in hits:
            continue
        here = replace(context, names=scope)
        truth = selection.condition.test(here)
        if truth is True:
            rank = (*(_rank(key.value(here)) for key in selection.order), *_created(node))
            chosen.append(_Candidate(node, scope[selection.of], rank))
        elif isinstance(truth, Unknown):
            doubts.append(truth)
    chosen.sort(key=lambda candidate: candidate.rank)
    kept = chosen if selection.most is None else chosen[: selection.most]
    return Chosen(
        [candidate.document for candidate in kept],
        _note(len(kept), len(chosen), total, doubts, selection.of),
        next((doubt for doubt in doubts if doubt.nature == "withheld"), None),
    )


def scopes(
    document: Document, level: Level, names: Mapping[str, Any], *, lists: bool = False
) -> Iterator[tuple[Node, dict[str, Any]]]:
    """Every node of a level below the target, with the names that hold there.

    Args:
        document: the target with its subtree.
        level: which nodes.
        names: in force at the target.
        lists: whether containers shall have `files`, `acquisitions` and so on.

    Yields:
        the node, and `names` with the node itself and its own ancestors below the target in place. Ancestors that the
        node does not have (an acquisition, for a file of a session) are absent.
    """
    under = below(document.target.level)
    outer = {name: value for name, value in names.items() if name not in under}
    documents: dict[tuple[Level, str], dict[str, Any]] = {}
    wanted = [node for node in document.subtree if node.level is level]
    if wanted:
        documents = {(node.level, node.id): as_candidate(node) for node in document.subtree if node.level in under}
        if lists:
            _fill_lists(document.subtree, documents)
    for node in wanted:
        scope = dict(outer)
        for step in under:
            ident = node.id if step is level else node.parents.get(step)
            if ident is not None and (step, ident) in documents:
                scope[step] = documents[step, ident]
        yield node, scope


def below_of(document: Document, names: Mapping[str, Any]) -> Callable[[str], list[Mapping[str, Any]]]:
    """What `Context.below` wants: for a level, the names that hold at each of its nodes below the target."""

    def at(level: str) -> list[Mapping[str, Any]]:
        return [scope for _, scope in scopes(document, Level(level), names, lists=True)]

    return at


def as_candidate(node: Node) -> dict[str, Any]:
    """A node's document as selections give it."""
    made: dict[str, Any] = {**node.doc, "parents": dict(node.parents)}
    made.setdefault("id", node.id)
    if node.level is not Level.FILE:
        made.setdefault("label", node.label)
        return made
    made.setdefault("name", node.label)
    if not made.get("parent_ref"):
        holder = next((one for one in _HOLDERS if one in node.parents), None)
        if holder is not None:
            made["parent_ref"] = {"type": holder, "id": node.parents[holder]}
    return made


_HOLDERS = ("analysis", *(str(level) for level in reversed(CONTAINERS)))
"""What a file can hang on, nearest first."""


def _fill_lists(nodes: Sequence[Node], documents: Mapping[tuple[Level, str], dict[str, Any]]) -> None:
    """Give each container the lists of what is right below it, by creation, then id."""
    for (holder, _), made in documents.items():
        for key, level in LISTS.items():
            if holder in CONTAINERS and level in (Level.FILE, below(holder)[0]):
                made[key] = []
    names = {level: key for key, level in LISTS.items()}
    for node in sorted(nodes, key=_created):
        made = documents.get((node.level, node.id), {})
        if node.level is Level.FILE:
            reference = made.get("parent_ref")
            known = reference if isinstance(reference, Mapping) else {}
            parent: Any = (str(known.get("type")), str(known.get("id")))
        else:
            upper = above(node.level)[-1]
            parent = (upper, node.parents.get(upper))
        if made and parent in documents and node.level in names:
            documents[parent].setdefault(names[node.level], []).append(made)


def _created(node: Node) -> tuple[Any, ...]:
    created = node.created
    return (created if created is not None and created.tzinfo is not None else _LATEST, node.id)


def _rank(value: Any) -> tuple[Any, ...]:
    """Sorts numbers before texts before dates, and what has no order last."""
    if is_unknown(value) or value is None:
        return (9,)
    if isinstance(value, (bool, int, float)):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    if isinstance(value, datetime):
        return (2, value) if value.tzinfo is not None else (9,)
    return (9,)


def _note(kept: int, chosen: int, total: int, doubts: list[Unknown], level: Level) -> str:
    parts = [f"{kept} of {total} {level}{'' if total == 1 else 's'}"]
    if kept < chosen:
        parts.append(f"{chosen - kept} more left out by `max`")
    if doubts:
        reasons = list(dict.fromkeys(doubt.reason for doubt in doubts))
        others = len(reasons) - 1
        more = f" and {others} other reason{'s' if others > 1 else ''}" if others else ""
        parts.append(f"{len(doubts)} undecided, not taken ({reasons[0]}{more})")
    return "; ".join(parts)
