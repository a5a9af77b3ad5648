"""The projects of a site that the rules are about, and which of them were listed far enough to be watched. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flyball.events.nodes import parents_of
from flyball.model.levels import Level
from flyball.triggers.needs import Needs


@dataclass(slots=True)
class Projects:
    """What is known of the projects.

    Attributes:
        known: id → (group, label), of those that the site shows to us.
        scoped: ids of those that some rule is about.
        admitted: level → ids of those of them whose nodes of that level were listed. Rows of the others are passed over
            until then, since a half-known session looks like one that lacks scans.
        shrunk: some project is not watched any more: what was listed of it grows old from now on.
    """

    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    scoped: set[str] = field(default_factory=set)
    admitted: dict[Level, set[str]] = field(default_factory=dict)
    shrunk: bool = False

    def learn(self, rows: Iterable[Mapping[str, Any]], needs: Needs) -> None:
        """Take in project rows."""
        for row in rows:
            if not isinstance(row.get("id"), str):
                continue
            group = row.get("group") or parents_of(Level.PROJECT, row).get("group")
            self.name(row["id"], str(group or ""), str(row.get("label") or ""))
        self.fit(needs)

    def name(self, ident: str, group: str, label: str) -> None:
        """A project is called so from now on."""
        self.known[ident] = (group, label)

    def place_of(self, ident: str | None) -> str | None:
        """A project as scopes write it, `group/label`; None: it is not known."""
        names = None if ident is None else self.known.get(ident)
        return None if names is None else "/".join(names)

    def fit(self, needs: Needs) -> None:
        """Work out again which projects the rules are about."""
        self._narrow({ident for ident, names in self.known.items() if needs.project_in_scope(*names)})

    def forget(self, idents: Collection[str]) -> None:
        """Projects that are gone, or hidden from this key."""
        for ident in idents:
            self.known.pop(ident, None)
        self._narrow(self.scoped - set(idents))

    def _narrow(self, scoped: set[str]) -> None:
        self.shrunk = self.shrunk or not self.scoped <= scoped
        self.scoped = scoped
        self.admitted = {level: idents & scoped for level, idents in self.admitted.items()}

    def admit(self, level: Level, idents: Collection[str]) -> None:
        """The nodes of a level were listed for these projects."""
        self.admitted[level] = set(idents) & self.scoped

    def watched(self, level: Level) -> set[str]:
        """The projects whose rows of a level are taken."""
        return self.admitted.get(level, set())

    def waiting(self, level: Level) -> set[str]:
        """Projects in scope whose nodes of a level were not listed yet."""
        return self.scoped - self.watched(level)
