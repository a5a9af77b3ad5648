"""Settings: `config/flyball.yaml`, every key also as `FLYBALL_…` environment variable, secrets by reference."""

from flyball.settings.keeping import Keep
from flyball.settings.loading import SettingsError, load_settings
from flyball.settings.model import EMBEDDED, Settings
from flyball.settings.parts import (
    Channel,
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
from flyball.settings.schema import settings_schema
from flyball.settings.sites import FlywheelSite, NeuroscoutSite, Poll, Site, SiteLimits, Timeouts, UnclearWait

__all__ = [
    "EMBEDDED",
    "Channel",
    "EmailChannel",
    "FlywheelSite",
    "Heartbeat",
    "Hook",
    "Http",
    "Keep",
    "Log",
    "LogChannel",
    "NeuroscoutSite",
    "Poll",
    "Settings",
    "SettingsError",
    "Site",
    "SiteLimits",
    "SlackChannel",
    "TeamsChannel",
    "Timeouts",
    "UnclearWait",
    "WebhookChannel",
    "load_settings",
    "settings_schema",
]
