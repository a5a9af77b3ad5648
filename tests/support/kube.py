"""The Kubernetes objects that the manifests use, as strict models: a key that the API does not know is refused.

Field names and shapes are those of the Kubernetes API reference (apps/v1, v1, networking.k8s.io/v1, policy/v1), as far
as our manifests use them. A further field is added here when a manifest begins to use it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
LabelKey = Annotated[str, Field(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=317)]
Label = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]
Labels = dict[LabelKey, Label]
Port = Annotated[int, Field(ge=1, le=65535)]
PortName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=15)]
Seconds = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Absolute = Annotated[str, Field(pattern=r"^/[^:]*$")]


def _quantity(text: str) -> str:
    assert re.fullmatch(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?", text), f"{text!r} is no quantity"
    return text


Quantity = Annotated[str, AfterValidator(_quantity)]
Quantities = dict[Literal["cpu", "memory", "storage", "ephemeral-storage"], Quantity]


class Strict(BaseModel):
    """Unknown keys are refused, and a number is no text."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Metadata(Strict):
    """`metadata` of an object."""

    name: Name
    namespace: Name | None = None
    labels: Labels = {}
    annotations: dict[LabelKey, str] = {}


class TemplateMetadata(Strict):
    """`metadata` of a pod template."""

    labels: Labels
    annotations: dict[LabelKey, str] = {}


class Selector(Strict):
    """A label selector."""

    match_labels: Labels = {}


class Profile(Strict):
    """A seccomp profile."""

    type: Literal["RuntimeDefault", "Localhost", "Unconfined"]


class PodSecurity(Strict):
    """Who a pod runs as."""

    run_as_non_root: bool
    run_as_user: Annotated[int, Field(ge=1)]
    run_as_group: Annotated[int, Field(ge=1)]
    fs_group: Annotated[int, Field(ge=1)]
    fs_group_change_policy: Literal["OnRootMismatch", "Always"] = "Always"
    seccomp_profile: Profile


class Capabilities(Strict):
    """Linux capabilities."""

    add: list[str] = []
    drop: list[str] = []


class ContainerSecurity(Strict):
    """What a container may do."""

    allow_privilege_escalation: bool
    read_only_root_filesystem: bool
    capabilities: Capabilities


class Resources(Strict):
    """What a container asks for, and may have at the most."""

    requests: Quantities
    limits: Quantities = {}


class ContainerPort(Strict):
    """A port that a container listens on."""

    name: PortName
    container_port: Port
    protocol: Literal["TCP", "UDP"] = "TCP"


class Variable(Strict):
    """One environment variable."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: str


class HttpGet(Strict):
    """A probe by HTTP."""

    path: Annotated[str, Field(pattern="^/")]
    port: Port | PortName


class Exec(Strict):
    """A probe by a command."""

    command: Annotated[list[str], Field(min_length=1)]


class Probe(Strict):
    """A probe."""

    http_get: HttpGet | None = None
    exec_: Annotated[Exec | None, Field(alias="exec")] = None
    initial_delay_seconds: Count = 0
    period_seconds: Seconds = 10
    timeout_seconds: Seconds = 1
    failure_threshold: Seconds = 3


class Mount(Strict):
    """Where a volume is seen."""

    name: Name
    mount_path: Absolute
    read_only: bool = False


class Container(Strict):
    """One container."""

    name: Name
    image: Annotated[str, Field(min_length=1)]
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"]
    args: list[str] = []
    ports: list[ContainerPort] = []
    env: list[Variable] = []
    security_context: ContainerSecurity
    resources: Resources
    startup_probe: Probe
    liveness_probe: Probe
    readiness_probe: Probe
    volume_mounts: list[Mount] = []


class ConfigMapVolume(Strict):
    """The files of a config map."""

    name: Name


class SecretVolume(Strict):
    """The files of a secret."""

    secret_name: Name
    default_mode: Annotated[int, Field(ge=0, le=0o777)]


class EmptyDir(Strict):
    """A folder that goes with the pod."""

    size_limit: Quantity


class ClaimVolume(Strict):
    """A claimed volume."""

    claim_name: Name


class Volume(Strict):
    """One volume, of one source."""

    name: Name
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    empty_dir: EmptyDir | None = None
    persistent_volume_claim: ClaimVolume | None = None


class Spread(Strict):
    """How pods are spread over nodes."""

    max_skew: Seconds
    topology_key: LabelKey
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"]
    label_selector: Selector


class PodSpec(Strict):
    """What runs in a pod."""

    service_account_name: Name = "default"
    automount_service_account_token: bool
    enable_service_links: bool
    termination_grace_period_seconds: Seconds
    security_context: PodSecurity
    containers: Annotated[list[Container], Field(min_length=1)]
    volumes: list[Volume] = []
    topology_spread_constraints: list[Spread] = []


class Template(Strict):
    """A pod template."""

    metadata: TemplateMetadata
    spec: PodSpec


class Rolling(Strict):
    """How pods are replaced one after another."""

    max_surge: Count
    max_unavailable: Count


class Strategy(Strict):
    """How pods are replaced."""

    type: Literal["Recreate", "RollingUpdate"]
    rolling_update: Rolling | None = None


class DeploymentSpec(Strict):
    """`spec` of a deployment."""

    replicas: Count
    progress_deadline_seconds: Seconds = 600
    strategy: Strategy
    selector: Selector
    template: Template


class Deployment(Strict):
    """A deployment."""

    api_version: Literal["apps/v1"]
    kind: Literal["Deployment"]
    metadata: Metadata
    spec: DeploymentSpec


class ClaimSpec(Strict):
    """`spec` of a claim."""

    access_modes: Annotated[list[Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]], Field(min_length=1)]
    storage_class_name: str | None = None
    resources: Resources


class Claim(Strict):
    """A claim on a volume."""

    api_version: Literal["v1"]
    kind: Literal["PersistentVolumeClaim"]
    metadata: Metadata
    spec: ClaimSpec


class StatefulSpec(Strict):
    """`spec` of a stateful set."""

    replicas: Count
    service_name: Name
    selector: Selector
    template: Template
    volume_claim_templates: list[Claim] = []


class StatefulSet(Strict):
    """A stateful set."""

    api_version: Literal["apps/v1"]
    kind: Literal["StatefulSet"]
    metadata: Metadata
    spec: StatefulSpec


class ServicePort(Strict):
    """A port of a service."""

    name: PortName
    port: Port
    target_port: Port | PortName
    protocol: Literal["TCP", "UDP"] = "TCP"


class ServiceSpec(Strict):
    """`spec` of a service."""

    type: Literal["ClusterIP"]
    selector: Labels
    ports: Annotated[list[ServicePort], Field(min_length=1)]


class Service(Strict):
    """A service."""

    api_version: Literal["v1"]
    kind: Literal["Service"]
    metadata: Metadata
    spec: ServiceSpec


class ServiceAccount(Strict):
    """A service account."""

    api_version: Literal["v1"]
    kind: Literal["ServiceAccount"]
    metadata: Metadata
    automount_service_account_token: bool


class ConfigMap(Strict):
    """A config map."""

    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: Metadata
    data: dict[Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")], str]


class BudgetSpec(Strict):
    """`spec` of a disruption budget."""

    min_available: Count
    selector: Selector


class Budget(Strict):
    """A disruption budget."""

    api_version: Literal["policy/v1"]
    kind: Literal["PodDisruptionBudget"]
    metadata: Metadata
    spec: BudgetSpec


class Peer(Strict):
    """One side of a network policy."""

    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None


class PolicyPort(Strict):
    """A port of a network policy."""

    protocol: Literal["TCP", "UDP"]
    port: Port


class Inward(Strict):
    """What may come in."""

    from_: Annotated[list[Peer], Field(alias="from", min_length=1)]
    ports: Annotated[list[PolicyPort], Field(min_length=1)]


class Outward(Strict):
    """What may go out."""

    to: list[Peer] = []
    ports: Annotated[list[PolicyPort], Field(min_length=1)]


class PolicySpec(Strict):
    """`spec` of a network policy."""

    pod_selector: Selector
    policy_types: list[Literal["Ingress", "Egress"]]
    ingress: list[Inward] = []
    egress: list[Outward] = []


class NetworkPolicy(Strict):
    """A network policy."""

    api_version: Literal["networking.k8s.io/v1"]
    kind: Literal["NetworkPolicy"]
    metadata: Metadata
    spec: PolicySpec


Thing = Annotated[
    Deployment | StatefulSet | Service | ServiceAccount | ConfigMap | Claim | Budget | NetworkPolicy,
    Field(discriminator="kind"),
]
_THING: TypeAdapter[Any] = TypeAdapter(Thing)


def checked(document: dict[str, Any]) -> Any:
    """The object, checked. Raises ValidationError, which names each wrong key."""
    return _THING.validate_python(document)
