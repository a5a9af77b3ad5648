"""The settings reference as Markdown, out of the models that read `flyball.yaml`. Pure."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from flyball.configfile.reference import code, keys_of, table
from flyball.configfile.schema import Generator, without_null_defaults
from flyball.settings.keeping import Keep
from flyball.settings.model import Settings
from flyball.settings.parts import (
    EmailChannel,
    Heartbeat,
    Hook,
    Http,
    Log,
    LogChannel,
    SlackChannel,
    TeamsChannel,
    WebhookChannel,
)
from flyball.settings.sites import FlywheelSite, NeuroscoutSite, Poll, ScoutLimits, SiteLimits, Timeouts, UnclearWait

_HEAD: Final = """\
<!-- Generated: flyball schema settings --markdown > docs/reference/settings.md -->

# Settings

The file is `flyball.yaml` in the config folder. Every key can also be set in the environment, which beats the file:
`FLYBALL_HTTP__PORT=8080`, `FLYBALL_SITES__MAIN__API_KEY=…`, names in capitals and joined by two underscores. Instead of
any value there may stand `env:NAME`, `env:NAME?` (left out when the variable is not set) or `file:/path`. A *secret*
must be written like this, unless it guards nothing beyond this machine. A *duration* is written `30s`, `5m`, `2h`.

An editor gets the same from `flyball schema settings`. Each example is a whole file.
"""

SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "The file": Settings,
    "sites: Flywheel": FlywheelSite,
    "poll": Poll,
    "limits": SiteLimits,
    "unclear_wait": UnclearWait,
    "timeouts": Timeouts,
    "sites: Neuroscout": NeuroscoutSite,
    "limits of a Neuroscout server": ScoutLimits,
    "http": Http,
    "hooks": Hook,
    "channels: log": LogChannel,
    "channels: webhook": WebhookChannel,
    "channels: slack": SlackChannel,
    "channels: teams": TeamsChannel,
    "channels: email": EmailChannel,
    "heartbeat": Heartbeat,
    "keep": Keep,
    "log": Log,
}
"""Title → the model that is explained there."""

_MAIN: Final = "sites: {main: {api_key: env:FLYWHEEL_API_KEY}}\n"

EXAMPLES: Final = {
    "The file": """
sites:
  main: {kind: flywheel, api_key: env:FLYWHEEL_API_KEY}
store: embedded
data: var
rules: rules
http: {port: 8080}
hooks: {lab: {secret: env:HOOK_SECRET}}
channels: {lab: {kind: slack, url: env:SLACK_URL}}
fields_out: [subject.label, session.label, acquisition.label]
heartbeat: {url: env:HEARTBEAT_URL, every: 5m}
keep: {decisions: 90d}
log: {level: info}
""",
    "sites: Flywheel": """
sites:
  main:
    kind: flywheel
    api_key: env:FLYWHEEL_API_KEY
    poll: {every: 30s}
    limits: {concurrency: 16}
    unclear_wait: 5s         # for all three waits
    timeouts: {whole: 10m}
""",
    "poll": """
sites:
  main:
    api_key: env:FLYWHEEL_API_KEY
    poll: {every: 1m, overlap: 5m, sweep: 12h}
""",
    "limits": """
sites:
  main:
    api_key: env:FLYWHEEL_API_KEY
    limits: {concurrency: 4, per_second: 10}
""",
    "unclear_wait": """
sites:
  main:
    api_key: env:FLYWHEEL_API_KEY
    unclear_wait: {reset: 5s, timeout: 2m, late: 1m}
""",
    "timeouts": """
sites:
  main:
    api_key: env:FLYWHEEL_API_KEY
    timeouts: {connect: 5s, silence: 30s, whole: 10m}
""",
    "sites: Neuroscout": """
sites:
  main: {api_key: env:FLYWHEEL_API_KEY}
  scout:
    kind: neuroscout
    url: https://neuroscout.org/api
    email: env:NEUROSCOUT_EMAIL
    password: env:NEUROSCOUT_PASSWORD
    poll: {every: 5m}
    limits: {per_second: 2}
    unclear_wait: 1m
    timeouts: {silence: 2m}
""",
    "limits of a Neuroscout server": """
sites:
  scout: {kind: neuroscout, limits: {concurrency: 4, per_second: 5, compiling: 2}}
""",
    "http": f"""
{_MAIN}http: {{host: 127.0.0.1, port: 8080, token: "file:/run/secrets/flyball-token"}}
""",
    "hooks": f"""
{_MAIN}hooks:
  lab: {{secret: env:HOOK_SECRET}}      # POST /hooks/lab
""",
    "channels: log": f"""
{_MAIN}channels:
  quiet: {{kind: log, min_severity: error, digest: "07:30", zone: Europe/Berlin}}
""",
    "channels: webhook": f"""
{_MAIN}channels:
  lab:
    kind: webhook
    url: https://lab.example.org/alerts
    secret: env:HOOK_SECRET
    min_severity: warning
    digest: "07:30"
    zone: Europe/Berlin
""",
    "channels: slack": f"""
{_MAIN}channels:
  lab: {{kind: slack, url: env:SLACK_URL, min_severity: info, digest: "07:30", zone: America/New_York}}
""",
    "channels: teams": f"""
{_MAIN}channels:
  lab: {{kind: teams, url: env:TEAMS_URL, min_severity: info, digest: "07:30", zone: UTC}}
""",
    "channels: email": f"""
{_MAIN}channels:
  ops:
    kind: email
    to: [ops@example.org]
    smtp: env:SMTP_URL
    sender: flyball@lab.example.org
    min_severity: warning
    digest: "18:00"
    zone: UTC
""",
    "heartbeat": f"""
{_MAIN}heartbeat: {{url: env:HEARTBEAT_URL, every: 5m}}
""",
    "keep": f"""
{_MAIN}keep: {{events: 30d, decisions: 90d, attempts: 30d, intents: 7d, max_mb: 5000}}
""",
    "log": f"""
{_MAIN}log: {{format: json, level: info}}
""",
}
"""Title → an example with all keys of that section."""


def settings_reference() -> str:
    """The page about the settings."""
    schema: dict[str, Any] = without_null_defaults(Settings.model_json_schema(schema_generator=Generator))
    titles = {model.__name__: title for title, model in SECTIONS.items()}
    lines = [*_HEAD.splitlines(), ""]
    for title, model in SECTIONS.items():
        part = schema if model is Settings else schema["$defs"][model.__name__]
        about = [] if model is Settings else [str(part.get("description", "")), ""]
        lines += [f"## {title}", "", *about, *table(keys_of(part, titles)), "", *code(EXAMPLES[title]), ""]
    return "\n".join(lines).rstrip() + "\n"
