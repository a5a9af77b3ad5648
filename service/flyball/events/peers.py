"""Peer statistics: what a robust z is held against, worked out from the mirror and frozen for a day.

Once a day, by the site's date (UTC), and only when the site has been read to the end, so that a half-read site is never
frozen. What is frozen stands in the ledger: a restart, `plan` and `why` use the same numbers, and every replica does. A
value counts itself among its peers. Every present node that has the metric where the profile looks for it counts,
whatever the rules that use the profile are about; `within` parts them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

import structlog

from flyball.ledger.peering import PAGE, Frozen, freeze, load_frozen, page
from flyball.model.levels import Level
from flyball.model.node import Node
from flyball.model.ports import Store
from flyball.rules.engine import Functions
from flyball.rules.expression import Unknown
from flyball.rules.keys import fingerprint
from flyball.rules.peers import NO_PEERS, Group, PeerKey, Peers, PeerTable, group_of, statistics
from flyball.rules.profiles import Profile, Qc
from flyball.rules.rule import Rule

log = structlog.get_logger()
QC = "qc"


class PeerBook:
    """The frozen statistics of every site.

    Args:
        store: the ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tables: dict[str, PeerTable] = {}
        self._frozen_for: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._made: dict[str, tuple[Functions, PeerTable, Functions]] = {}

    def functions(self, functions: Functions, site: str) -> Functions:
        """The functions of the expressions, with `qc` among this site's peers."""
        table = self._tables.get(site, NO_PEERS)
        made = self._made.get(site)
        if made is None or made[0] is not functions or made[1] is not table:
            qc = functions.get(QC)
            bound: Functions = {**functions, QC: qc.with_peers(table)} if isinstance(qc, Qc) else functions
            made = self._made[site] = (functions, table, bound)
        return made[2]

    async def renew(
        self,
        site: str,
        rules: Iterable[tuple[Rule, datetime | None]],
        functions: Functions,
        *,
        day: date,
        now: datetime,
    ) -> bool:
        """Bring a site's statistics to a day; whether anything was to do.

        Args:
            site: the site; it has been read to the end.
            rules: of the site, those that compare with peers, each with the bound of its `since`.
            functions: of the expressions, with the profiles in force.
            day: the site's date.
            now: the present, UTC.
        """
        qc = functions.get(QC)
        mine = list(rules)
        names = sorted({name for rule, _ in mine for name in rule.peers})
        profiles = [qc.profiles[name] for name in names if name in qc.profiles] if isinstance(qc, Qc) else []
        wanted = (day.isoformat(), tuple(meaning_of(profile) for profile in profiles))
        if self._frozen_for.get(site) == wanted:
            return False
        table: dict[PeerKey, Peers] = {}
        for profile in profiles:
            using = [(rule, since) for rule, since in mine if profile.name in rule.peers]
            frozen = await self._frozen(site, profile, using, day.isoformat(), now)
            for metric, group, since_day, n, middle, spread in frozen.rows:
                table[(profile.name, metric, tuple(group))] = Peers(since_day, n, middle, spread)
        self._tables[site] = table
        self._frozen_for[site] = wanted
        return True

    async def _frozen(
        self, site: str, profile: Profile, rules: Sequence[tuple[Rule, datetime | None]], day: str, now: datetime
    ) -> Frozen:
        meaning = meaning_of(profile)
        known = await self._store.read(partial(load_frozen, site=site, profile=profile.name))
        if known is not None and (known.day, known.meaning) == (day, meaning):
            return known
        found = Frozen(day, meaning, await self._work_out(site, profile, day))
        log.info("peers.frozen", site=site, profile=profile.name, day=day, groups=len(found.rows))
        return await self._store.write(
            partial(freeze, site=site, profile=profile.name, found=found, rules=rules, now=now)
        )

    async def _work_out(self, site: str, profile: Profile, day: str) -> list[list[Any]]:
        """Go through the mirror a page at a time; only numbers are kept."""
        level = Level(profile.places[0][0])
        looked_up = _looked_up(profile, level)
        values: dict[tuple[str, Group], array[float]] = {}
        after = ""
        while True:
            some = await self._store.read(
                partial(_values, site=site, profile=profile, level=level, after=after, looked_up=looked_up)
            )
            for key, number in some[0]:
                values.setdefault(key, array("d")).append(number)
            if some[1] is None:
                break
            after = some[1]
        rows = []
        for (metric, group), numbers in sorted(values.items()):
            one = statistics(numbers, day)
            rows.append([metric, list(group), one.date, one.n, one.median, one.mad])
        return rows


def meaning_of(profile: Profile) -> str:
    """Fingerprint of all that a profile's statistics hang on; its cut-offs are not among it."""
    return fingerprint([profile.name, profile.places, {metric: cut.within for metric, cut in profile.peered.items()}])


def _looked_up(profile: Profile, level: Level) -> list[Level]:
    """The ancestors whose documents must be read to find a node's group; of the others the id is enough."""
    roots = {path[0] for cut in profile.peered.values() for path in cut.within if len(path) > 1}
    return [one for one in Level if str(one) in roots and one is not level]


def _values(
    connection: Any, *, site: str, profile: Profile, level: Level, after: str, looked_up: Sequence[Level]
) -> tuple[list[tuple[tuple[str, Group], float]], str | None]:
    """Metric, group and value of the next nodes, and the last id; None when there are no more."""
    found: list[tuple[tuple[str, Group], float]] = []
    some = page(connection, site, level, after, looked_up)
    for node, ancestors in some:
        numbers = {
            metric: number
            for metric in profile.peered
            if (number := profile.value(metric, {str(level): node.doc})) is not None
        }
        if numbers:
            names = _names(node, ancestors)
            for metric, number in numbers.items():
                group = group_of(profile.peered[metric].within, names)
                if not isinstance(group, Unknown):
                    found.append(((metric, group), number))
    return found, some[-1][0].id if len(some) == PAGE else None


def _names(node: Node, ancestors: Mapping[Level, Node]) -> dict[str, Any]:
    """The names that a peer group is told from: ids of all ancestors, documents of those that were read."""
    names: dict[str, Any] = {name: {"id": ident} for name, ident in node.parents.items()}
    names |= {str(level): one.doc for level, one in ancestors.items()}
    return {**names, str(node.level): node.doc}
