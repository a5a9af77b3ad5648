"""What a YAML file says, with the place of every key and value.

Plain dicts and lists that also know where their entries stand, so that anything which takes JSON takes them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from flyball.model.place import Place

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """Where a key or value begins, from 1.

    Attributes:
        inner: columns from there to the first character of the text (1 for a quote); -1 when the text is not
            written as it reads (folded over lines, escapes), so that columns inside it mean nothing.
    """

    line: int
    column: int
    inner: int = -1


class Map(dict[str, Any]):
    """A mapping whose keys are texts."""

    __slots__ = ("keys_at", "values_at")

    def __init__(self) -> None:
        super().__init__()
        self.keys_at: dict[str, Mark] = {}
        self.values_at: dict[str, Mark] = {}


class Seq(list[Any]):
    """A list."""

    __slots__ = ("items_at",)

    def __init__(self) -> None:
        super().__init__()
        self.items_at: list[Mark] = []


class Written:
    """A file's content with its name: `root` is None for a file that holds nothing but comments."""

    __slots__ = ("file", "root")

    def __init__(self, file: str, root: Any) -> None:
        self.file = file
        self.root = root

    def place(self, path: Path = (), *, key: bool = False, offset: int | None = None) -> Place:
        """Where the value at `path` stands, or its key; the nearest thing around it that is written.

        Parts of the path that the file does not have are passed over (pydantic names the members of unions there).

        Args:
            path: from the file's root.
            key: the key's place rather than its value's.
            offset: characters into the text, for a mistake inside of an expression; None: the value as a whole.
        """
        place, _ = self._walk(path, key=key, offset=offset)
        return place

    def present(self, path: Path) -> Path:
        """`path` without the parts that the file does not have."""
        _, there = self._walk(path, key=False, offset=None)
        return there

    def _walk(self, path: Path, *, key: bool, offset: int | None) -> tuple[Place, Path]:
        node, mark, key_mark = self.root, Mark(1, 1), Mark(1, 1)
        there: list[str | int] = []
        for part in path:
            if isinstance(node, Map) and isinstance(part, str) and part in node:
                mark, key_mark = node.values_at[part], node.keys_at[part]
                node = node[part]
            elif isinstance(node, Seq) and isinstance(part, int) and 0 <= part < len(node):
                mark = key_mark = node.items_at[part]
                node = node[part]
            else:
                continue
            there.append(part)
        if self.root is None:
            return Place(self.file), ()
        chosen = key_mark if key else mark
        column = chosen.column
        if not key and offset is not None and chosen.inner >= 0:
            column += chosen.inner + offset
        return Place(self.file, chosen.line, column), tuple(there)
