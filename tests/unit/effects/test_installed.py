"""Kinds of installed packages: which are taken, which are refused alone, and how their mistakes end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from fakes.bench import SITE
from flyball.effects import plugin
from flyball.effects.catalog import KINDS
from flyball.effects.guarded import Guarded, GuardedEntry
from flyball.effects.installed import Broken, Installed, load
from flyball.effects.plugin import GROUP, Entry, Hands, Moment, Params, Report, Verdict, WhenOver, Wish, once_key
from flyball.model.decision import Because
from flyball.model.effect import Blame, Effect, Outcome
from flyball.model.errors import Permanent
from flyball.rules.reading import Surroundings, read_texts
from flyball.rules.schema import rule_file_schema

RULE = """
rules:
  - {id: r, each: session, since: all, do: [{KIND: {text: x}}]}
  - {id: ok, each: session, do: [{tag: {on: session, set: {A: 'true'}}}]}
"""


class GoodParams(Params):
    """Parameters of the kind that is fine."""

    text: str

    @field_validator("text")
    @classmethod
    def _known(cls, text: str) -> str:
        return {"x": "x", "bad": "bad"}[text]


class Good:
    """A kind that is fine; the tests spoil copies of it."""

    name = "good"
    params: Any = GoodParams
    over: Any = WhenOver.LEAVE

    def compile(self, params: Any, when: Any, index: int, compiler: Any) -> Any:
        """An entry that wishes one thing."""
        return GoodEntry(self.name, index, when, frozenset())

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Done."""
        return Report(Outcome.DONE)


class GoodEntry(Entry):
    """Its entry."""

    def wishes(self, moment: Moment) -> list[Wish]:
        """One thing."""
        key = once_key("good", moment.document.target.id)
        return [Wish(self.kind, Verdict.YES, {"a": 1}, key, "good", f"{self.index}.good")]


@pytest.fixture
def package() -> Iterator[ModuleType]:
    """A module that entry points can lead to."""
    module = ModuleType("some_plugin")
    sys.modules["some_plugin"] = module
    yield module
    del sys.modules["some_plugin"]


def one(module: ModuleType, kind: Any, name: str = "good") -> Installed:
    """What is installed when a package brings this."""
    module.kind = kind  # type: ignore[attr-defined] # modules take any attribute
    return load([EntryPoint(name, "some_plugin:kind", GROUP)])


def test_a_kind_is_taken(package: ModuleType) -> None:
    """As a class or an instance; it is there beside the shipped ones, with where it comes from."""
    for kind in (Good, Good()):
        found = one(package, kind)
        assert set(found.kinds) == {*KINDS, "good"} == set(found.catalog)
        assert found.broken == ()
        assert str(found.brought[0]) == "good: an unknown package (some_plugin:kind)"


def spoilt(**attributes: Any) -> type:
    """The good kind with something else in place of a part of it."""
    return type("Spoilt", (Good,), attributes)


def exits() -> None:
    """What some modules do when they miss something."""
    raise SystemExit("no licence")


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        pytest.param(Good, "other", "its `name` is 'good', and the entry point's is 'other'", id="another name"),
        pytest.param(spoilt(name="Bad Name"), "Bad Name", "lower-case word", id="no name"),
        pytest.param(spoilt(name="tag"), "tag", "a kind of Flyball's own", id="shipped"),
        pytest.param(spoilt(name="report"), "report", "a kind of Flyball's own", id="of the language"),
        pytest.param(spoilt(params=dict), "good", "no model", id="no model"),
        pytest.param(spoilt(params=BaseModel), "good", "unknown keys", id="loose model"),
        pytest.param(spoilt(over=WhenOver.RETRACT), "good", "WhenOver.LEAVE", id="takes back"),
        pytest.param(spoilt(compile=None), "good", "no `compile`", id="no compile"),
        pytest.param(spoilt(carry_out=lambda *_: None), "good", "no coroutine function", id="no coroutine"),
        pytest.param(spoilt(__init__=lambda _self: exits()), "good", "SystemExit: no licence", id="exits"),
        pytest.param(spoilt(__init__=lambda _self: 1 / 0), "good", "ZeroDivisionError", id="raises"),
    ],
)
def test_what_is_no_kind_is_refused_alone(package: ModuleType, kind: Any, name: str, reason: str) -> None:
    """With the reason; the shipped kinds are as they were, and other rules run."""
    found = one(package, kind, name)
    assert found.kinds == KINDS
    assert [reason in origin.error for origin in found.broken] == [True]
    read = read_texts({"r.yaml": RULE.replace("KIND", "good")}, Surroundings(found.catalog, {SITE: "flywheel"}, {}))
    assert [rule.id for rule in read.rules] == ["ok"]


def test_a_module_that_is_not_there_is_named_where_a_rule_asks_for_it() -> None:
    """The rule's complaint has the package's trouble in it, and its place."""
    found = load([EntryPoint("good", "nowhere_at_all:Kind", GROUP)])
    read = read_texts({"r.yaml": RULE.replace("KIND", "good")}, Surroundings(found.catalog, {SITE: "flywheel"}, {}))
    said = str(read.rejected[0])
    assert said.startswith("r.yaml:3:")
    assert "the effect kind `good` of an unknown package cannot be used: ModuleNotFoundError" in said


def test_two_packages_with_one_name_are_both_refused(package: ModuleType) -> None:
    """Which one runs must not depend on an order."""
    package.kind = package.other = Good  # type: ignore[attr-defined] # modules take any attribute
    found = load([EntryPoint("good", f"some_plugin:{where}", GROUP) for where in ("kind", "other")])
    assert found.kinds == KINDS
    assert ["several packages" in origin.error for origin in found.broken] == [True, True]


def rejected(kind: Any, text: str = "x") -> str:
    """What is said of a rule with a guarded kind."""
    around = Surroundings({**KINDS, "good": Guarded(kind())}, {SITE: "flywheel"}, {})
    read = read_texts({"r.yaml": RULE.replace("KIND", "good").replace("text: x", f"text: {text}")}, around)
    assert [rule.id for rule in read.rules] == ["ok"]
    return str(read.rejected[0])


def test_mistakes_while_reading_refuse_the_rule() -> None:
    """A check of the parameters that falls over, `compile` that raises, an entry of another kind."""
    assert "the plug-in `good` cannot read this: KeyError: 'boom'" in rejected(Good, "boom")
    assert "ZeroDivisionError" in rejected(spoilt(compile=lambda *_: 1 / 0))
    other = GoodEntry("tag", 0, None, frozenset())
    assert "an entry of the kind `tag`" in rejected(spoilt(compile=lambda *_: other))
    assert "AttributeError" in rejected(spoilt(compile=lambda *_: None))


def wishes(make: Callable[[Moment], Any]) -> list[Wish]:
    """What comes through the guard of an entry that wishes so."""
    inner: Any = SimpleNamespace(kind="good", reads=(), wishes=make, because=make)
    moment: Any = SimpleNamespace()
    return list(GuardedEntry(inner, "0.").wishes(moment))


KEY = once_key("x")


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (Wish("tag", Verdict.YES, {}, KEY, "s", "0.x"), "a wish of the kind 'tag'"),
        (Wish("good", Verdict.YES, {}, KEY, "s", "1.x"), "a slot that does not begin with '0.'"),
        (Wish("good", Verdict.YES, {}, "mine", "s", "0.x"), "no once-key"),
        (Wish("good", Verdict.YES, {"a": object()}, KEY, "s", "0.x"), "not JSON serializable"),
        (Wish("good", Verdict.YES, {"a": float("nan")}, KEY, "s", "0.x"), "not JSON compliant"),
        (Wish("good", Verdict.YES, {}, KEY, "s", "0.x", over="retract"), "left as it is"),
    ],
    ids=["kind", "slot", "key", "object", "nan", "over"],
)
def test_wishes_that_would_do_harm_are_unknown(wish: Wish, reason: str) -> None:
    """They change nothing, and say why."""
    (found,) = wishes(lambda _: [wish])
    assert (found.kind, found.want, found.slot) == ("good", Verdict.UNKNOWN, "0.good")
    assert reason in found.reason


def test_mistakes_while_deciding_are_unknown() -> None:
    """An exception is a wish that is unknown, and a line for `why`."""
    (found,) = wishes(lambda _: 1 / 0)
    assert (found.want, found.reason) == (Verdict.UNKNOWN, "the plug-in failed: ZeroDivisionError: division by zero")
    inner: Any = SimpleNamespace(kind="good", reads=(), because=lambda _: 1 / 0, secret_names=("A",))
    entry = GuardedEntry(inner, "0.")
    moment: Any = SimpleNamespace()
    assert entry.because(moment) == [
        Because("do: good", "unknown", {}, "the plug-in failed: ZeroDivisionError: division by zero")
    ]
    assert entry.secret_names == ("A",)
    assert getattr(entry, "runs", ()) == ()


async def test_effects_of_a_kind_that_cannot_be_loaded_wait() -> None:
    """They are neither lost nor given up: the package may be mended."""
    nothing: Any = None
    report = await Broken("good", "it cannot be used: why").carry_out(nothing, nothing)
    assert (report.outcome, report.blame) == (Outcome.TRANSIENT, Blame.NOBODY)
    assert report.wait is not None
    assert report.wait > 0


async def test_an_attempt_without_a_report_is_a_mistake() -> None:
    """It is told as one, so that the effect fails with a reason."""

    async def silent(*_: Any) -> None:
        return None

    nothing: Any = None
    with pytest.raises(TypeError, match="gave NoneType where a Report is due"):
        await Guarded(spoilt(carry_out=silent)()).carry_out(nothing, nothing)


def test_the_schema_has_the_kind(package: ModuleType) -> None:
    """With its parameters, for editors."""
    schema = rule_file_schema(one(package, Good).kinds)
    kinds = [
        next(iter(entry["properties"])) for entry in schema["$defs"]["RuleForm"]["properties"]["do"]["items"]["oneOf"]
    ]
    assert "good" in kinds
    assert set(schema["$defs"]["GoodParams"]["properties"]) == {"text", "when"}


def test_the_public_module_has_what_it_names() -> None:
    """Each name of `__all__` is there, and the wire is refused where there is no site."""
    assert [name for name in plugin.__all__ if not hasattr(plugin, name)] == []
    hands: Any = SimpleNamespace(wire=None)
    with pytest.raises(Permanent, match="needs a Flywheel site"):
        plugin.wire_of(hands)
