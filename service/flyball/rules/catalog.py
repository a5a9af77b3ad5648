"""What rule reading needs of the effect kinds: their parameters' model, and how an entry of `do` is compiled.

The kinds themselves live above (`flyball.effects`); the composition root hands their catalog in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from flyball.configfile.local import LocalFile
from flyball.model.levels import Level
from flyball.rules.expression import Expression
from flyball.rules.profiles import Profile
from flyball.rules.rule import EffectSpec, WhenOver
from flyball.rules.templates import Template

PathInFile = tuple[str | int, ...]


class Fault(Exception):  # noqa: N818 - it is reported, not raised to the top
    """Something wrong at one place inside an effect's parameters.

    Args:
        path: keys from the effect's parameters down to the value, e.g. `("set", "LOW_SNR")`.
        message: what is wrong and what would be right.
        offset: characters into the value's text, where the mistake is inside of an expression; None: the value itself.
    """

    def __init__(self, path: PathInFile, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset


def unknown_file(name: str, path: PathInFile) -> LocalFile:  # noqa: ARG001 - the signature of `Compiler.local`
    """What is known of a file where the config folder is not known: nothing."""
    return LocalFile(Path(name), "", 0)


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles the expressions and templates of one rule; knows which names the rule has.

    `expression` and `template` raise `Fault` with the given path when the text is wrong.
    """

    each: Level
    names: frozenset[str]
    expression: Callable[[str, PathInFile], Expression]
    template: Callable[[str, PathInFile], Template]
    template_of_row: Callable[[str, PathInFile], Template]  # the same, with a table's `row` among the names
    environment: Mapping[str, str]  # for `env:NAME` in parameters
    channels: frozenset[str] | None = None  # names of the configured channels; None: not known here
    notify: str | None = None  # the default alert channel
    fields_out: frozenset[str] | None = None  # what of documents may leave in messages; None: everything
    own: Mapping[str, frozenset[tuple[str, ...]]] = field(default_factory=dict)  # the rule's names → what they read
    warn: Callable[[str, PathInFile], None] = lambda _message, _path: None  # a remark on what can hardly be meant
    profile: Callable[[str, PathInFile], Profile] | None = None  # a profile of the folder by its name; raises `Fault`
    sites: Mapping[str, str] | None = None  # site name → flywheel or neuroscout; None: not known here
    site: str | None = None  # the rule's own site
    local: Callable[[str, PathInFile], LocalFile] = unknown_file  # a file of the config folder


class EffectKind(Protocol):
    """One kind of effect, as far as reading rules is concerned."""

    @property
    def name(self) -> str:
        """The key in `do`."""
        ...

    @property
    def params(self) -> type[BaseModel]:
        """The model of its parameters, without `when` (for checking and for the JSON Schema)."""
        ...

    @property
    def over(self) -> WhenOver:
        """What `when_over` is for this kind when the rule does not say."""
        ...

    def compile(self, params: Any, when: Expression | None, index: int, compiler: Compiler) -> EffectSpec:
        """Turn checked parameters (an instance of `params`) into the compiled entry.

        Args:
            params: instance of the model.
            when: the entry's own condition, compiled.
            index: position among the entries of its kind, from 0; part of the slots of its wishes.
            compiler: for the expressions inside the parameters.

        Raises:
            Fault: where a parameter makes no sense for this rule.
        """
        ...


Catalog = Mapping[str, EffectKind]

FLYWHEEL = frozenset(("flywheel",))


def sites_of(kind: EffectKind) -> frozenset[str]:
    """The kinds of site of which the effect needs one; empty: it needs none. A kind says so in `sites`."""
    found: frozenset[str] = getattr(kind, "sites", FLYWHEEL)
    return found
