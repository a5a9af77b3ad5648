"""Routing: which rules must look at which targets because of one change. Pure; indexed, so that the cost grows with
the rules that can match and not with all rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flyball.ledger.looking import Look
from flyball.ledger.mirror import Change
from flyball.model.levels import CONTAINERS, HIERARCHY, Level, above, below
from flyball.model.node import Node, data_time
from flyball.rules.rule import Rule
from flyball.rules.scope import GEAR, Globs, glob_regex
from flyball.rules.selection import LISTS

# `since` is by the site's clock, a rule's first sight by ours: what is this close is left to the decision.
MARGIN = timedelta(days=1)


def sideways(rule: Rule) -> Level | None:
    """The topmost ancestor whose children the rule reads (`acquisition.files` on each file), or None."""
    for level in above(rule.each):
        if any(path[0] == level and len(path) > 1 and path[1] in LISTS for path in rule.reads):
            return level
    return None


def own_globs(rule: Rule) -> Globs | None:
    """What the label of the rule's own target must match; None: anything."""
    return rule.scope.levels.get(GEAR if rule.each is Level.JOB else str(rule.each))


def bound_of(rule: Rule, first_seen: Mapping[str, datetime]) -> datetime | None:
    """The time before which data is surely none of the rule's business; None: there is none."""
    if rule.since.everything:
        return None
    time = rule.since.date or first_seen.get(rule.id)
    return None if time is None else time - MARGIN


def no_looks(_change: Change) -> tuple[Look, ...]:
    """The route of whoever only looks (`plan`, `why`): all targets are asked, whatever changed."""
    return ()


class Router:
    """Routes changes for one set of rules of one site.

    Args:
        rules: the loaded rules.
        first_seen: rule → its first sight, which bounds `since: now`.
    """

    def __init__(self, rules: Iterable[Rule], first_seen: Mapping[str, datetime]) -> None:
        self._by_level: dict[Level, list[Rule]] = {level: [] for level in Level}
        self._since: dict[str, datetime | None] = {}
        self._sideways: dict[str, Level | None] = {}
        self._globs: dict[str, Globs | None] = {}
        self._of_project: dict[tuple[Level, str], list[Rule]] = {}
        self._own_label: dict[tuple[str, Level], Globs] = {}  # what alone decides whether a change of that level counts
        for rule in rules:
            if rule.trigger.changed:
                for level in self._levels(rule):
                    self._by_level[level].append(rule)
            if rule.trigger.jobs and rule not in self._by_level[Level.JOB]:
                self._by_level[Level.JOB].append(rule)
            if rule.trigger.analyses and rule not in self._by_level[Level.ANALYSIS]:
                self._by_level[Level.ANALYSIS].append(rule)
            self._since[rule.id] = bound_of(rule, first_seen)
            self._sideways[rule.id] = sideways(rule)
            self._globs[rule.id] = globs = own_globs(rule)
            if globs is not None and rule.each in HIERARCHY and self._sideways[rule.id] is None:
                self._own_label[rule.id, rule.each] = globs

    @staticmethod
    def _levels(rule: Rule) -> Sequence[Level]:
        if rule.each in HIERARCHY:
            return (*HIERARCHY, *sorted(rule.rests_on.difference(HIERARCHY)))
        return (*above(rule.each), rule.each)

    def route(self, change: Change) -> Iterator[Look]:
        """The looks that a change asks for."""
        node = change.node
        parts = _parts(change)
        labels = _labels(change)
        fitting: dict[tuple[str, ...], bool] = {}  # rules with the same scope are many
        for rule in self._about(node.level, change.project):
            globs = self._own_label.get((rule.id, node.level))
            if globs is not None:
                fits = fitting.get(globs.written)
                if fits is None:
                    fits = fitting[globs.written] = any(globs.match(label) for label in labels)
                if not fits:
                    continue
            if rule.site == node.key.site and (parts is None or _reads_any(rule, node.level, parts)):
                yield from self._looks(rule, change)

    def _about(self, level: Level, project: str | None) -> list[Rule]:
        """The rules that look at changes of a level in a project; `project` is None where it is not known."""
        rules = self._by_level[level]
        if project is None:
            return rules
        found = self._of_project.get((level, project))
        if found is None:
            found = self._of_project[level, project] = [rule for rule in rules if _is_about(rule, project)]
        return found

    def _looks(self, rule: Rule, change: Change) -> Iterator[Look]:
        node, level, each = change.node, change.node.level, rule.each
        site = node.key.site
        if level is Level.JOB and rule.trigger.jobs:
            yield from self._job_looks(rule, change)
            if each is not Level.JOB or not rule.trigger.changed:
                return
        if level is Level.ANALYSIS and rule.trigger.analyses:
            if _reached(change, rule.trigger.analyses):
                yield Look(rule.id, site, each, node.id, each)
            if not rule.trigger.changed:
                return
        if self._too_old(rule, change) and level not in above(each):
            return
        across = self._sideways[rule.id]
        around = _ids_at(change, across) if across is not None and level in below(across) else []
        fits, since = self._globs[rule.id], self._since[rule.id] if change.before is None else None
        for ident in around:
            yield Look(rule.id, site, across or each, ident, each, fits=fits, since=since)
        if level is each:
            if (rule.id, level) in self._own_label or self._may_fit(rule, change):
                yield Look(rule.id, site, each, node.id, each)
        elif (level in below(each) or level in rule.rests_on) and not around:
            for ident in _ids_at(change, each):
                yield Look(rule.id, site, each, ident, each, fits=fits)
        elif level in above(each) and not around and self._reads_difference(rule, change):
            yield Look(rule.id, site, level, node.id, each, fits=fits, since=since)

    def _job_looks(self, rule: Rule, change: Change) -> Iterator[Look]:
        """A job reached a state that the rule waits for."""
        node = change.node
        state = node.doc.get("state")
        if change.before is not None and change.before.doc.get("state") == state:
            return
        gear = _gear_name(node)
        if not any(state in trigger.states and _fits(gear, trigger.gears) for trigger in rule.trigger.jobs):
            return
        since, born = self._since[rule.id], node.modified or node.created
        if since is not None and born is not None and born < since:
            return
        where = _place(rule.each, node)
        if where is not None:
            yield Look(rule.id, node.key.site, *where, rule.each, fits=self._globs[rule.id])

    def _too_old(self, rule: Rule, change: Change) -> bool:
        """At first sight of old data, a rule about newer data need not look: no node of it can bring the target in."""
        since = self._since[rule.id]
        if since is None or change.before is not None:
            return False
        time = data_time(change.node)
        return time is not None and time < since

    def _may_fit(self, rule: Rule, change: Change) -> bool:
        """Whether the target's own label, now or before, is in scope."""
        globs = self._globs[rule.id]
        return globs is None or any(globs.match(label) for label in _labels(change))

    @staticmethod
    def _reads_difference(rule: Rule, change: Change) -> bool:
        """Whether something of an ancestor that the rule reads (or its label, place or presence) changed."""
        before, node = change.before, change.node
        if before is None or change.moved or before.presence != node.presence or before.label != node.label:
            return True
        level = str(node.level)
        return any(
            path[0] == level and (len(path) == 1 or _at(before.doc, path[1:]) != _at(node.doc, path[1:]))
            for path in rule.reads
        )


def _is_about(rule: Rule, project: str) -> bool:
    globs = rule.scope.levels.get(str(Level.PROJECT))
    return globs is None or globs.match(project)


def _reached(change: Change, statuses: frozenset[str]) -> bool:
    """Whether an analysis is in one of the statuses now, and was not before."""
    status = change.node.doc.get("status")
    return status in statuses and (change.before is None or change.before.doc.get("status") != status)


def _parts(change: Change) -> set[str] | None:
    """The fields that only a rule which reads them need look at; None: any rule must."""
    before = change.before
    if before is None or not (change.own or change.learned):
        return None
    return {name for name in ("tags", "notes", "info") if before.doc.get(name) != change.node.doc.get(name)}


def _reads_any(rule: Rule, level: Level, fields: Iterable[str]) -> bool:
    return any(rule.looks_at(level, name) for name in fields)


def _ids_at(change: Change, level: Level) -> list[str]:
    """The ancestor of that level, now and, after a move, before."""
    found = [change.node.parents.get(str(level))]
    if change.before is not None:
        found.append(change.before.parents.get(str(level)))
    return [ident for ident in dict.fromkeys(found) if ident]


def _place(each: Level, job: Node) -> tuple[Level, str] | None:
    """The target that a job belongs to, or the lowest container that it ran on and whose targets lie below it."""
    if each is Level.JOB:
        return each, job.id
    if ident := job.parents.get(str(each)):
        return each, ident
    return next(
        (
            (level, job.parents[str(level)])
            for level in reversed(CONTAINERS)
            if each in HIERARCHY and level in above(each) and job.parents.get(str(level))
        ),
        None,
    )


def _labels(change: Change) -> list[str]:
    """What scopes of the node's own level are matched with: its label, and the one that it had."""
    before = change.before
    now = _scope_label(change.node)
    return [now] if before is None else [now, _scope_label(before)]


def _scope_label(node: Node) -> str:
    """What scopes are matched with: projects have their group before them."""
    return f"{node.parents.get('group', '')}/{node.label}" if node.level is Level.PROJECT else node.label


def _at(doc: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(doc, Mapping) or key not in doc:
            return None
        doc = doc[key]
    return doc


def _gear_name(node: Node) -> str:
    gear = node.doc.get("gear_info")
    return str(gear.get("name") or "") if isinstance(gear, Mapping) else ""


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(glob_regex(pattern).fullmatch(name) for pattern in patterns)
