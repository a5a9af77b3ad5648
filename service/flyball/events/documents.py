"""Documents: the present state of targets, assembled from the mirror in a few queries a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from flyball.events.routing import sideways
from flyball.ledger.mirror import ancestor_keys, find, subtree
from flyball.model.levels import CONTAINERS, HIERARCHY, Level
from flyball.model.node import Document, Node, NodeKey, Presence, Target
from flyball.rules.rule import Rule
from flyball.rules.selection import LISTS

_PLURAL = {level: name for name, level in LISTS.items()}


def load_documents(connection: Connection, wanted: Iterable[tuple[Rule, NodeKey]]) -> list[Document | None]:
    """One document for each (rule, target), in order; None for a target that the mirror does not know."""
    pairs = list(wanted)
    nodes = find(connection, {key for _, key in pairs})
    ancestors = find(connection, {key for node in nodes.values() for key in ancestor_keys(node)})
    below = _subtrees(connection, pairs, nodes)
    return [_assemble(rule, nodes.get(key), ancestors, below) for rule, key in pairs]


def _subtrees(
    connection: Connection, pairs: Sequence[tuple[Rule, NodeKey]], nodes: Mapping[NodeKey, Node]
) -> dict[tuple[str, Level, str], list[Node]]:
    wanted: dict[tuple[str, Level], set[str]] = {}
    for rule, key in pairs:
        node = nodes.get(key)
        if node is None:
            continue
        if rule.below and key.level in CONTAINERS:
            wanted.setdefault((key.site, key.level), set()).add(key.id)
        across = sideways(rule)
        if across is not None and str(across) in node.parents:
            wanted.setdefault((key.site, across), set()).add(node.parents[str(across)])
    found: dict[tuple[str, Level, str], list[Node]] = {}
    for (site, level), ids in wanted.items():
        for ident, members in subtree(connection, site, level, sorted(ids)).items():
            found[(site, level, ident)] = members
    return found


def _assemble(
    rule: Rule,
    node: Node | None,
    known: Mapping[NodeKey, Node],
    below: Mapping[tuple[str, Level, str], list[Node]],
) -> Document | None:
    if node is None:
        return None
    ancestors = {key.level: known[key] for key in ancestor_keys(node) if key in known}
    missing = [key.level for key in ancestor_keys(node) if key not in known]
    hidden = [level for level, above in ancestors.items() if above.presence is Presence.HIDDEN]
    members = below.get((node.key.site, node.level, node.id), []) if rule.below else []
    hidden_below = [member for member in members if member.presence is Presence.HIDDEN]
    present = tuple(member for member in members if member.presence is Presence.PRESENT)
    names: dict[str, Any] = {str(level): above.doc for level, above in ancestors.items()}
    names[str(node.level)] = node.doc
    names["group"] = {"id": node.parents.get("group")}
    if rule.below:
        names[str(node.level)] = with_children(node, present)
    across = sideways(rule)
    if across is not None and across in ancestors:
        around = below.get((node.key.site, across, ancestors[across].id), [])
        names[str(across)] = with_children(
            ancestors[across], [one for one in around if one.presence is Presence.PRESENT]
        )
    reason = ""
    if missing:
        reason = f"its {missing[0]} was not read yet, or cannot be read with this key"
    elif hidden:
        reason = f"its {hidden[0]} cannot be read with this key"
    elif hidden_below:
        reason = f"{len(hidden_below)} of what lies below it cannot be read with this key"
    target = Target(node.key.site, node.level, node.id, path_of(node, ancestors))
    return Document(target, names, node, ancestors, present, complete=not reason, reason=reason)


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
        if isinstance(reference, Mapping) and reference.get("type") in set(map(str, CONTAINERS)):
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
