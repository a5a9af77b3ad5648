"""The Kubernetes manifests: sound objects, that fit each other and the program, and hold what the docs promise."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from flyball.cli.common import load_lab
from support.kube import checked
from support.kustomize import build, merged

DEPLOY = Path(__file__).parents[3] / "deploy" / "kustomize"
OVERLAYS = ("single", "replicas")
BUILT = {name: build(DEPLOY / "overlays" / name) for name in OVERLAYS}


def things(overlay: str, kind: str) -> list[Any]:
    """The checked objects of one kind."""
    return [checked(thing) for thing in BUILT[overlay] if thing["kind"] == kind]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_sound(overlay: str) -> None:
    """No key that the API does not know, no value of another type."""
    assert len([checked(thing) for thing in BUILT[overlay]]) == len(BUILT[overlay]) > 5


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"spec": {"template": {"spec": {"restartpolicy": "Always"}}}}, "restartpolicy"),
        ({"spec": {"replicas": "2"}}, "replicas"),
        ({"spec": {"template": {"spec": {"securityContext": {"runAsUser": 0}}}}}, "runAsUser"),
        ({"apiVersion": "extensions/v1beta1"}, "apiVersion"),
    ],
)
def test_what_is_not_sound_is_found(change: dict[str, Any], where: str) -> None:
    """The check of the check."""
    deployment = next(thing for thing in BUILT["single"] if thing["kind"] == "Deployment")
    with pytest.raises(ValidationError, match=where):
        checked(merged(deployment, change))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_builder_agrees_with_the_real_one(overlay: str) -> None:
    """Where `kubectl` is installed: the same objects, config maps' names aside, which it ends with a hash."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed here")
    folder = DEPLOY / "overlays" / overlay
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode()
    real = {key(thing): thing for thing in YAML(typ="safe", pure=True).load_all(text)}
    for name in ("flyball-settings", "flyball-rules"):
        (whole,) = {entry[1] for entry in real if entry[0] == "ConfigMap" and entry[1].startswith(name)}
        assert text.count(whole) == 2, "the config map, and the volume"
        text = text.replace(whole, name)
    real = {key(thing): thing for thing in YAML(typ="safe", pure=True).load_all(text)}
    assert real == {key(thing): thing for thing in BUILT[overlay]}


def key(thing: dict[str, Any]) -> tuple[str, str]:
    """Kind and name."""
    return thing["kind"], thing["metadata"]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_held_down(overlay: str) -> None:
    """Nobody in particular, no rights, a read-only root, no token of the cluster's, limits, all three probes."""
    for workload in [*things(overlay, "Deployment"), *things(overlay, "StatefulSet")]:
        pod = workload.spec.template.spec
        assert pod.security_context.run_as_non_root
        assert not pod.automount_service_account_token
        assert pod.security_context.seccomp_profile.type == "RuntimeDefault"
        for container in pod.containers:
            security = container.security_context
            assert not security.allow_privilege_escalation
            assert security.read_only_root_filesystem
            assert security.capabilities.drop == ["ALL"]
            assert security.capabilities.add == []
            assert "memory" in container.resources.limits
            assert not container.image.endswith(":latest")
            assert ":" in container.image


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_and_labels_fit(overlay: str) -> None:
    """Selectors find the pods they are for, volumes and mounts have each other, ports their names."""
    workloads = [*things(overlay, "Deployment"), *things(overlay, "StatefulSet")]
    labels = [workload.spec.template.metadata.labels for workload in workloads]
    maps = {thing.metadata.name for thing in things(overlay, "ConfigMap")}
    claims = {thing.metadata.name for thing in things(overlay, "PersistentVolumeClaim")}
    for workload in workloads:
        assert workload.spec.selector.match_labels == workload.spec.template.metadata.labels
        pod = workload.spec.template.spec
        extra = {claim.metadata.name for claim in getattr(workload.spec, "volume_claim_templates", [])}
        for container in pod.containers:
            assert {mount.name for mount in container.volume_mounts} == {one.name for one in pod.volumes} | extra
            names = {port.name for port in container.ports}
            for probe in (container.startup_probe, container.liveness_probe, container.readiness_probe):
                assert (probe.http_get is None) != (probe.exec_ is None)
                assert probe.http_get is None or probe.http_get.port in names
        for volume in pod.volumes:
            sources = [volume.config_map, volume.secret, volume.empty_dir, volume.persistent_volume_claim]
            assert sum(source is not None for source in sources) == 1, volume.name
            assert volume.config_map is None or volume.config_map.name in maps
            assert volume.persistent_volume_claim is None or volume.persistent_volume_claim.claim_name in claims
    for service in things(overlay, "Service"):
        (found,) = [one for one in workloads if one.spec.template.metadata.labels == service.spec.selector]
        names = {port.name for port in found.spec.template.spec.containers[0].ports}
        assert {port.target_port for port in service.spec.ports} <= names
    for thing in [*things(overlay, "PodDisruptionBudget"), *things(overlay, "NetworkPolicy")]:
        selector = getattr(thing.spec, "selector", None) or thing.spec.pod_selector
        assert selector.match_labels in labels


def test_one_daemon_is_replaced_and_many_roll() -> None:
    """The embedded ledger is never opened twice; replicas are never all away, and share a database."""
    (single,), (replicas,) = things("single", "Deployment"), things("replicas", "Deployment")
    assert (single.spec.replicas, single.spec.strategy.type) == (1, "Recreate")
    assert single.spec.strategy.rolling_update is None
    assert not things("single", "PodDisruptionBudget"), "it would keep a node from being drained"
    (data,) = [one for one in single.spec.template.spec.volumes if one.name == "data"]
    assert data.persistent_volume_claim is not None
    assert replicas.spec.replicas > 1
    assert replicas.spec.strategy.rolling_update.max_unavailable == 0
    assert {one.name: one.value for one in replicas.spec.template.spec.containers[0].env}["FLYBALL_STORE"].startswith(
        "file:"
    )
    (budget,) = things("replicas", "PodDisruptionBudget")
    assert 0 < budget.spec.min_available < replicas.spec.replicas


def test_the_network_is_closed_but_for_what_is_named() -> None:
    """Each pod has a policy for both directions; the database talks to nobody."""
    for overlay in OVERLAYS:
        policies = things(overlay, "NetworkPolicy")
        for workload in [*things(overlay, "Deployment"), *things(overlay, "StatefulSet")]:
            mine = [
                one for one in policies if one.spec.pod_selector.match_labels == workload.spec.selector.match_labels
            ]
            assert {direction for one in mine for direction in one.spec.policy_types} == {"Ingress", "Egress"}
    (database,) = [one for one in things("replicas", "NetworkPolicy") if one.metadata.name == "flyball-postgres"]
    assert database.spec.egress == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_program_takes_what_the_pod_gives_it(overlay: str, tmp_path: Path) -> None:
    """Settings, rules, environment and secrets of the manifests are read by the program without a complaint."""
    (deployment,) = things(overlay, "Deployment")
    container = deployment.spec.template.spec.containers[0]
    maps = {thing.metadata.name: thing.data for thing in things(overlay, "ConfigMap")}
    volumes = {one.name: one for one in deployment.spec.template.spec.volumes}
    for mount in container.volume_mounts:
        folder = tmp_path / mount.mount_path.strip("/")
        folder.mkdir(parents=True)
        source = volumes[mount.name].config_map
        for name, text in (maps[source.name] if source is not None else {}).items():
            (folder / name).write_text(text)
    secrets = tmp_path / "run" / "secrets" / "flyball"
    (secrets / "flywheel-key").write_text("site.example.org:nobodys-key")
    (secrets / "token").write_text("t" * 40)
    (secrets / "store").write_text("postgresql://flyball:p@flyball-postgres:5432/flyball")
    environment = {}
    for one in container.env:
        value = one.value.replace("file:/", f"file:{tmp_path}/")
        environment[one.name] = f"{tmp_path}{value}" if value.startswith("/") else value
    lab = load_lab(environment, config=tmp_path / "config")
    assert [str(one) for one in (*lab.rules.rejected, *lab.rules.warnings)] == []
    assert {str(rule.mode) for rule in lab.rules.rules} == {"shadow"}
    assert lab.settings.log.format == "json"
    assert lab.settings.embedded is (overlay == "single")
