"""What the loaded rules need from a site: which streams to watch, which projects, which rows to read singly. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flyball.clients.flywheel.dialect import Dialect
from flyball.events.routing import sideways
from flyball.model.levels import CONTAINERS, HIERARCHY, Level
from flyball.rules.rule import Mode, Rule
from flyball.rules.scope import Globs

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ORDER = (*HIERARCHY, Level.ANALYSIS, Level.JOB)  # from the top: what is read later hangs on what was read before

_DROPPED: Mapping[Level, frozenset[str]] = {  # by lists of 2019 (live19)
    Level.SUBJECT: frozenset({"firstname", "lastname", "sex", "race", "ethnicity"}),
    Level.SESSION: frozenset({"age"}),
    Level.ACQUISITION: frozenset({"collections"}),
}
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Needs:
    """What to read of a site.

    Attributes:
        streams: levels to watch, from the top.
        rules: the site's rules.
        info, tags: levels whose info, whose tags some rule reads.
        fields: level → further fields that some rule reads and lists may leave out.
        jobs_since: jobs that were created before are nobody's business; None: nor is any that is there already.
        file_names: what the names of files must match to be some rule's business, by the rules' scopes; None: any file
            may be. Most files of a site are images that no rule asks for: they are read past and not kept.
    """

    streams: tuple[Level, ...]
    rules: tuple[Rule, ...]
    info: frozenset[Level] = frozenset()
    tags: frozenset[Level] = frozenset()
    fields: Mapping[Level, frozenset[str]] = field(default_factory=dict)
    jobs_since: datetime | None = None
    file_names: tuple[Globs, ...] | None = None

    def is_about(self, level: Level, name: object) -> bool:
        """Whether a node of that level and name may be some rule's business."""
        if level is not Level.FILE or self.file_names is None:
            return True
        return any(globs.match(str(name)) for globs in self.file_names)

    def project_in_scope(self, group: str, label: str) -> bool:
        """Whether some rule is about the project."""
        path = f"{group}/{label}"
        return any(
            (globs := rule.scope.levels.get(str(Level.PROJECT))) is None or globs.match(path) for rule in self.rules
        )

    def read_of(self, level: Level, dialect: Dialect) -> frozenset[str]:
        """What has to be known of each row of a level, as names that can be stored.

        `files` stands for the files that come with a container where the site has no list of files.
        """
        found = {f"field {name}" for name in self.fields.get(level, _NONE)}
        found |= {name for name, levels in (("info", self.info), ("tags", self.tags)) if level in levels}
        if level in CONTAINERS and Level.FILE in self.streams and dialect.files_endpoint is not True:
            found.add("files")
            found |= {f"file {name}" for name, levels in (("info", self.info),) if Level.FILE in levels}
        if level is Level.FILE:
            names = [("*",)] if self.file_names is None else [globs.written for globs in self.file_names]
            found |= {f"names {' '.join(written)}" for written in names}
        return frozenset(found)


def needs_of(rules: Iterable[Rule], site: str) -> Needs:
    """Work out the needs of one site's rules. Cells are not read, and for a rule whose file pauses it nothing is."""
    mine = tuple(
        rule for rule in rules if rule.site == site and rule.each is not Level.MATRIX and rule.mode is not Mode.PAUSED
    )
    watched: set[Level] = set()
    info: set[Level] = set()
    tags: set[Level] = set()
    fields: dict[Level, frozenset[str]] = {}
    for rule in mine:
        watched |= _watched(rule)
        for path in rule.reads:
            level = next((level for level in ORDER if path[0] == level), None)
            if level is None or level is Level.JOB:
                continue
            whole = len(path) == 1
            if whole or path[1] == "info":
                info.add(level)
            if whole or path[1] == "tags":
                tags.add(level)
            dropped = _DROPPED.get(level, _NONE)
            more = dropped if whole else dropped & frozenset(path[1:2])
            fields[level] = fields.get(level, _NONE) | more
    streams = tuple(level for level in ORDER if level in watched)
    fields = {level: names for level, names in fields.items() if names}
    return Needs(streams, mine, frozenset(info), frozenset(tags), fields, _jobs_since(mine), _file_names(mine))


def _watched(rule: Rule) -> set[Level]:
    deepest = max((HIERARCHY.index(level) for level in (rule.each, *rule.below) if level in HIERARCHY), default=-1)
    if rule.each not in HIERARCHY:
        deepest = max(deepest, HIERARCHY.index(Level.ACQUISITION))
    found = {*HIERARCHY[: deepest + 1], rule.each}
    if rule.trigger.jobs or rule.gears or any(spec.kind == "launch" for spec in rule.do):
        found.add(Level.JOB)
    deepest = max((HIERARCHY.index(level) for level in rule.rests_on if level in HIERARCHY), default=-1)
    found |= {*HIERARCHY[: deepest + 1], *rule.rests_on}
    return found - {Level.MATRIX}


def _file_names(rules: Iterable[Rule]) -> tuple[Globs, ...] | None:
    """The names that rules about single files ask for; None as soon as one rule looks at files otherwise."""
    found: dict[tuple[str, ...], Globs] = {}
    for rule in rules:
        if Level.FILE not in _watched(rule):
            continue
        globs = rule.scope.levels.get(str(Level.FILE))
        alone = rule.each is Level.FILE and not rule.peers and sideways(rule) is None
        if not alone or globs is None or not globs.include:
            return None
        found[globs.written] = globs
    return tuple(found[written] for written in sorted(found)) or None


def _jobs_since(rules: Iterable[Rule]) -> datetime | None:
    times = [
        EPOCH if rule.since.everything or Level.JOB in rule.rests_on else rule.since.date
        for rule in rules
        if rule.each is Level.JOB or rule.trigger.jobs or rule.gears or Level.JOB in rule.rests_on
    ]
    return min((time for time in times if time is not None), default=None)
