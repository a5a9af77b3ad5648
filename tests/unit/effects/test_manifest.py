"""Launches against manifests: a site may take a doomed job without a word."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.effects.manifest import launch_config, manifest_faults

GEAR: dict[str, Any] = {
    "id": "g1",
    "gear": {
        "name": "fs",
        "inputs": {
            "anatomical": {"base": "file", "type": {"enum": ["nifti", "dicom"]}},
            "t1w_2": {"base": "file", "optional": True},
            "api-key": {"base": "api-key"},
            "context": {"base": "context"},
        },
        "config": {
            "n_cpus": {"type": "integer", "default": 4},
            "ratio": {"type": "number"},
            "fast": {"type": "boolean"},
            "mode": {"type": "string", "enum": ["a", "b"]},
            "list": {"type": "array"},
            "anything": {},
        },
    },
}
T1 = {"name": "T1w.nii.gz", "file_type": "nifti"}


def faults(inputs: dict[str, Any] | None = None, config: dict[str, Any] | None = None, **more: Any) -> list[str]:
    """What is wrong with a launch of the gear."""
    return manifest_faults(GEAR, {"anatomical": T1} if inputs is None else inputs, config or {}, **more)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"n_cpus": 1, "ratio": 1, "fast": False, "mode": "b", "list": [1], "anything": {"x": 1}},
        {"ratio": 0.5},
    ],
)
def test_what_fits(config: dict[str, Any]) -> None:
    """No faults; slots that the site fills need no file."""
    assert faults(config=config) == []
    assert faults({"anatomical": {"name": "x", "file_type": None}, "t1w_2": {"name": "y"}}) == []


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "its required input 'anatomical' has no file"),
        ({"anatomical": T1, "t1w_3": T1}, "it has no input 't1w_3' (did you mean 't1w_2'?)"),
        ({"anatomical": T1, "zzz": T1}, "it has no input 'zzz' (it has: anatomical, api-key, context, t1w_2)"),
        ({"anatomical": {"name": "x", "file_type": "pdf"}}, "input 'anatomical' takes nifti or dicom, and 'x' is pdf"),
        ({"anatomical": T1, "api-key": T1}, "input 'api-key' is filled by the site itself"),
        ({"anatomical": T1, "context": T1}, "input 'context' is filled by the site itself"),
    ],
)
def test_faults_of_inputs(inputs: dict[str, Any], message: str) -> None:
    """Named with the slot and what would be right."""
    assert faults(inputs) == [message]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"n_cpu": 1}, "it has no config key 'n_cpu' (did you mean 'n_cpus'?)"),
        ({"n_cpus": "1"}, "config key 'n_cpus' is an integer, and '1' is none"),
        ({"n_cpus": True}, "config key 'n_cpus' is an integer, and True is none"),
        ({"n_cpus": 1.5}, "config key 'n_cpus' is an integer, and 1.5 is none"),
        ({"fast": 1}, "config key 'fast' is a boolean, and 1 is none"),
        ({"mode": "c"}, "config key 'mode' is one of 'a', 'b', not 'c'"),
        ({"list": "x"}, "config key 'list' is an array, and 'x' is none"),
    ],
)
def test_faults_of_config(config: dict[str, Any], message: str) -> None:
    """Named with the key."""
    assert faults(config=config) == [message]


def test_a_secret_of_an_unknown_key() -> None:
    """The key is named, the value is not looked at."""
    assert faults(secrets=["n_cpuss"]) == ["it has no config key 'n_cpuss' (did you mean 'n_cpus'?)"]
    assert faults(secrets=["mode"]) == []


def test_a_disabled_gear() -> None:
    """It is said."""
    gear = {**GEAR, "disabled": "2026-01-01"}
    assert manifest_faults(gear, {"anatomical": T1}, {}) == ["the gear is disabled on this site"]


@pytest.mark.parametrize(
    "manifest",
    [None, [], "x", {}, {"inputs": None, "config": None}, {"inputs": [1], "config": "x"}, {"inputs": {"a": None}}],
)
def test_a_manifest_of_another_shape(manifest: Any) -> None:
    """No manifest is no reason to break down: what is asked for is not in it."""
    found = manifest_faults({"gear": manifest}, {"anatomical": T1}, {"x": 1})
    assert len(found) == 2


def test_a_type_of_another_shape() -> None:
    """What cannot be read refuses nothing."""
    gear = {"gear": {"inputs": {"a": {"base": "file", "type": "nifti"}}, "config": {"c": {"type": ["x"], "enum": 3}}}}
    assert manifest_faults(gear, {"a": T1}, {"c": 1}) == []


def test_secrets_are_filled_in_last() -> None:
    """An optional one that is not set is left out; any other one is sent as it is."""
    found = launch_config(
        {"a": 1, "b": 2},
        {"b": "env:B", "c": "env:C?", "d": "env:D"},
        {"env:B": "x", "env:C?": "", "env:D": ""}.__getitem__,
    )
    assert found == {"a": 1, "b": "x", "d": ""}
