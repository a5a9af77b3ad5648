"""Incoming webhooks: `receiving` checks and stores deliveries, `hooks` has the open ones looked at, `onsite` looks."""

from flyball.hooks.hooks import Hooks

__all__ = ["Hooks"]
