"""An emulated Flywheel site and Neuroscout server: state and behaviour as plain values, spoken over HTTP.

It imports neither the clients nor the model of the daemon, so a mistake that they share cannot hide.
"""

from flyball.sandbox.dialect import LIVE19, V23, Dialect
from flyball.sandbox.faults import Fault, FaultPlan
from flyball.sandbox.sandbox import Sandbox, serve
from flyball.sandbox.scenario import Scenario, ScenarioError
from flyball.sandbox.state import Site

__all__ = [
    "LIVE19",
    "V23",
    "Dialect",
    "Fault",
    "FaultPlan",
    "Sandbox",
    "Scenario",
    "ScenarioError",
    "Site",
    "serve",
]
