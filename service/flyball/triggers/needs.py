"""What the loaded rules need from a site: which streams to watch, which projects, which rows to read singly. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flyball.clients.flywheel.dialect import Dialect
from flyball.model.levels import CONTAINERS, HIERARCHY, Level
from flyball.rules.rule import Rule

# What every list row of every known site carries (live19); anything else may be dropped by an older site's lists.
_LISTED = frozenset(
    [
        "id",
        "label",
        "name",
        "code",
        "created",
        "modified",
        "timestamp",
        "timezone",
        "parents",
        "type",
        "mimetype",
        "modality",
        "classification",
        "size",
        "version",
        "hash",
        "replaced",
        "tags",
        "uid",
        "revision",
        "group",
        "project",
        "subject",
        "session",
        "files",
        "acquisitions",
        "sessions",
        "parent_ref",
        "state",
        "gear_info",
        "destination",
        "notes",
    ]
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What to read of a site.

    Attributes:
        streams: levels to watch, from the top.
        rules: the site's rules.
        slim: levels where the lists' fields are not enough, on a site whose lists leave things out.
        tags: levels whose tags some rule reads.
    """

    streams: tuple[Level, ...]
    rules: tuple[Rule, ...]
    slim: frozenset[Level]
    tags: frozenset[Level]

    def project_in_scope(self, group: str, label: str) -> bool:
        """Whether some rule is about the project."""
        path = f"{group}/{label}"
        return any(
            (globs := rule.scope.levels.get(str(Level.PROJECT))) is None or globs.match(path) for rule in self.rules
        )

    @property
    def all_projects(self) -> bool:
        """Whether some rule is about every project."""
        return any(str(Level.PROJECT) not in rule.scope.levels for rule in self.rules)

    def read_singly(self, level: Level, dialect: Dialect) -> bool:
        """Whether a changed row of this level must be read by itself on this site."""
        if level is Level.JOB:
            return False
        info = dialect.info_in_files if level is Level.FILE and dialect.files_endpoint else dialect.info_in_lists
        if info is not True and level in self.slim:
            return True
        return level in self.tags and level is not Level.FILE and not dialect.lists_tags(str(level))


def needs_of(rules: Iterable[Rule], site: str) -> Needs:
    """Work out the needs of one site's rules."""
    mine = tuple(rule for rule in rules if rule.site == site)
    watched: set[Level] = set()
    slim: set[Level] = set()
    tags: set[Level] = set()
    for rule in mine:
        depth = HIERARCHY.index(rule.each) if rule.each in HIERARCHY else HIERARCHY.index(Level.ACQUISITION)
        watched |= set(HIERARCHY[: depth + 1]) | {rule.each} | rule.below
        if rule.trigger.jobs or any(spec.kind == "launch" for spec in rule.do):
            watched.add(Level.JOB)
        for path in rule.reads:
            for level in HIERARCHY:
                if path[0] == level and (len(path) == 1 or path[1] not in _LISTED):
                    slim.add(level)
                if path[0] == level and (len(path) == 1 or path[1] == "tags"):
                    tags.add(level)
        if Level.FILE in rule.below or rule.each is Level.FILE:
            slim.add(Level.FILE)  # lists of a slim site show files without their info and selections may read it
    if Level.FILE in slim:
        slim |= set(CONTAINERS) & watched  # there, files come with their containers
    watched.discard(Level.MATRIX)
    order = (*HIERARCHY, Level.ANALYSIS, Level.JOB)
    return Needs(tuple(level for level in order if level in watched), mine, frozenset(slim), frozenset(tags))
