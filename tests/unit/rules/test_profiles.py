"""QC profiles: reading them, and holding documents against them."""

import math
from typing import Any

import pytest

from flyball.rules.expression import Context, Unknown, compile_expression, is_unknown
from flyball.rules.profiles import Cut, Profile, judge, qc_function
from flyball.rules.scope import compile_globs
from unit.rules.kit import NOW, read, rule_text

IQM, INFO = ("file", "info", "IQM"), ("file", "info")
BOLD = Profile(
    "bold",
    (IQM, INFO),
    {"fd_mean": Cut("higher", 0.25, 0.5), "tsnr": Cut("lower", None, 25), "fd_perc": Cut("higher", 20, None)},
    (
        (compile_globs("project", ["scien/kids*"]), {"fd_mean": {"warn": 0.4, "fail": 0.9}}),
        (compile_globs("project", ["*/kids-special"]), {"fd_mean": {"fail": None}}),
    ),
)
GOOD = {"fd_mean": 0.1, "tsnr": 40, "fd_perc": 3.0}


def names(info: Any, project: str = "scien/adults") -> dict[str, Any]:
    group, label = project.split("/", 1)
    return {"file": {"info": info}, "project": {"group": group, "label": label}}


def held(info: Any, project: str = "scien/adults") -> dict[str, Any]:
    result = judge(BOLD, names(info, project))
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    ("changed", "level", "fail", "warn"),
    [
        ({}, "ok", [], []),
        ({"fd_mean": 0.25}, "ok", [], []),  # on the cut-off is still good
        ({"fd_mean": 0.3}, "warn", [], ["fd_mean"]),
        ({"fd_mean": 0.6}, "fail", ["fd_mean"], []),
        ({"tsnr": 24.9}, "fail", ["tsnr"], []),
        ({"fd_perc": 99}, "warn", [], ["fd_perc"]),
        ({"fd_mean": 0.6, "fd_perc": 21, "tsnr": 1}, "fail", ["fd_mean", "tsnr"], ["fd_perc"]),
    ],
)
def test_levels(changed: dict[str, float], level: str, fail: list[str], warn: list[str]) -> None:
    """The worst metric makes the level; the lists say which."""
    result = held({**GOOD, **changed})
    assert (result["level"], result["fail"], result["warn"], result["unknown"]) == (level, fail, warn, [])


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0.1", True, [0.1]])
def test_a_metric_without_usable_value_leaves_the_level_open(value: Any) -> None:
    """It might be bad, so nothing is said to be fine; what fails anyway, fails."""
    result = held({**GOOD, "fd_mean": value})
    assert (result["level"], result["fail"], result["warn"], result["unknown"]) == (None, None, None, ["fd_mean"])
    failing = held({**GOOD, "fd_mean": value, "tsnr": 1})
    assert (failing["level"], failing["fail"], failing["warn"]) == ("fail", ["tsnr"], None)


def test_nothing_there() -> None:
    """A file without metrics is unknown, metric by metric."""
    assert held({})["unknown"] == ["fd_mean", "tsnr", "fd_perc"]
    assert held(None)["level"] is None


def test_the_first_place_that_has_the_metric_counts() -> None:
    """Each metric tells where it was read; a null in the first place does not hide a value in the second."""
    result = held({**GOOD, "IQM": {"fd_mean": 0.9, "tsnr": None}})
    assert {name: entry["from"] for name, entry in result["metrics"].items()} == {
        "fd_mean": "file.info.IQM",
        "tsnr": "file.info",
        "fd_perc": "file.info",
    }
    assert result["metrics"]["fd_mean"] == {
        "value": 0.9,
        "level": "fail",
        "from": "file.info.IQM",
        "warn": 0.25,
        "fail": 0.5,
        "worse": "higher",
    }


@pytest.mark.parametrize(
    ("project", "level"),
    [("scien/adults", "fail"), ("scien/kids", "warn"), ("scien/kids-2", "warn"), ("other/kids-special", "warn")],
)
def test_projects_of_their_own(project: str, level: str) -> None:
    """A project's own cut-offs replace the general ones, and null takes one away."""
    assert held({**GOOD, "fd_mean": 0.8}, project)["level"] == level


def test_an_unknown_project_leaves_everything_open() -> None:
    """Without its name nobody knows which cut-offs hold."""
    assert is_unknown(judge(BOLD, {"file": {"info": GOOD}}))
    assert is_unknown(judge(BOLD, {"file": {"info": GOOD}, "project": Unknown("hidden")}))
    assert isinstance(judge(BOLD, {"file": {"info": GOOD}, "project": {"label": "x", "parents": {"group": "g"}}}), dict)


def test_what_could_not_be_looked_at_is_unknown_as_a_whole() -> None:
    """Info that was not read is not info that is missing."""
    assert is_unknown(judge(BOLD, names(Unknown("not read yet", "withheld"))))


@pytest.mark.parametrize(("metric", "sentinel"), [("fber", -1), ("fber", -1.0), ("qi_2", 0), ("qi_2", 0.0)])
def test_sentinels_are_missing(metric: str, sentinel: float) -> None:
    """MRIQC's own marks for "could not be computed" are no values."""
    profile = Profile("t1", (INFO,), {metric: Cut("lower", fail=5)})
    result = judge(profile, {"file": {"info": {metric: sentinel}}})
    assert isinstance(result, dict)
    assert result["unknown"] == [metric]


@pytest.mark.parametrize(
    ("expression", "info", "result"),
    [
        ("qc('bold').level == 'fail'", {**GOOD, "tsnr": 1}, True),
        ("qc('bold').fail", {**GOOD, "tsnr": 1}, True),
        ("qc('bold').fail", GOOD, False),
        ("qc('bold').level == 'ok'", {**GOOD, "tsnr": None}, None),
        ("qc('bold').fail", {}, None),
        ("qc('bold').metrics.fd_mean.value > 0.05", GOOD, True),
        ("qc('nothing').level == 'ok'", GOOD, None),
    ],
)
def test_in_expressions(expression: str, info: Any, result: bool | None) -> None:
    """`qc` gives an object whose unknown parts are unknown to conditions."""
    compiled = compile_expression(expression, names=("file", "project"), functions=("qc",))
    truth = compiled.test(Context(names(info), NOW, {"qc": qc_function({"bold": BOLD})}))
    assert (None if is_unknown(truth) else truth) is result


def rejected(profile: str) -> str:
    found = read(f"profiles:\n  p: {profile}\n")
    assert [one.kind for one in found.rejected] == ["profile"]
    return str(found.rejected[0]).removeprefix("rules/a.yaml:")


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("{}", "2:6: the key `metrics` is missing (Metric → cut-offs)"),
        ("{metrics: {}}", "2:16: `metrics` must not be empty"),
        ("{metrics: {snr: {fial: 1}}}", "2:23: unknown key `fial`; did you mean `fail`?"),
        ("{metrics: {snr: {}}}", "2:22: `snr` has no cut-off; write `warn`, `fail` or both"),
        ("{metrics: {tsnr: {warn: 1, min_n: 20}}}", "2:23: `within` and `min_n` belong to a robust z"),
        ("{metrics: {tsnr: {worse: higher, fail: 100}}}", "2:23: `tsnr` gets worse when it gets lower, never when it"),
        (
            "{metrics: {mine: {fail: 1}}}",
            "2:23: `mine` is no metric whose bad direction is known; write `worse: higher`",
        ),
        ("{metrics: {fd_mean: {warn: 2, fail: 1}}}", "2:26: `fail` 1 must lie above `warn` 2, since higher is worse"),
        ("{metrics: {snr: {warn: 1, fail: 2}}}", "2:22: `fail` 2 must lie below `warn` 1, since lower is worse"),
        ("{metrics: {snr: {fail: much}}}", "2:22: 'much' is no number"),
        ("{metrics: {snr: {fail: .nan}}}", "2:22: nan is no cut-off; write a finite number"),
        ("{from: fil.info, metrics: {snr: {fail: 1}}}", "2:13: `fil.info` is no place: write file.info"),
        (
            "{metrics: {snr: {fail: 1}}, per_project: {kids: {snr: {fail: 2}}}}",
            "2:54: 'kids' names no group; write group/label, for instance kids/*",
        ),
        (
            "{metrics: {snr: {fail: 1}}, per_project: {a/b: {snrr: {fail: 2}}}}",
            "2:60: the profile has no metric `snrr`; did you mean `snr`?",
        ),
        (
            "{metrics: {snr: {warn: 3, fail: 1}}, per_project: {a/b: {snr: {fail: 4}}}}",
            "2:68: `fail` 4 must lie below `warn` 3, since lower is worse",
        ),
    ],
)
def test_profiles_that_are_refused(profile: str, message: str) -> None:
    """A profile is checked where it is written: direction, order of the cut-offs, names."""
    assert rejected(profile).startswith(message)


USES = rule_text("if: qc('p').level == 'fail'", each="file").replace("on: session", "on: file")


def test_rules_with_a_broken_profile_are_refused() -> None:
    """Other rules of the file run."""
    other = "  - {id: other, each: file, do: [{alert: {title: x}}]}\n"
    found = read(f"profiles: {{p: {{metrics: {{snr: {{}}}}}}}}\n{USES}{other}")
    assert [rule.id for rule in found.rules] == ["other"]
    assert str(found.rejected[1]) == "rules/a.yaml:5:9: `if`: the profile `p` is refused, see rules/a.yaml:1:12"


def test_profiles_are_shared_by_all_files() -> None:
    """A lab may keep its cut-offs in a file of their own."""
    found = read({"a.yaml": USES, "z.yaml": "profiles: {p: {metrics: {snr: {fail: 1}}}}"})
    assert [rule.id for rule in found.rules] == ["r"]
    assert ("file", "info") in found.rules[0].reads
    assert found.functions["qc"](names({"snr": 0.5}), "p")["level"] == "fail"


def test_a_profile_counts_once() -> None:
    """The second file's profile of a name is refused, and its rules do not run with the first file's numbers."""
    profile = "profiles: {p: {metrics: {snr: {fail: %s}}}}\n"
    found = read({"a.yaml": profile % 1, "b.yaml": profile % 2 + USES})
    assert not found.rules
    assert [str(one) for one in found.rejected] == [
        "b.yaml:1:12: there is a profile `p` already, at a.yaml:1:12; rename one of the two",
        "b.yaml:5:9: `if`: the profile `p` is refused, see b.yaml:1:12",
    ]


@pytest.mark.parametrize(
    ("condition", "each", "message"),
    [
        ("qc('pp').fail", "file", "`if`: there is no profile `pp`; did you mean `p`?"),
        ("qc(file.name).fail", "file", "`if`: `qc` takes the name of a profile in quotes: qc('bold-rest')"),
        (
            "qc('p').fail",
            "session",
            "`if`: qc('p') reads `file`, which there is not here; use it where a file is known",
        ),
        ("qc().fail", "file", "`if`: `qc` takes 1 argument(s), not 0"),
    ],
)
def test_calls_of_qc_are_checked(condition: str, each: str, message: str) -> None:
    """The profile must exist, and the document must be able to have its metrics."""
    rule = rule_text(f'if: "{condition}"', each=each)
    found = read(f"profiles: {{p: {{metrics: {{snr: {{fail: 1}}}}}}}}\n{rule}")
    assert message in str(found.rejected[0])


def test_in_selections_qc_is_about_the_candidate() -> None:
    """A session's rule can select its poor files."""
    rule = rule_text("select: {poor: {files: \"qc('p').level == 'fail'\"}}")
    assert read(f"profiles: {{p: {{metrics: {{snr: {{fail: 1}}}}}}}}\n{rule}").rules
