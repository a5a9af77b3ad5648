"""`do`: the effects of one rule, checked against their kinds and compiled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from flyball.configfile.local import LocalFile
from flyball.configfile.problems import problems_of
from flyball.configfile.suggest import instead
from flyball.configfile.tree import Map, Path, Seq, Written
from flyball.model.errors import ConfigError
from flyball.model.levels import Level
from flyball.model.place import Problem
from flyball.rules.catalog import Compiler, EffectKind, Fault, PathInFile, unknown_file
from flyball.rules.expression import Expression
from flyball.rules.reading.compiling import Texts
from flyball.rules.reading.fields import expression_text
from flyball.rules.reading.static import Paths
from flyball.rules.reading.surroundings import Surroundings
from flyball.rules.rule import EffectSpec

KNOWN_KINDS = frozenset(
    (
        *("tag", "info", "note", "alert", "launch", "collection", "view", "report", "download", "upload"),
        *("containers", "neuroscout.analysis", "neuroscout.predictors", "post"),
    )
)
"""The kinds of the language; a version may have fewer, and installed packages may bring more."""

WHEN = "when"


class Doing:
    """Reads the entries of `do`.

    Attributes:
        meaning: the entries as JSON, written out in full, for the rule's version.
        uses_notify: whether some alert names no channel.
    """

    def __init__(self, written: Written, base: Path, texts: Texts, surroundings: Surroundings) -> None:
        self._written = written
        self._base = base
        self._texts = texts
        self._around = surroundings
        self._entries: list[tuple[int, EffectKind, BaseModel, Any]] = []
        self.meaning: list[Any] = []
        self.uses_notify = False

    @property
    def kinds(self) -> list[EffectKind]:
        """The kinds of the entries that are fit to be compiled."""
        return [kind for _, kind, _, _ in self._entries]

    def check(self, entries: Any) -> None:
        """Check kinds and parameters of the entries as written; what is no list is left to the rule's model."""
        for index, entry in enumerate(entries if isinstance(entries, Seq) else ()):
            if isinstance(entry, Map):
                self._check(index, entry)

    def compile(
        self,
        each: Level,
        names: frozenset[str],
        notify: str | None,
        site: str | None = None,
        own: Mapping[str, Paths] | None = None,
    ) -> tuple[EffectSpec, ...]:
        """The compiled entries; what is wrong is among the problems of the texts.

        `own`: name of `let` or `select` → what its value comes from.
        """
        done: list[EffectSpec] = []
        before: Counter[str] = Counter()
        for index, kind, params, when_text in self._entries:
            path = (*self._base, index, kind.name)
            when: Expression | None = None
            if when_text is not None:
                when = self._texts.expression(when_text, names, (*path, WHEN))
            try:
                # Counted among its kind: entries of other kinds may come and go without it becoming another one.
                compiler = self._compiler(each, names, notify, path, site, own or {})
                spec = kind.compile(params, when, before[kind.name], compiler)
            except Fault as fault:
                place = self._written.place((*path, *fault.path), offset=fault.offset)
                named = next((f"`{part}`: " for part in reversed(fault.path) if isinstance(part, str)), "")
                self._texts.problems.append(Problem(place, f"{named}{fault}"))
                continue
            before[kind.name] += 1
            self._texts.reads |= spec.reads
            local = getattr(spec, "local", None)
            if local:  # a file with other content makes another rule
                self.meaning.append({"files": dict(local)})
            done.append(spec)
        return tuple(done)

    def _check(self, index: int, entry: Map) -> None:
        path = (*self._base, index)
        kinds = [key for key in entry if key != WHEN] or list(entry)
        name = kinds[0] if kinds else ""
        if len(kinds) != 1:
            self._wrong(path, "an entry of `do` is one effect: its kind, and below it its parameters; write one each")
            return
        if WHEN in entry and name != WHEN:
            self._wrong((*path, WHEN), f"`when` stands below `{name}`, beside its other parameters", key=True)
            return
        kind = self._around.catalog.get(name)
        if kind is None:
            known = sorted(self._around.catalog)
            message = f"unknown effect kind `{name}`; {instead(name, {*known, *KNOWN_KINDS})}"
            if name in KNOWN_KINDS:
                message = f"effect kind '{name}' is not available in this version; available: {', '.join(known)}"
            self._wrong((*path, name), message, key=True)
            return
        given = entry[name] if entry[name] is not None else {}
        if not isinstance(given, Mapping):
            self._wrong((*path, name), f"`{name}` takes parameters: a mapping, such as {{on: session}}")
            return
        try:
            params = kind.params.model_validate({key: value for key, value in given.items() if key != WHEN})
        except ValidationError as error:
            self._texts.problems += problems_of(error, self._written, kind.params, (*path, name), also=(WHEN,))
            return
        if "channel" in kind.params.model_fields:
            self.uses_notify = self.uses_notify or getattr(params, "channel", None) is None
        when = expression_text(given[WHEN]) if given.get(WHEN) is not None else None
        if when is not None and not isinstance(when, str):
            self._wrong((*path, name, WHEN), "`when` is an expression, written as text")
            return
        self._entries.append((index, kind, params, when))
        meaning = params.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        self.meaning.append({name: {**meaning, **({WHEN: when} if when is not None else {})}})

    def _compiler(
        self,
        each: Level,
        names: frozenset[str],
        notify: str | None,
        path: Path,
        site: str | None,
        own: Mapping[str, Paths],
    ) -> Compiler:
        return Compiler(
            each=each,
            names=names,
            expression=lambda text, below: self._texts.parameter(text, names, path, below),
            template=lambda text, below: self._texts.template(text, names, below),
            template_of_row=lambda text, below: self._texts.template(text, names | {"row"}, below),
            environment=self._around.environment,
            channels=None if self._around.channels is None else frozenset(self._around.channels),
            notify=notify,
            fields_out=self._around.fields_out,
            own=own,
            warn=lambda message, below: self._remark(message, (*path, *below)),
            profile=self._texts.profile,
            sites=self._around.site_kinds,
            site=site,
            local=self._local,
        )

    def _remark(self, message: str, path: Path) -> None:
        self.meaning.append({"remark": message})  # so that what depends on the settings is decided anew with them
        self._texts.warnings.append(Problem(self._written.place(path), message))

    def _local(self, name: str, path: PathInFile) -> LocalFile:
        if self._around.files is None:
            return unknown_file(name, path)
        try:
            return self._around.files.find(name)
        except ConfigError as error:
            raise Fault(path, str(error)) from None

    def _wrong(self, path: Path, message: str, *, key: bool = False) -> None:
        self._texts.problems.append(Problem(self._written.place(path, key=key), message))
