"""What an installed package needs to bring an effect kind of its own: the public names, in one place.

A package names its kinds in the entry-point group `flyball.effects`; the entry point's name is the kind's. What it
leads to is a class without arguments, or an instance, with the shape of `Kind`:

- `name`: the key in `do`, `[a-z][a-z0-9_]*`, or two such words joined by a dot; none of the shipped kinds.
- `params`: a model derived from `Params`, the parameters without `when`.
- `over`: `WhenOver.LEAVE`. Taking back and resolving are the ledger's own doing for the shipped kinds.
- `compile(params, when, index, compiler)`: checks for one rule, and returns an entry derived from `Entry`. Pure. Raises
  `Fault` with the place of what is wrong.
- `carry_out(effect, hands)`: one attempt; returns a `Report`, or lets the site's errors pass.

The entry's `wishes(moment)` says what is wanted. It is called for each target, so it is quick and pure: no network, no
clock, no chance (`plan`, `why` and `flyball test` call it as `run` does). A wish's `params` are JSON and complete, for
the worker sees nothing of the rule. Its `once_key`, made with `once_key(...)`, is the effect's identity in the ledger:
a wish with a key that was done already is not done again, on any replica, after any restart. Put into it whatever makes
the effect another one, and `moment.generation`, which `flyball forget` raises.

`carry_out` works with what it is lent: `hands.site` for the requests of the shipped kinds, `wire_of(hands)` for any
other; both go out under the site's key and at the site's pace, and so count in its limits and stop with it.
`effect.unclear` above zero means that an earlier attempt may have been carried out: ask the site first, with
`effect.once_key` or whatever shows it. Open no other connections to the site.

Everything in `__all__` here is kept stable within a major version. Anything else of the program may change at any time.
"""

from __future__ import annotations

from flyball.clients.exchange import Does, Request, Response, from_json, segment, to_json
from flyball.clients.flywheel.wire.reads import JSON_BODY
from flyball.effects.common import (
    ContainerLevel,
    Entry,
    Params,
    an,
    carried_out_perhaps,
    container_json,
    lacking,
    may_reach,
    node_at,
    reads_of,
)
from flyball.effects.port import Channels, Hands, Kind, Site
from flyball.effects.wire import Wire
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import FlyballError, Gone, Permanent, Refused, SiteError, Transient, UnknownOutcome
from flyball.model.levels import Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.engine import explain
from flyball.rules.expression import Expression, is_unknown
from flyball.rules.keys import once_key, suffix
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

GROUP = "flyball.effects"
"""The entry-point group in which packages name their kinds."""

__all__ = [
    "GROUP",
    "JSON_BODY",
    "Because",
    "Channels",
    "Compiler",
    "ContainerLevel",
    "Does",
    "Effect",
    "Entry",
    "Expression",
    "Fault",
    "FlyballError",
    "Gone",
    "Hands",
    "Kind",
    "Level",
    "Moment",
    "Outcome",
    "Params",
    "Permanent",
    "Refused",
    "Report",
    "Request",
    "Response",
    "Site",
    "SiteError",
    "Template",
    "Transient",
    "UnknownOutcome",
    "Verdict",
    "WhenOver",
    "Wire",
    "Wish",
    "an",
    "carried_out_perhaps",
    "container_json",
    "explain",
    "from_json",
    "is_unknown",
    "lacking",
    "may_reach",
    "node_at",
    "once_key",
    "reads_of",
    "segment",
    "suffix",
    "to_json",
    "wire_of",
]


def wire_of(hands: Hands) -> Wire:
    """The connection to the effect's Flywheel site.

    Raises:
        Permanent: the rule is on no Flywheel site.
    """
    if hands.wire is None:
        raise Permanent("this effect needs a Flywheel site, and its rule is on none")
    return hands.wire
