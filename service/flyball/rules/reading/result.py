"""What reading the rules gives: the rules that run, and what was refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flyball.model.place import Place, Problem
from flyball.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that was refused, and why.

    Attributes:
        kind: `rule`, `profile` (rules that use it are refused as well), or `file` (none of its rules could be read).
        id: the rule's id or the profile's name, None where it has none that can be read. Of a `file`, and of a `rule`
            without an id, the loader cannot say which rules it had before: those of this file that are not listed
            any more keep their last good version.
        problems: at least one, in the order of the file.
    """

    kind: Literal["rule", "profile", "file"]
    id: str | None
    problems: tuple[Problem, ...]

    @property
    def place(self) -> Place:
        """Where the first problem stands."""
        return self.problems[0].place

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.place.file

    @property
    def line(self) -> int:
        """Line of the first problem, from 1; 0: the file as a whole."""
        return self.place.line

    @property
    def column(self) -> int:
        """Column of the first problem, from 1."""
        return self.place.column

    @property
    def message(self) -> str:
        """The first problem: what is wrong and what would be right."""
        return self.problems[0].message

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One entry of a rule's `tests`, as written.

    Attributes:
        given: map of level to document, or the name of a file of that shape, relative to the config folder.
        expect: `{decision, effects}`.
    """

    rule: str
    place: Place
    given: Mapping[str, Any] | str
    expect: Mapping[str, Any]
    name: str = ""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of a folder.

    Attributes:
        rules: those that run, in the order of the files' names and of their text.
        rejected: what was refused.
        functions: of the expressions' environment (`qc`, with the profiles of the folder).
        tests: of the rules that run.
        warnings: what is accepted and can hardly be meant.
        files: the files that were read.
    """

    rules: tuple[Rule, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    tests: tuple[RuleTest, ...] = ()
    warnings: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()
