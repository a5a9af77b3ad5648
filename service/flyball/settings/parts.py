"""The settings by topic: server, hooks, channels, heartbeat, logs. Each is explained where it is declared."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from flyball.configfile.durations import Duration, within

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$", max_length=40)]
"""Name of a site, hook or channel: usable in addresses and environment variables without quoting."""

Severity = Literal["info", "warning", "error"]


class Part(BaseModel):
    """Base of all parts: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _web_address(value: SecretStr) -> SecretStr:
    plain_web_address(value.get_secret_value())
    return value


def plain_web_address(value: str) -> str:
    """An http(s) address without a slash at its end.

    Raises:
        ValueError: it is none. The text does not repeat the address.
    """
    if not value.startswith(("http://", "https://")) or len(value.split("://", 1)[1].split("/", 1)[0]) == 0:
        raise ValueError("this is no address: write https://host/path, or env:NAME for a secret one")
    if any(character.isspace() for character in value):
        raise ValueError("an address holds no blanks")
    return value.rstrip("/")


MailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+$", max_length=254)]
SecretAddress = Annotated[SecretStr, AfterValidator(_web_address)]
Address = Annotated[str, AfterValidator(plain_web_address)]


class Http(Part):
    """The daemon's own HTTP server: health, status, API, hooks."""

    host: Annotated[str, Field(min_length=1)] = Field(
        default="127.0.0.1",
        description="Address to listen on. Loopback by default, since without a token everybody who reaches the port "
        "may read; 0.0.0.0 in a container.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8080, description="TCP port; 0 takes any free one, which the log names."
    )
    token: SecretStr | None = Field(
        default=None,
        description="Bearer token that reading from elsewhere, and acting, need. Without one everything but health, "
        "metrics and hooks answers on loopback only, and nothing can be acted on.",
    )


class Hook(Part):
    """One incoming webhook, `POST /hooks/NAME`."""

    secret: SecretStr = Field(
        description="Key of the HMAC-SHA256 signature that each delivery carries. A hook without one is refused: "
        "anybody could make the daemon look."
    )


def _mail_server(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("a mail server is written smtp(s)://user:password@host:port; with env:NAME for a secret one")
    return value


MailServer = Annotated[SecretStr, AfterValidator(_mail_server)]


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("there is no such time zone; write a name such as Europe/Berlin or UTC") from None
    return value


class _Channel(Part):
    min_severity: Severity = Field(
        default="info", description="Least severity that is sent. `error` keeps a pager quiet, `info` sends everything."
    )
    digest: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = Field(
        default=None, description="Time of day (HH:MM) at which what is below `error` is sent together; else at once."
    )
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="Time zone of `digest`, such as Europe/Berlin. UTC, as containers have it."
    )


class LogChannel(_Channel):
    """Messages into the daemon's own log."""

    kind: Literal["log"] = Field(description="log")


class WebhookChannel(_Channel):
    """Messages as JSON to an address of the lab's."""

    kind: Literal["webhook"] = Field(description="webhook")
    url: SecretAddress = Field(description="Where the JSON is posted.")
    secret: SecretStr | None = Field(
        default=None, description="Key of the HMAC-SHA256 signature in X-Hub-Signature-256; without one, none is sent."
    )


class SlackChannel(_Channel):
    """Messages to a Slack incoming webhook."""

    kind: Literal["slack"] = Field(description="slack")
    url: SecretAddress = Field(description="The incoming webhook's address, itself a secret.")


class TeamsChannel(_Channel):
    """Messages to a Microsoft Teams workflow address."""

    kind: Literal["teams"] = Field(description="teams")
    url: SecretAddress = Field(description="The workflow's address, itself a secret.")


class EmailChannel(_Channel):
    """Messages by mail."""

    kind: Literal["email"] = Field(description="email")
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1)] = Field(description="Addresses of the recipients.")
    smtp: MailServer = Field(
        description="Mail server as smtp(s)://user:password@host:port (465 for smtps, else 587). `smtp` changes to TLS "
        "where the server offers it, and must before a password is sent to another machine."
    )
    sender: MailAddress | None = Field(
        default=None,
        description="Address that the mails come from. By default flyball@ and the first recipient's host.",
    )


Channel = Annotated[
    LogChannel | WebhookChannel | SlackChannel | TeamsChannel | EmailChannel, Field(discriminator="kind")
]
"""Where alerts go."""


class Heartbeat(Part):
    """A sign of life to a dead man's switch, so that silence of the daemon is itself noticed."""

    url: SecretAddress = Field(description="Address that is fetched with GET, itself a secret.")
    every: Annotated[Duration, within("1s")] = Field(
        default=timedelta(minutes=5),
        description="How often. Five minutes suits the usual switches; much shorter only makes traffic.",
    )


class Log(Part):
    """The daemon's own log, on the standard error stream."""

    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json: one object a line; console: for people; auto: console on a terminal."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is written. `debug` adds a line for each request."
    )
