"""What rules are read against: the world outside of the rule files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flyball.configfile.local import ConfigFiles
from flyball.rules.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What rules are read against.

    Attributes:
        catalog: the effect kinds that there are.
        site_kinds: site name → `flywheel` or `neuroscout`.
        environment: for `env:NAME` in effects' parameters.
        channels: channel name → kind; None: not checked.
        hooks: names of the incoming webhooks; None: not checked.
        files: the config folder's files that effects name; None: not known here.
        fields_out: fields of documents that may leave in messages; None: all.
    """

    catalog: Catalog
    site_kinds: Mapping[str, str]
    environment: Mapping[str, str]
    channels: Mapping[str, str] | None = None
    hooks: frozenset[str] | None = None
    files: ConfigFiles | None = None
    fields_out: frozenset[str] | None = None
