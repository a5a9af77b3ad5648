"""Robust z: the statistics of a peer group, and cut-offs held against them."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.rules.expression import Context, Unknown, compile_expression
from flyball.rules.peers import Peers, PeerTable, group_of, statistics
from flyball.rules.profiles import Cut, Profile, Z, judge, qc_function
from flyball.rules.scope import compile_globs
from unit.rules.kit import NOW, read, rule_text

WITHIN = (("project",), ("acquisition", "label"))
TSNR = Profile("bold", (("file", "info"),), {"tsnr": Cut("lower", Z(-3), Z(-5), WITHIN, 20)})
GROUP = ("p1", "rest")
PEERS: PeerTable = {("bold", "tsnr", GROUP): Peers("2026-11-20", 40, 50.0, 2.0)}  # one robust deviation: 2.9652


def names(tsnr: Any, label: str = "rest", project: str = "p1") -> dict[str, Any]:
    return {"file": {"info": {"tsnr": tsnr}}, "acquisition": {"label": label}, "project": {"id": project}}


def held(tsnr: Any, **more: Any) -> dict[str, Any]:
    result = judge(TSNR, names(tsnr, **more), PEERS)
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    ("values", "middle", "spread"),
    [([1.0], 1.0, 0.0), ([1, 2], 1.5, 0.5), ([1, 1, 1, 9], 1, 0), ([1, 2, 3, 4, 100], 3, 1), ([5, 5, 6, 7], 5.5, 0.5)],
)
def test_statistics(values: list[float], middle: float, spread: float) -> None:
    """Median, and median distance from it; one wild value moves neither."""
    assert statistics(values, "d") == Peers("d", len(values), middle, spread)


@pytest.mark.parametrize(
    ("tsnr", "level"),
    [(50, "ok"), (70, "ok"), (41.2, "ok"), (50 - 3 * 2.9652, "ok"), (41.0, "warn"), (35.2, "warn"), (35.1, "fail")],
)
def test_levels(tsnr: float, level: str) -> None:
    """The z is (value - median) / (1.4826 MAD); on the cut-off is still good, and only the bad side counts."""
    assert held(tsnr)["level"] == level


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=40), st.floats(0.1, 100), st.floats(-1e3, 1e3))
@settings(max_examples=200, deadline=None)
def test_z_hangs_neither_on_the_unit_nor_on_the_origin(values: list[float], scale: float, shift: float) -> None:
    """The same values in another unit have the same z."""
    one, other = statistics(values, "d"), statistics([scale * value + shift for value in values], "d")
    first, second = one.z(values[0]), other.z(scale * values[0] + shift)
    if first is None or second is None or one.mad < 1e-3:
        return
    assert math.isclose(first, second, rel_tol=1e-3, abs_tol=1e-3)


def test_the_result_names_the_statistics() -> None:
    """Date, n, median and MAD stand beside the value, so that the decision can be checked."""
    assert held(41.0)["metrics"]["tsnr"] == {
        "value": 41.0,
        "level": "warn",
        "z": -3.035,
        "n": 40,
        "median": 50.0,
        "mad": 2.0,
        "date": "2026-11-20",
        "note": "",
        "from": "file.info",
        "warn": "z -3",
        "fail": "z -5",
        "worse": "lower",
    }


def test_the_explanation_names_them() -> None:
    """`why` shows them with the call of `qc`."""
    context = Context(names(41.0), NOW, {"qc": qc_function({"bold": TSNR}, PEERS)})
    expression = compile_expression(
        "qc('bold').level == 'warn'", names=["file", "acquisition"], functions={"qc": (1, 1)}
    )
    assert expression.test(context) is True
    shown = expression.explain(context).lines[0].values["qc('bold')"]["metrics"]["tsnr"]
    assert {key: shown[key] for key in ("z", "n", "median", "mad", "date")} == {
        "z": -3.035,
        "n": 40,
        "median": 50.0,
        "mad": 2.0,
        "date": "2026-11-20",
    }


@pytest.mark.parametrize(
    ("peers", "note"),
    [
        ({}, "no peer statistics; 20 peers are needed"),
        ({("bold", "tsnr", GROUP): Peers("d", 19, 50, 2)}, "too few peers: 19, 20 are needed"),
        ({("bold", "tsnr", GROUP): Peers("d", 40, 50, 0)}, "the peers do not differ (MAD 0)"),
        ({("bold", "tsnr", ("p1", "task")): Peers("d", 40, 50, 2)}, "no peer statistics; 20 peers are needed"),
        ({("other", "tsnr", GROUP): Peers("d", 40, 50, 2)}, "no peer statistics; 20 peers are needed"),
    ],
)
def test_too_little_to_say(peers: Any, note: str) -> None:
    """Few peers, or peers that are all alike, say nothing: unknown, with the reason."""
    result = judge(TSNR, names(1.0), peers)
    assert isinstance(result, dict)
    assert (result["level"], result["unknown"]) == (None, ["tsnr"])
    entry = result["metrics"]["tsnr"]
    assert (entry["z"], entry["level"], entry["note"]) == (None, None, note)


def test_without_a_group_there_are_no_peers() -> None:
    """What the peers have in common must be known of the value itself."""
    nameless = {"file": {"info": {"tsnr": 1.0}}, "acquisition": {}, "project": {"id": "p1"}}
    result = judge(TSNR, nameless, PEERS)
    assert isinstance(result, dict)
    assert result["metrics"]["tsnr"]["note"] == "no peers: its acquisition.label is not known"
    hidden = {**nameless, "acquisition": Unknown("it may not be read", "withheld")}
    result = judge(TSNR, hidden, PEERS)
    assert isinstance(result, dict)
    assert result["metrics"]["tsnr"]["note"] == "no peers: it may not be read"


def test_an_absolute_cut_off_beside_a_z() -> None:
    """What fails by its number fails, however few the peers; what only might warn leaves the level open."""
    both = Profile("bold", (("file", "info"),), {"tsnr": Cut("lower", Z(-3), 25, WITHIN)})
    failing, open_ = judge(both, names(24.0), {}), judge(both, names(26.0), {})
    assert isinstance(failing, dict)
    assert isinstance(open_, dict)
    assert (failing["level"], open_["level"], open_["warn"]) == ("fail", None, None)


@pytest.mark.parametrize(
    ("within", "group"),
    [
        ((("project",),), ("p1",)),
        ((("file", "info", "tesla"), ("file", "info", "coil")), ("3", "head")),
        ((("file", "info", "whole"),), ("3",)),
        ((("file", "info", "flag"),), ("true",)),
    ],
)
def test_groups(within: Any, group: tuple[str, ...]) -> None:
    """Texts, numbers and truth values part the peers; 3 and 3.0 are one group."""
    names_ = {"project": {"id": "p1"}, "file": {"info": {"tesla": 3.0, "whole": 3, "coil": "head", "flag": True}}}
    assert group_of(within, names_) == group


@pytest.mark.parametrize("value", [None, math.nan, [1], {}])
def test_no_group(value: Any) -> None:
    """What is neither makes none."""
    assert isinstance(group_of((("file", "x"),), {"file": {"x": value}}), Unknown)


Z_CUT = "warn: z -3, within: [project, acquisition.label]"


@pytest.mark.parametrize("text", ["z -3", "z-3", "z -3.5"])
def test_reading(text: str) -> None:
    """A robust z as people write it."""
    profile = f"{{metrics: {{tsnr: {{warn: {text}, within: project, min_n: 5}}}}}}"
    found = read(
        f"profiles:\n  p: {profile}\n" + rule_text("if: qc('p').warn", each="file").replace("on: session", "on: file")
    )
    assert not found.rejected, str(found.rejected[0])
    rule = found.rules[0]
    assert rule.peers == rule.profiles == {"p"}
    assert ("project", "id") in rule.reads


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("{metrics: {tsnr: {warn: z -3}}}", "a robust z needs `within`: what peers have in common"),
        ("{metrics: {tsnr: {warn: z -3, within: []}}}", "a robust z needs `within`: what peers have in common"),
        ("{metrics: {tsnr: {warn: z 3, within: project}}}", "`warn` 'z 3': lower is worse, so the cut-off lies below"),
        (
            "{metrics: {fd_mean: {fail: z -3, within: project}}}",
            "`fail` 'z -3': higher is worse, so the cut-off lies above",
        ),
        ("{metrics: {tsnr: {warn: z 0, within: project}}}", "`warn` 'z 0': lower is worse"),
        ("{metrics: {tsnr: {warn: z low, within: project}}}", "'z low' is no number, and no robust z such as 'z -3'"),
        (
            "{metrics: {tsnr: {worse: higher, " + Z_CUT + "}}}",
            "`tsnr` gets worse when it gets lower, never when it gets higher",
        ),
        ("{metrics: {tsnr: {warn: z -5, fail: z -3, within: project}}}", "`fail` -3 must lie below `warn` -5"),
        ("{metrics: {tsnr: {warn: z -3, within: projct}}}", "`within`: `projct` is nothing that a file has"),
        (
            "{from: session.info, metrics: {tsnr: {warn: z -3, within: acquisition.label}}}",
            "`within`: `acquisition.label` is",
        ),
        (
            "{from: [file.info, session.info], metrics: {tsnr: {warn: z -3, within: project}}}",
            "a robust z needs the metrics at",
        ),
        ("{metrics: {tsnr: {warn: z -3, within: project, min_n: 1}}}", "`min_n` must be at least 2"),
        ("{metrics: {tsnr: {warn: 30}}, per_project: {a/b: {tsnr: {warn: z -3}}}}", "a robust z needs `within`"),
        ("{metrics: {tsnr: {" + Z_CUT + "}}, per_project: {a/b: {tsnr: {warn: z 3}}}}", "`warn` 'z 3': lower is worse"),
    ],
)
def test_what_is_refused(profile: str, message: str) -> None:
    """A robust z needs a group, its sign agrees with the bad direction, and the metrics stand at one level."""
    found = read(f"profiles:\n  p: {profile}\n")
    assert found.rejected
    assert found.rejected[0].message.startswith(message)


def test_projects_of_their_own() -> None:
    """A project may have its own z, or a number instead."""
    own = (compile_globs("project", ["scien/*"]), {"tsnr": {"warn": Z(-2)}})
    plain = (compile_globs("project", ["scien/old"]), {"tsnr": {"warn": 30.0, "fail": None}})
    profile = Profile("bold", TSNR.places, TSNR.metrics, (own, plain))
    assert profile.at("scien/new")["tsnr"] == Cut("lower", Z(-2), Z(-5), WITHIN, 20)
    assert profile.at("scien/old")["tsnr"] == Cut("lower", 30.0, None, WITHIN, 20)


def test_a_changed_z_is_a_changed_rule() -> None:
    """Whoever moves a cut-off wants every target looked at again; plain profiles keep their versions."""
    versions = set()
    for cut in (
        "z -3, within: project",
        "z -4, within: project",
        "z -3, within: acquisition.label",
        "z -3, within: project, min_n: 9",
    ):
        text = f"profiles: {{p: {{metrics: {{tsnr: {{warn: {cut}}}}}}}}}\n"
        rule = rule_text("if: qc('p').warn", each="file").replace("on: session", "on: file")
        versions.add(read(text + rule).rules[0].version)
    assert len(versions) == 4
