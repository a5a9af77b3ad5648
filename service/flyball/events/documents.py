"""Documents: the present state of targets, assembled from the mirror in a few queries a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from flyball.events.routing import sideways
from flyball.ledger.mirror import ancestor_keys, find, runs_on, subtree
from flyball.ledger.searching import load_hits
from flyball.ledger.summing import sum_below
from flyball.model.levels import CONTAINERS, HIERARCHY, Level
from flyball.model.node import Document, Node, NodeKey, Presence, Summary, Target
from flyball.model.search import Hits, Search
from flyball.rules.cells import cell_document
from flyball.rules.rule import Rule
from flyball.rules.selection import LISTS

_PLURAL = {level: name for name, level in LISTS.items()}


def load_documents(connection: Connection, wanted: Iterable[tuple[Rule, NodeKey]]) -> list[Document | None]:
    """One document for each (rule, target), in order; None for a target that the mirror does not know."""
    every = list(wanted)
    pairs = [(rule, key) for rule, key in every if key.level is not Level.MATRIX]
    if len(pairs) < len(every):  # a cell is in no mirror: its document is in the rule
        nodes_of = iter(_load(connection, pairs))
        return [cell_document(rule, key.id) if key.level is Level.MATRIX else next(nodes_of) for rule, key in every]
    return _load(connection, pairs)


def _load(connection: Connection, pairs: Sequence[tuple[Rule, NodeKey]]) -> list[Document | None]:
    across: dict[str, Level | None] = {}
    for rule, _ in pairs:
        if rule.id not in across:
            across[rule.id] = sideways(rule)
    nodes = find(connection, {key for _, key in pairs})
    lines = {key: ancestor_keys(node) for key, node in nodes.items()}
    known = find(connection, {above for line in lines.values() for above in line})
    below = _subtrees(connection, pairs, nodes, across)
    hits = _hits(connection, {rule.id: rule for rule, _ in pairs}.values())
    sums = {
        (rule.id, key): sum_below(connection, key, rule.rests_on)
        for rule, key in pairs
        if rule.rests_on and key in nodes
    }
    found = [
        None
        if key not in nodes
        else _assemble(rule, nodes[key], lines[key], known, below, across[rule.id], hits, sums.get((rule.id, key)))
        for rule, key in pairs
    ]
    return _with_runs(connection, pairs, found)


def _with_runs(
    connection: Connection, pairs: Sequence[tuple[Rule, NodeKey]], documents: Sequence[Document | None]
) -> list[Document | None]:
    """The documents with the runs of the gears that their rules ask about."""
    wanted: dict[tuple[str, Level], set[str]] = {}
    gears: set[str] = set()
    for rule, key in pairs:
        if rule.gears and key.level in CONTAINERS:
            wanted.setdefault((key.site, key.level), set()).add(key.id)
            gears |= rule.gears
    runs = {place: runs_on(connection, *place, sorted(ids), gears) for place, ids in wanted.items()}
    return [
        document
        if document is None or not rule.gears
        else replace(document, runs=tuple(runs.get((key.site, key.level), {}).get(key.id, ())))
        for (rule, key), document in zip(pairs, documents, strict=True)
    ]


def _hits(connection: Connection, rules: Iterable[Rule]) -> dict[str, dict[Search, Hits]]:
    """Site → what is on record of the searches of some rules."""
    wanted: dict[str, set[Search]] = {}
    for rule in rules:
        if rule.searches:
            wanted.setdefault(rule.site, set()).update(rule.searches)
    return {
        site: {search: asked.hits for search, asked in load_hits(connection, site, searches).items()}
        for site, searches in wanted.items()
    }


def _subtrees(
    connection: Connection,
    pairs: Sequence[tuple[Rule, NodeKey]],
    nodes: Mapping[NodeKey, Node],
    across: Mapping[str, Level | None],
) -> dict[NodeKey, list[Node]]:
    wanted: dict[tuple[str, Level], set[str]] = {}
    for rule, key in pairs:
        node = nodes.get(key)
        if node is None:
            continue
        if rule.below and not rule.summed and key.level in CONTAINERS:
            wanted.setdefault((key.site, key.level), set()).add(key.id)
        above = across[rule.id]
        if above is not None and str(above) in node.parents:
            wanted.setdefault((key.site, above), set()).add(node.parents[str(above)])
    found: dict[NodeKey, list[Node]] = {}
    for (site, level), ids in wanted.items():
        for ident, members in subtree(connection, site, level, sorted(ids)).items():
            found[NodeKey(site, level, ident)] = members
    return found


def _assemble(
    rule: Rule,
    node: Node,
    line: Sequence[NodeKey],
    known: Mapping[NodeKey, Node],
    below: Mapping[NodeKey, list[Node]],
    across: Level | None,
    hits: Mapping[str, Mapping[Search, Hits]],
    summary: Summary | None,
) -> Document:
    """The document of one node.

    Args:
        rule: for which it is.
        node: the target's.
        line: keys of its ancestors, from the top.
        known: the ancestors that the mirror has.
        below: what lies below containers, where it is needed.
        across: the ancestor whose children the rule reads.
        hits: site → those of the searches.
        summary: what lies below, for a rule that needs it only as a whole.
    """
    ancestors = {key.level: known[key] for key in line if key in known}
    members = below.get(node.key, []) if rule.below else []
    present = tuple(member for member in members if member.presence is Presence.PRESENT)
    names: dict[str, Any] = {str(level): above.doc for level, above in ancestors.items()}
    names[str(node.level)] = node.doc
    names["group"] = {"id": node.parents.get("group")}
    if rule.below and not rule.summed:
        names[str(node.level)] = with_children(node, present)
    if across is not None and across in ancestors:
        around = below.get(ancestors[across].key, [])
        names[str(across)] = with_children(
            ancestors[across], [one for one in around if one.presence is Presence.PRESENT]
        )
    hidden = sum(member.presence is Presence.HIDDEN for member in members) if summary is None else summary.hidden
    reason = _lacking(line, ancestors, hidden)
    target = Target(node.key.site, node.level, node.id, path_of(node, ancestors))
    found = hits.get(node.key.site, {}) if rule.searches else {}
    return Document(
        target, names, node, ancestors, present, complete=not reason, reason=reason, hits=found, summary=summary
    )


def _lacking(line: Sequence[NodeKey], ancestors: Mapping[Level, Node], hidden: int) -> str:
    """Why a document is not complete; empty when it is."""
    for key in line:
        if key.level not in ancestors:
            return f"its {key.level} was not read yet, or cannot be read with this key"
    for level, above in ancestors.items():
        if above.presence is Presence.HIDDEN:
            return f"its {level} cannot be read with this key"
    return f"{hidden} of what lies below it cannot be read with this key" if hidden else ""


def with_children(node: Node, members: Sequence[Node]) -> dict[str, Any]:
    """The node's JSON with `files`, `acquisitions`, `sessions`, … filled in down to the files, by creation, then id."""
    trees = {member.key: dict(member.doc) for member in members}
    top = dict(node.doc)
    trees[node.key] = top
    for level in HIERARCHY[HIERARCHY.index(node.level) :]:
        for key, tree in trees.items():
            if key.level is level and level is not Level.FILE:
                tree["files"] = []
                lower = HIERARCHY[HIERARCHY.index(level) + 1]
                if lower is not Level.FILE:
                    tree[_PLURAL[lower]] = []
    for member in sorted(members, key=lambda one: (one.created is None, one.created, one.id)):
        parent = _parent_key(member)
        if parent in trees:
            trees[parent].setdefault(_PLURAL[member.level], []).append(trees[member.key])
    return top


def _parent_key(node: Node) -> NodeKey | None:
    if node.level is Level.FILE:
        reference = node.doc.get("parent_ref")
        if isinstance(reference, Mapping) and str(reference.get("type")) in set(map(str, CONTAINERS)):
            return NodeKey(node.key.site, Level(reference["type"]), str(reference.get("id")))
        return None
    upper = HIERARCHY[HIERARCHY.index(node.level) - 1]
    ident = node.parents.get(str(upper))
    return None if ident is None else NodeKey(node.key.site, upper, ident)


def path_of(node: Node, ancestors: Mapping[Level, Node]) -> str:
    """`group/project/subject/session/acquisition/file`, of the labels; a job's or analysis' own label at the end."""
    top = node if node.level is Level.PROJECT else ancestors.get(Level.PROJECT)
    parts = [top.parents.get("group", "?")] if top is not None else []
    parts += [ancestors[level].label for level in CONTAINERS if level in ancestors]
    return "/".join([*parts, node.label])
