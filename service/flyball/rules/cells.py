"""Rules with a matrix: the document of a cell, and which rules an id means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from flyball.model.levels import Level
from flyball.model.node import Document, Node, NodeKey, Presence, Target
from flyball.rules.matrix import family_of, same_path
from flyball.rules.rule import Rule

NOWHERE: Final = "-"
"""The site of rules that need none; no configured site can have this name."""


def cell_document(rule: Rule, ident: str) -> Document:
    """The document of one cell of a rule on each cell of its matrix; of one that was taken out: it is gone."""
    cell = rule.cells.get(ident)
    target = Target(rule.site, Level.MATRIX, ident, ident if cell is None else cell.path)
    doc = {} if cell is None else {"id": ident, "label": cell.path, **cell.values}
    node = Node(target.key, target.path, {}, None, None, None, doc)
    if cell is None:
        return Document(target, {}, node.with_presence(Presence.GONE))
    return Document(target, cell.names, node)


def cell_keys(rule: Rule, named: str | None = None) -> list[NodeKey]:
    """The cells of a rule on each cell; with a name only those that have it as id or path."""
    return [
        NodeKey(rule.site, Level.MATRIX, ident)
        for ident, cell in rule.cells.items()
        if named is None or ident == named or same_path(named, cell.path)
    ]


def rules_named(rules: Iterable[Rule], ident: str) -> list[Rule]:
    """The rules that an id means: that rule, or all that a rule with a matrix became."""
    known = list(rules)
    return [rule for rule in known if rule.id == ident] or [rule for rule in known if rule.written_as == ident]


def names_for_people(rules: Iterable[Rule]) -> list[str]:
    """The ids as they stand in the files, each once."""
    return list(dict.fromkeys(rule.written_as for rule in rules))


def taken_out(rule: str, of: Mapping[str, Rule]) -> Rule | None:
    """What stands in for a rule that an edited matrix does not give any more: nothing is wanted of any target.

    Args:
        rule: the id of the rule that was taken out.
        of: family → one of the rules that its file gives now.
    """
    family = of.get(family_of(rule))
    if family is None or family.id == rule:
        return None
    return Rule(
        rule,
        f"{family.written_as}: not in its matrix any more",
        family.site,
        family.each,
        family.place,
        family.version,
        (),
        mode=family.mode,
        parent=family.written_as,
        retired=True,
    )
