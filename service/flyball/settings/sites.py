"""The settings of a site: where it is, how it is asked, how fast."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, SecretStr, Tag, model_validator

from flyball.configfile.durations import Duration, within
from flyball.configfile.schema import Also
from flyball.settings.parts import Address, Part

_TICK = "50ms"


class Poll(Part):
    """How a site is watched."""

    every: Annotated[Duration, within(_TICK, "1d")] = Field(
        default=timedelta(seconds=30),
        description="Pause between two rounds. A round costs one request a stream when nothing changed, so 30 s is "
        "light; shorter reacts sooner, longer spares a slow site.",
    )
    overlap: Annotated[Duration, within("0", "1d")] = Field(
        default=timedelta(minutes=2),
        description="How far each round looks back behind the newest change seen, for writes that become visible late "
        "and clocks that differ between a site's servers. 0 trusts the site's clock.",
    )
    sweep: Annotated[Duration, within(_TICK)] = Field(
        default=timedelta(hours=24),
        description="Pause between two full comparisons, which find what polling cannot see (deletions, moves).",
    )


class SiteLimits(Part):
    """How hard a site may be worked. One budget for everything that the daemon asks of it."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = Field(
        default=16, description="Requests under way at once; the daemon uses fewer while the site is slow or says 429."
    )
    per_second: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] = Field(
        default=50.0, description="Requests a second, with a burst of one second's worth; 0 for no such limit."
    )

    @property
    def rate(self) -> float | None:
        """Requests a second, None for no such limit."""
        return self.per_second or None


class UnclearWait(Part):
    """How long to wait, after a write got no usable answer, before the site is asked whether it was carried out."""

    reset: Duration = Field(
        default=timedelta(seconds=2),
        description="After a reset connection or a kill of ours: the site has stopped or finished the work by then.",
    )
    timeout: Duration = Field(
        default=timedelta(seconds=60),
        description="After a time-out of our own: the site may still be at work. Too short a wait risks a double.",
    )
    late: Duration = Field(
        default=timedelta(seconds=20),
        description="Least pause between the first question and the second, and last, one: a site may carry a request "
        "out long after the connection, or the daemon, is gone. It only holds up what must be sent again.",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_for_both(cls, value: Any) -> Any:
        return {"reset": value, "timeout": value, "late": value} if isinstance(value, (str, int)) else value


class Timeouts(Part):
    """When a request counts as lost."""

    connect: Annotated[Duration, within(_TICK)] = Field(
        default=timedelta(seconds=10), description="For a connection to be made."
    )
    silence: Annotated[Duration, within(_TICK)] = Field(
        default=timedelta(seconds=60), description="Without a byte from the site."
    )
    whole: Annotated[Duration, within(_TICK)] = Field(
        default=timedelta(minutes=5), description="For the whole exchange; big pages of a slow site need minutes."
    )


class _Site(Part):
    poll: Poll = Field(default=Poll(), description="How the site is watched.")
    limits: SiteLimits = Field(default=SiteLimits(), description="How hard the site may be worked.")
    unclear_wait: Annotated[UnclearWait, Also({"type": "string", "examples": ["2s"]})] = Field(
        default=UnclearWait(), description="How long to wait before asking about a write without an answer."
    )
    timeouts: Timeouts = Field(default=Timeouts(), description="After what time a request is given up.")


class FlywheelSite(_Site):
    """A Flywheel site."""

    kind: Literal["flywheel"] = Field(default="flywheel", description="flywheel")
    api_key: SecretStr | None = Field(
        default=None,
        description="The API key, with its host: host:key, host:port:key, host:port:__force_insecure:key, each also "
        "after http:// or https://. Without one, the login of Flywheel's command line program is used.",
    )


class ScoutLimits(SiteLimits):
    """How hard a Neuroscout server may be worked."""

    compiling: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8,
        description="Analyses of the daemon in the server's compile queue at once. Others share it: a large number "
        "makes them wait behind yours, 1 compiles one after another.",
    )


class NeuroscoutSite(_Site):
    """A Neuroscout server."""

    limits: ScoutLimits = Field(default=ScoutLimits(), description="How hard the server may be worked.")

    kind: Literal["neuroscout"] = Field(description="neuroscout")
    url: Address = Field(default="https://neuroscout.org/api", description="Address of the server's API.")
    email: str | None = Field(default=None, description="The account's mail address; without one, only reading works.")
    password: SecretStr | None = Field(default=None, description="The account's password.")

    @property
    def has_account(self) -> bool:
        """Whether there is an account: without one, nothing is watched and nothing is made."""
        return self.email is not None and self.password is not None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.email is None) != (self.password is None):
            raise ValueError("`email` and `password` belong together; set both or neither")
        return self


def _kind(value: Any) -> Any:
    """A site without `kind` is a Flywheel site, so that one environment variable is enough for one."""
    return value.get("kind", "flywheel") if isinstance(value, dict) else getattr(value, "kind", "flywheel")


Site = Annotated[
    Annotated[FlywheelSite, Tag("flywheel")] | Annotated[NeuroscoutSite, Tag("neuroscout")], Discriminator(_kind)
]
"""One server, with its credentials."""
