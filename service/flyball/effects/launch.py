"""`launch`: what a rule asks for when it wants a gear run. Carrying it out is in `launching`.

Safe against doubles: the once-key goes along with the job, and after an unclear end the site is asked for it, twice,
before anything is sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from flyball.effects.common import MAX_LABEL, Entry, Params, an, container_json, lacking, may_reach, reads_of
from flyball.effects.launching import Launching
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.levels import Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, is_unknown
from flyball.rules.keys import once_key, suffix
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

_NUMBERED = re.compile(r"\{n(?::(\d+))?\}")
_ONE_OF_LIST = re.compile(r"\s*([A-Za-z_]\w*)\s*\[\s*(\d+)\s*\]\s*")


class LaunchParams(Params):
    """Parameters of `launch`."""

    gear: str = Field(min_length=1, description="`name` (its newest version) or `name@version`.")
    on: Literal["project", "subject", "session", "acquisition"] = Field(
        description="Level of the destination: the target's or one above."
    )
    inputs: dict[str, str] = Field(
        default_factory=dict,
        description="Slot → expression giving a file. A slot with `{n}` takes a list and counts on from 2 "
        "(`{n:1}`: from 1). A slot whose list is empty is left out.",
    )
    config: dict[str, Any] = Field(
        default_factory=dict, description="Config values; the manifest's defaults hold else."
    )
    secrets: dict[str, str] = Field(
        default_factory=dict, description="Config values from the environment: `env:NAME`, or `env:NAME?` if optional."
    )
    label: str | None = Field(default=None, description="Template of the analysis' label; the once-key is appended.")
    tags: list[str] = Field(default_factory=list, description="Further job tags.")
    once: Literal["inputs", "target"] = Field(
        default="inputs", description="`inputs`: once for each set of input files; `target`: once for the target."
    )
    depends: list[str] = Field(default_factory=list, description="Expressions whose values are part of the once-key.")
    unless_ran: bool = Field(default=True, description="An equal run by others counts as done.")
    relaunch_failed: int = Field(
        default=0, ge=0, le=100, description="How often the site is asked to run a failed job again, with its tags."
    )
    priority: Literal["low", "medium", "high", "critical"] | None = Field(default=None, description="Of the job.")


@dataclass(frozen=True, slots=True)
class LaunchEntry(Entry):
    """A compiled `launch` entry."""

    on: Level
    gear: str
    version: str | None
    inputs: tuple[tuple[str, Expression], ...]
    depends: tuple[Expression, ...]
    label: Template | None
    fixed: Mapping[str, Any] = field(default_factory=dict)  # config, secrets, tags, once and so on, as written

    @property
    def expressions(self) -> Iterable[Expression]:
        """`when` alone: inputs give files, not conditions."""
        return () if self.when is None else (self.when,)

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`, and which file goes into which slot."""
        yield from Entry.because(self, moment)
        if container_json(moment.document, self.on) is None:
            yield lacking(moment.document, self.on, f"launch {self.gear}")
            return
        chosen, trouble = self._choose(moment)
        names = {slot: reference.get("name") for slot, reference in chosen.items()}
        result = "unknown" if trouble else "true"
        yield Because(f"inputs of {self.gear}", result, names, trouble)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One launch."""
        document = moment.document
        slot = f"{self.index}.launch"
        container = container_json(document, self.on)
        if container is None:
            reason = lacking(document, self.on, f"launch {self.gear}").note
            yield Wish(self.kind, Verdict.UNKNOWN, {}, "", reason, slot, reason)
            return
        want = self.want(moment)
        inputs, trouble = self._choose(moment) if want is Verdict.YES else ({}, "")
        values = [expression.value(moment.context) for expression in self.depends]
        doubt = next((value for value in values if is_unknown(value)), None)
        if want is Verdict.YES and doubt is not None:
            trouble = trouble or f"depends: {doubt.reason}"
        if trouble:
            want = Verdict.UNKNOWN
        key = self._key(moment, container["id"], inputs, values)
        summary = f"launch {self.gear}  {container['path']}"
        params = {
            "container": container,
            "gear": self.gear,
            "version": self.version,
            "inputs": inputs,
            "label": self._label(moment, document.target.path, key) if want is Verdict.YES else "",
            **self.fixed,
        }
        yield Wish(self.kind, want, params, key, summary, slot, trouble)

    def _key(self, moment: Moment, destination: str, inputs: Mapping[str, Any], values: list[Any]) -> str:
        files = {}
        if self.fixed["once"] == "inputs":
            files = {slot: [reference["file_id"], reference["version"]] for slot, reference in inputs.items()}
        plain = [_plain(value) for value in values]
        parts = (moment.rule_id, destination, self.gear, self.version, files, plain, moment.generation)
        return once_key("launch", *parts)

    def _label(self, moment: Moment, path: str, key: str) -> str:
        text = self.gear if self.label is None else self.label.render(moment.context.names)
        end = suffix(key)
        return (text or f"{self.gear} {path}")[: MAX_LABEL - len(end)] + end

    def _choose(self, moment: Moment) -> tuple[dict[str, dict[str, Any]], str]:
        """Slot → file reference, and what is in the way (empty when nothing is)."""
        chosen: dict[str, dict[str, Any]] = {}
        for slot, expression in self.inputs:
            given, trouble = self._for_slot(slot, expression, moment)
            twice = next((name for name in given if name in chosen), None)
            if twice is not None:
                trouble = f"input {twice} is given twice"
            if trouble:
                return {}, trouble
            chosen |= given
        return chosen, ""

    @staticmethod
    def _for_slot(slot: str, expression: Expression, moment: Moment) -> tuple[dict[str, dict[str, Any]], str]:
        """The inputs that one entry of `inputs` gives, by slot; none for a list that is empty."""
        numbered = _NUMBERED.search(slot)
        if numbered is None:
            value = _one(expression, moment)
            if value is None:
                return {}, ""
            reference = file_reference(value)
            if reference is None:
                return {}, f"input {slot}: {expression.source} gives no file{_why(value)}"
            return {slot: reference}, ""
        values = expression.value(moment.context)
        if not isinstance(values, list):
            return {}, f"input {slot}: {expression.source} gives no list{_why(values)}"
        given = {}
        for number, value in enumerate(values, start=int(numbered.group(1) or 2)):
            reference = file_reference(value)
            if reference is None:
                return {}, f"input {slot}: entry {number} of {expression.source} is no file"
            given[_NUMBERED.sub(str(number), slot, count=1)] = reference
        return given, ""


def _why(value: Any) -> str:
    return f" ({value.reason})" if is_unknown(value) else ""


def _one(expression: Expression, moment: Moment) -> Any:
    """The value of an expression for one file; None when a list has no such entry (`t2[0]` of an empty `t2`)."""
    picked = _ONE_OF_LIST.fullmatch(expression.source)
    if picked is not None:
        values = moment.context.names.get(picked.group(1))
        if isinstance(values, list):
            position = int(picked.group(2))
            return values[position] if position < len(values) else None
    value = expression.value(moment.context)
    if isinstance(value, list):
        return value[0] if value else None
    return value


def file_reference(value: Any) -> dict[str, Any] | None:
    """What a launch needs to know of a file's JSON; None when it is no file.

    `type`, `id`, `name` are the reference that is sent (container and name), `file_id` and `version` say which file it
    is, `file_type` is checked against the manifest, `replaced` tells earlier runs on another version.
    """
    if not isinstance(value, Mapping):
        return None
    parent, name = value.get("parent_ref"), value.get("name")
    if not isinstance(parent, Mapping) or not isinstance(name, str):
        return None
    version = value.get("version")
    if version is None:  # sites without file versions (2019): the content's hash tells versions apart
        version = value.get("hash") or value.get("replaced") or value.get("created")
    return {
        "type": parent.get("type"),
        "id": parent.get("id"),
        "name": name,
        "file_id": value.get("id") or value.get("file_id"),
        "version": version,
        "file_type": value.get("type"),
        "replaced": value.get("replaced"),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict) or value is None else str(value)


class Launch(Launching):
    """The effect kind."""

    name = "launch"
    params = LaunchParams
    over = WhenOver.LEAVE

    def compile(self, params: LaunchParams, when: Expression | None, index: int, compiler: Compiler) -> LaunchEntry:
        """Check what can be checked without the site, and compile the expressions."""
        on = Level(params.on)
        if not may_reach(compiler.each, on):
            raise Fault(
                ("on",), f"a rule on each {compiler.each} cannot launch on {an(on)}: name a level at or above it"
            )
        if not params.inputs and params.once == "inputs" and not params.depends:
            raise Fault(("inputs",), "without file inputs nothing tells one launch from the next: add once: target")
        gear, _, version = params.gear.partition("@")
        for name, text in params.secrets.items():
            self._check_secret(name, text, compiler)
        inputs = tuple((slot, compiler.expression(text, ("inputs", slot))) for slot, text in params.inputs.items())
        depends = tuple(compiler.expression(text, ("depends", at)) for at, text in enumerate(params.depends))
        label = None if params.label is None else compiler.template(params.label, ("label",))
        fixed = params.model_dump(
            include={"config", "secrets", "tags", "once", "unless_ran", "relaunch_failed", "priority"}
        )
        reads = reads_of(when, label, *(expression for _, expression in inputs), *depends)
        return LaunchEntry(self.name, index, when, reads, on, gear, version or None, inputs, depends, label, fixed)

    @staticmethod
    def _check_secret(name: str, text: str, compiler: Compiler) -> None:
        if not text.startswith("env:"):
            raise Fault(("secrets", name), "a secret is never written here: use env:NAME, or env:NAME? if optional")
        variable = text.removeprefix("env:")
        if not variable.endswith("?") and variable not in compiler.environment:
            raise Fault(("secrets", name), f"the environment has no {variable}; set it, or write env:{variable}?")
