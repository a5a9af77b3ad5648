"""The message channels of the settings, put together: how each is spoken to, and what it takes."""

from __future__ import annotations

from datetime import time

from flyball.adapters.channels.book import Channel, ChannelBook, ChatChannel, MailChannel, WebhookChannel
from flyball.adapters.channels.book import LogChannel as LogWriter
from flyball.adapters.channels.slack import slack_payload
from flyball.adapters.channels.smtp import MailServer
from flyball.adapters.channels.teams import teams_payload
from flyball.rules.posting import Digest, Route
from flyball.settings import Settings
from flyball.settings.parts import Channel as ChannelSettings
from flyball.settings.parts import EmailChannel, LogChannel, SlackChannel, TeamsChannel
from flyball.settings.parts import WebhookChannel as Webhook


def book_of(settings: Settings) -> ChannelBook:
    """All channels, ready to send; nothing is sent yet."""
    return ChannelBook({name: _channel(name, one) for name, one in settings.all_channels.items()})


def routes_of(settings: Settings) -> dict[str, Route]:
    """Channel → what it takes, and when."""
    return {name: _route(one) for name, one in settings.all_channels.items()}


def _channel(name: str, settings: ChannelSettings) -> Channel:
    match settings:
        case Webhook():
            secret = None if settings.secret is None else settings.secret.get_secret_value()
            return WebhookChannel(name, settings.url.get_secret_value(), secret)
        case SlackChannel():
            return ChatChannel(name, settings.url.get_secret_value(), slack_payload)
        case TeamsChannel():
            return ChatChannel(name, settings.url.get_secret_value(), teams_payload)
        case EmailChannel():
            server = MailServer.parse(settings.smtp.get_secret_value())
            return MailChannel(name, server, settings.to, settings.sender)
        case LogChannel():
            return LogWriter()


def _route(settings: ChannelSettings) -> Route:
    if settings.digest is None:
        return Route(settings.min_severity)
    hour, minute = settings.digest.split(":")
    return Route(settings.min_severity, Digest(time(int(hour), int(minute)), settings.zone))
