"""What a rule needs of the world, told from its text alone: the paths it reads, the levels below its target. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from flyball.model.levels import Level, below
from flyball.rules.expression import Expression
from flyball.rules.rule import EffectSpec, Expected, JobTrigger, Selection, Since, Triggers
from flyball.rules.selection import LISTS

Paths = frozenset[tuple[str, ...]]

_ATTRIBUTE = re.compile(r"\.\s*([A-Za-z_]\w*)|(?<=[\w)\]])\[\s*['\"]([^'\"]+)['\"]\s*\]")


def reads_of(
    paths: Iterable[tuple[str, ...]], texts: Iterable[str], select: Iterable[Selection], names: frozenset[str]
) -> Paths:
    """Every path that a rule reads, as far as text tells.

    What is read of an element of a list (`t1[0].info`, `f.tags for f in qa`) cannot be followed, so each attribute that
    some text of the rule mentions counts as read of every level that it has lists of. That is too much now and then,
    and never too little.

    Args:
        paths: what the expressions and templates say they read.
        texts: their texts.
        select: the rule's selections.
        names: names of the site's own things; paths that begin with others are left out.
    """
    found = {path for path in paths if path[0] in names}
    listed = {str(selection.of) for selection in select}
    mentioned = mentions(texts)
    if any(len(path) > 1 and path[1] in LISTS for path in found):
        listed |= {str(level) for key, level in LISTS.items() if key in mentioned}
    found |= {(level, attribute) for level in listed for attribute in mentioned if attribute not in LISTS}
    return frozenset(found)


def levels_below(
    each: Level,
    *,
    settle: timedelta,
    since: Since,
    select: Iterable[Selection],
    expect: Iterable[Expected] | None,
    expressions: Iterable[Expression],
    reads: Paths,
    texts: Iterable[str],
) -> frozenset[Level]:
    """The levels below the target that a rule looks at.

    `settle` and `since` go by everything below. A list of a level needs the levels on the way.
    """
    under = below(each)
    if settle or not since.everything:
        return frozenset(under)
    wanted = {selection.of for selection in select}
    if expect is not None:
        wanted.add(Level.ACQUISITION)
    for expression in expressions:
        wanted |= {Level(level) for level in expression.levels}
    if any(path[0] == each and len(path) > 1 and path[1] in LISTS for path in reads):
        wanted |= {level for key, level in LISTS.items() if key in mentions(texts)}
        wanted |= {LISTS[path[1]] for path in reads if path[0] == each and len(path) > 1 and path[1] in LISTS}
    deepest = max((under.index(level) for level in wanted if level in under), default=-1)
    return frozenset(under[: deepest + 1])


def rests_on_of(do: Iterable[EffectSpec]) -> frozenset[Level]:
    """The levels that a rule's effects go by as a whole; few kinds of effects have such (`rests_on`)."""
    return frozenset(level for spec in do for level in getattr(spec, "rests_on", ()))


def mentions(texts: Iterable[str]) -> set[str]:
    """The attributes and literal keys in some texts."""
    return {first or second for text in texts for first, second in _ATTRIBUTE.findall(text)}


def own_needs(expressions: Iterable[Expression], own: Mapping[str, object]) -> frozenset[str]:
    """Which of the rule's own names some expressions read."""
    return frozenset(
        path[0] for expression in expressions for path in expression.reads | expression.reads_below if path[0] in own
    )


def sources_of(let: Iterable[tuple[str, Expression]], select: Iterable[Selection]) -> dict[str, Paths]:
    """The rule's own names, and every path that their values come from; of a selection, whole documents of a level."""
    found = {name: expression.reads | expression.reads_below for name, expression in let}
    return found | {one.name: frozenset({(str(one.of),)}) for one in select}


def with_runs(triggers: Triggers, do: tuple[EffectSpec, ...]) -> Triggers:
    """The triggers, and the end of each run that an effect stands on."""
    gears = tuple(sorted({name for spec in do for name in getattr(spec, "runs", ())}))
    if not gears or not triggers.changed:
        return triggers
    return replace(triggers, jobs=(*triggers.jobs, JobTrigger(frozenset({"complete"}), gears)))
