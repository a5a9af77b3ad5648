"""What the crew lends to effects: on each Flywheel site, on each Neuroscout server, and where there is no site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flyball.adapters.folder import DataFolder
from flyball.adapters.folders import LabFolders
from flyball.adapters.posting import Posting
from flyball.effects.port import Channels, Hands
from flyball.model.ports import Clock
from flyball.rules.cells import NOWHERE
from flyball.scouting import Scouts
from flyball.settings import Settings
from flyball.sites import SiteParts
from flyball.workers.hands import NO_SITE
from flyball.workers.reporting import ReportPress

NO_WAIT = (2.0, 60.0)  # seconds after an unclear end, of what is on no site: as the sites' own default


def lend(
    settings: Settings,
    sites: Mapping[str, SiteParts],
    scouts: Scouts,
    poster: Posting,
    press: ReportPress,
    common: tuple[Channels, Callable[[str], str]],
    clock: Clock,
) -> dict[str, Hands]:
    """Site → what effects of its rules may use; the Neuroscout servers are lent to all.

    Args:
        settings: of the lab.
        sites: the Flywheel sites.
        scouts: the Neuroscout servers.
        poster: posts to addresses of the lab's.
        press: makes reports.
        common: the message channels, and what resolves secrets.
        clock: the time.
    """
    folder = DataFolder(settings.data_dir, settings.config_dir)
    lent: dict[str, Any] = {"scouts": scouts.lent, "lab": LabFolders(settings.config_dir, settings.data_dir)}
    nowhere = Hands(NO_SITE, *common, clock.now(), NO_WAIT, folder=folder, poster=poster, **lent)
    found = {NOWHERE: nowhere}
    for name, scout in scouts.parts.items():
        found[name] = replace(nowhere, unclear_wait=scout.unclear_wait)
    for name, site in sites.items():
        found[name] = replace(site.hands(*common, clock, folder, poster, press), **lent)
    return found
