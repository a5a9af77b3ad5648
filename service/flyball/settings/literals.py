"""Secrets that stand in the settings file itself, although they guard something beyond this machine."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from flyball.configfile.addresses import passwords_in
from flyball.configfile.hosts import is_loopback
from flyball.configfile.problems import annotation_at
from flyball.configfile.tree import Path as Keys
from flyball.model.place import Problem
from flyball.settings.model import EMBEDDED, Settings
from flyball.settings.sites import FlywheelSite
from flyball.settings.sources import Source


def literal_secrets(settings: Settings, file: Source, given: Source) -> list[Problem]:
    """What is wrong with the secrets in the file; a value that the environment replaces does not count."""
    problems = []
    for path in sorted(file.literal, key=lambda one: (file.places[one].line, file.places[one].column)):
        if path in given.places or SecretStr not in _types_of(settings, path):
            continue
        host = _guarded(settings, path)
        if host is None or is_loopback(host):
            continue
        problems.append(
            Problem(
                file.places[path],
                f"`{path[-1]}`: a secret stands in the file; write env:NAME or file:/path instead "
                "(only what stays on this machine may stand here)",
            )
        )
    return problems


def _types_of(settings: Settings, path: Keys) -> list[Any]:
    """The declared types of one setting, with the kind of site or channel that it has."""
    node: Any = settings
    for part in path[:-1]:
        node = node[part] if isinstance(node, dict) else getattr(node, str(part), None)
    return annotation_at(type(node), path[-1:])


def _guarded(settings: Settings, path: Keys) -> str | None:
    """The host that a secret gives access to; None when the text holds no secret at all."""
    match path:
        case ("sites", str(name), "api_key"):
            site = settings.sites[name]
            key = site.api_key.get_secret_value() if isinstance(site, FlywheelSite) and site.api_key else ""
            return host_of_key(key)
        case ("sites", str(name), _):
            return urlsplit(getattr(settings.sites[name], "url", "")).hostname or ""
        case ("store",):
            text = settings.store.get_secret_value()
            if text == EMBEDDED or not passwords_in(text):
                return None
            return urlsplit(text).hostname or ""
        case ("channels", str(name), "url" | "smtp" as key):
            channel = settings.channels[name]
            address = urlsplit(getattr(channel, key).get_secret_value())
            bare = not address.username and not address.query
            return None if bare and channel.kind in ("webhook", "email") else address.hostname or ""
        case ("channels", str(name), "secret"):
            return _host_of(getattr(settings.channels[name], "url", SecretStr("")))
        case ("heartbeat", "url"):
            return "" if settings.heartbeat is None else _host_of(settings.heartbeat.url)
        case _:  # the token, and the secrets of hooks: they guard our own server
            return settings.http.host


def _host_of(address: SecretStr) -> str:
    return urlsplit(address.get_secret_value()).hostname or ""


def host_of_key(key: str) -> str:
    """The host in a Flywheel API key of any form, or an empty text."""
    rest = key.strip().split(" ")[-1]
    rest = rest.split("://", 1)[-1]
    if rest.startswith("["):
        return rest[1:].split("]", 1)[0]
    return rest.split(":", 1)[0].split("/", 1)[0]
