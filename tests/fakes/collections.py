"""Collections in memory (`effects.lending.Collections`), which fail on demand."""

from __future__ import annotations

from collections.abc import Sequence

from fakes.faults import Faults


class FakeCollections:
    """Collections.

    Attributes:
        faults: what goes wrong next; methods are called as in the protocol.
        labels: id → label, in the order of their making.
        inside: id → acquisitions in it.
        requests: every call, by name.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.labels: dict[str, str] = {}
        self.inside: dict[str, set[str]] = {}
        self.requests: list[str] = []

    def made_by_people(self, label: str, *members: str) -> str:
        """A collection that is there already."""
        ident = f"c{len(self.labels) + 1}"
        self.labels[ident] = label
        self.inside[ident] = set(members)
        return ident

    async def find(self, label: str, *, fresh: bool = False) -> list[str]:
        self.requests.append("find")
        found: list[str] = self.faults.through(
            "find", lambda: [ident for ident, one in self.labels.items() if one == label]
        )
        return found

    async def create(self, label: str) -> str:
        self.requests.append("create")
        made: str = self.faults.through("create", lambda: self.made_by_people(label))
        return made

    async def members(self, ident: str) -> list[str]:
        self.requests.append("members")
        found: list[str] = self.faults.through("members", lambda: sorted(self.inside[ident]))
        return found

    async def change(self, ident: str, operation: str, acquisitions: Sequence[str]) -> None:
        self.requests.append(operation)

        def commit() -> None:
            change = self.inside[ident].update if operation == "add" else self.inside[ident].difference_update
            change(acquisitions)

        self.faults.through("change", commit)
