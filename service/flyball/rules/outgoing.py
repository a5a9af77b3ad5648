"""What may leave in messages: only the fields of documents that the settings allow (`fields_out`). Pure.

The rule's own words, the values of its matrix among them, and what it expects (`missing`) are no fields of documents. A
value of the rule's own (`let`) may leave when everything that it reads may. What may not is written as a value that is
missing: `?`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from flyball.model.levels import Level
from flyball.model.node import Document
from flyball.rules.template_filters import below

Path = tuple[str, ...]
Paths = frozenset[Path]

_PERSONAL: Final = (Level.SUBJECT, Level.SESSION, Level.ACQUISITION)
_DOCUMENTS: Final = frozenset((*(str(level) for level in Level if level is not Level.MATRIX), "gear", "event", "row"))


class Outgoing:
    """Says what of a document may stand in a message.

    Args:
        allowed: paths such as `subject.label`; each stands for itself and what is below it. A name of the rule's own
            without a dot stands for its value. None: everything may.
        own: name of `let` or `select` → every path that its value comes from.
    """

    def __init__(self, allowed: Collection[str] | None, own: Mapping[str, Paths]) -> None:
        self._allowed = None if allowed is None else {tuple(one.split(".")) for one in allowed}
        self._own = own

    def permits(self, path: Path) -> bool:
        """Whether what is read at a path may leave."""
        return self._permits(path, ())

    def _permits(self, path: Path, trail: tuple[str, ...]) -> bool:
        if self._allowed is None or any(path[: len(one)] == one for one in self._allowed):
            return True
        root = path[0]
        if root in self._own:
            if root in trail:
                return False
            return all(self._permits(one, (*trail, root)) for one in self._own[root])
        if root == "unexpected":
            return self.permits(("acquisition", "label"))
        return root not in _DOCUMENTS

    def kept_back(self, reads: Iterable[Path]) -> list[Path]:
        """Those of some paths that may not leave."""
        return sorted(path for path in reads if not self.permits(path))

    def names(self, names: Mapping[str, Any], reads: Paths) -> Mapping[str, Any]:
        """The names that a template is filled in with: of documents, what it reads and may leave, and nothing else."""
        if self._allowed is None or not self.kept_back(reads):
            return names
        shown: dict[str, Any] = {}
        for path in sorted((one for one in reads if self.permits(one)), key=len):
            root = path[0]
            if root not in names:
                continue
            if len(path) == 1 or root not in _DOCUMENTS:
                shown[root] = names[root]
            else:
                _put(shown, path, names[root])
        return shown

    def path(self, document: Document) -> str:
        """The target's path; the label of a person, a visit or a scan that may not leave is written as its id."""
        path = document.target.path
        nodes = {**document.ancestors, document.target.level: document.node}
        hidden = [nodes[one] for one in _PERSONAL if one in nodes and not self.permits((str(one), "label"))]
        if not hidden:
            return path
        labels = {one.label: one.id for one in hidden}
        top = nodes.get(Level.PROJECT)
        start = "" if top is None else f"{top.parents.get('group', '')}/{top.label}"
        head, rest = (start, path[len(start) :]) if start and path.startswith(start) else ("", path)
        for label in sorted(labels, key=len, reverse=True):
            rest = f"{rest}/".replace(f"/{label}/", f"/{labels[label]}/").removesuffix("/")
        return head + rest


ALL: Final = Outgoing(None, {})


def _put(shown: dict[str, Any], path: Path, value: Any) -> None:
    """Put the value at a path of a document into a document that holds nothing else."""
    place = shown.setdefault(path[0], {})
    for key in path[1:]:
        value = below(value, key)
        if value is None:
            return
        if key == path[-1] and len(path) == path.index(key) + 1:
            break
        if not isinstance(place.setdefault(key, {}), dict):
            return
        place = place[key]
    if isinstance(place, dict):
        place[path[-1]] = value
