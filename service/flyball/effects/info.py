"""`info`: keeps keys of a container's or file's `info` equal to expressions; other keys are never touched.

Present state decides: nothing is asked for while the keys have their values. Safe against doubles, since the same
values twice are the same state. The site replaces top-level keys whole (live19), so for `qc.worst` the present `qc` is
read, changed and written back; changes of one container's `info` are carried out one after another. Once a value was
written and somebody wrote another one over it, it is written again once, not for ever: two who disagree come to rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from flyball.effects.common import ContainerLevel, Entry, Params, an, container_json, lacking, may_reach, reads_of
from flyball.effects.port import Hands
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Permanent
from flyball.model.levels import Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, is_unknown
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver

_MISSING = object()
_FORBIDDEN = frozenset("$\0")  # the site turns `$` into `-` (live19)
Values = Mapping[str, Any]


class InfoParams(Params):
    """Parameters of `info`."""

    on: ContainerLevel = Field(description="Level of what gets the values: the target's or one above.")
    set: Annotated[dict[str, str | bool | int | float], Field(min_length=1)] = Field(
        description="Key → expression. `qc.worst` is the key `worst` of the object `qc`. What is unknown leaves "
        "its key as it is."
    )


@dataclass(frozen=True, slots=True)
class InfoEntry(Entry):
    """A compiled `info` entry."""

    on: Level
    values: tuple[tuple[str, Expression], ...]

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`, and each value."""
        yield from Entry.because(self, moment)
        if container_json(moment.document, self.on) is None:
            yield lacking(moment.document, self.on, "write info on it")
            return
        for key, expression in self.values:
            value = expression.value(moment.context)
            unknown = is_unknown(value)
            note = f"unknown: {value.reason}" if unknown else ""
            yield Because(f"info {key} = {expression.source}", "unknown" if unknown else plain(value), {}, note)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """The keys that are not as they should be; none while all are."""
        document = moment.document
        container = container_json(document, self.on)
        slot = f"{self.index}.info"
        if container is None:
            reason = lacking(document, self.on, "write info on it").note
            yield Wish("info", Verdict.UNKNOWN, {}, "", reason, slot, reason)
            return
        want = self.want(moment)
        wanted: dict[str, Any] = {}
        if want is Verdict.YES:
            found = {key: expression.value(moment.context) for key, expression in self.values}
            wanted = {key: plain(value) for key, value in found.items() if not is_unknown(value)}
        present = self._present(moment)
        differing = {key: value for key, value in wanted.items() if _is(present.get(key, _MISSING), value) is False}
        if want is Verdict.YES and not differing:
            reason = "the keys have their values" if wanted else "no value is known"
            yield Wish("info", Verdict.UNKNOWN, {}, "", reason, slot, reason)
            return
        parts = (moment.rule_id, document.target.id, container["level"], container["id"])
        key = once_key("info", *parts, differing, {name: present.get(name) for name in differing}, moment.generation)
        names = ", ".join(f"{name} = {_short(value)}" for name, value in differing.items())
        lane = f"info/{container['level']}/{container['id']}"
        params = {"container": container, "set": differing, "lane": lane}
        yield Wish("info", want, params, key, f"info {names}  {container['path']}", slot)

    def _present(self, moment: Moment) -> dict[str, Any]:
        """Key → its value on the container, as far as that is known."""
        document = moment.document
        node = document.node if document.target.level is self.on else document.ancestors.get(self.on)
        if node is None or not node.info_known:
            return {}
        info = node.doc.get("info")
        info = info if isinstance(info, Mapping) else {}
        found = {key: _dig(info, key.split(".")) for key, _ in self.values}
        return {key: value for key, value in found.items() if value is not _MISSING}


class Info:
    """The effect kind."""

    name = "info"
    params = InfoParams
    over = WhenOver.LEAVE

    def compile(self, params: InfoParams, when: Expression | None, index: int, compiler: Compiler) -> InfoEntry:
        """Check the keys and compile their values."""
        on = Level(params.on)
        if not may_reach(compiler.each, on):
            raise Fault(
                ("on",), f"a rule on each {compiler.each} cannot write on {an(on)}: name a level at or above it"
            )
        values: list[tuple[str, Expression]] = []
        for key, text in params.set.items():
            parts = key.split(".")
            if not all(parts) or _FORBIDDEN & set(key) or parts[0] == "flyball":
                raise Fault(("set", key), f"{key!r} is no key of info: names joined by points, without `$`")
            if any(other != key and f"{other}.".startswith(f"{key}.") for other in params.set):
                raise Fault(("set", key), f"`{key}` is set whole and in parts; leave one out")
            source = str(text).lower() if isinstance(text, bool) else str(text)
            values.append((key, compiler.expression(source, ("set", key))))
        own = {(str(on), "info", key.split(".")[0]) for key, _ in values}
        reads = reads_of(when, *(expression for _, expression in values)) | own
        return InfoEntry(self.name, index, when, reads, on, tuple(values))

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Write what differs now. `detail["set"]`: the top-level keys as written."""
        container = effect.params["container"]
        level, ident = container["level"], container["id"]
        present = await hands.site.info(level, ident, fresh=bool(effect.unclear))
        changed = merged(present, effect.params["set"])
        if not changed:
            return Report(Outcome.DONE if effect.unclear else Outcome.ALREADY)
        if not effect.params.get("wanted", True):
            return Report(Outcome.SUPERSEDED, error="no longer wanted")
        await hands.site.set_info(level, ident, changed)
        return Report(Outcome.DONE, {"set": changed})


def merged(present: Values, wanted: Values) -> dict[str, Any]:
    """The top-level keys that must be written so that `wanted` holds, each whole; empty: it holds.

    Raises:
        Permanent: a key stands below something that is no object.
    """
    changed: dict[str, Any] = {}
    for key, value in wanted.items():
        first, *path = key.split(".")
        if _is(_dig(present, [first, *path]), value):
            continue
        before = changed.get(first, present.get(first, _MISSING))
        changed[first] = _with(before, path, value, key)
    return changed


def plain(value: Any) -> Any:
    """A value as JSON: dates as ISO text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _with(before: Any, path: list[str], value: Any, key: str) -> Any:
    if not path:
        return value
    if before is _MISSING or before is None:
        before = {}
    if not isinstance(before, Mapping):
        raise Permanent(f"info has {type(before).__name__} where `{key}` needs an object; nothing was written")
    return {**before, path[0]: _with(before.get(path[0], _MISSING), path[1:], value, key)}


def _dig(info: Any, path: Iterable[str]) -> Any:
    for part in path:
        if not isinstance(info, Mapping) or part not in info:
            return _MISSING
        info = info[part]
    return info


def _is(present: Any, wanted: Any) -> bool:
    """Whether a value is there already. True and 1 are not the same, 1 and 1.0 are."""
    if isinstance(present, bool) is not isinstance(wanted, bool):
        return False
    return present is not _MISSING and bool(present == wanted)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
