"""An emulated Neuroscout server: state and behaviour as plain values, spoken over HTTP by the sandbox.

It behaves like the real server of 2024 on everything that a client can trip over: time stamps cut to
tens of minutes, lists without order, edits dropped with a 200, connections closed where a handler
would crash, web pages where an address is unknown.
"""

from flyball.sandbox.scout.habits import Habits
from flyball.sandbox.scout.state import Scout
from flyball.sandbox.scout.world import build_scout

__all__ = ["Habits", "Scout", "build_scout"]
