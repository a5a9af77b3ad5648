"""What a rule means, written out in full, and the version that follows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flyball.rules.keys import fingerprint
from flyball.rules.matrix import Cell
from flyball.rules.profiles import Cut, Profile
from flyball.rules.reading.models import RuleForm

_NO_MEANING = frozenset(("title", "tests"))  # they change nothing that the rule does


def meaning_of(
    form: RuleForm, site: str, do: Any, notify: str | None, profiles: Mapping[str, Profile]
) -> dict[str, Any]:
    """Defaults and profiles applied; no title, no tests, no matrix.

    What has its default value is left out, so that a later version of this program with more keys does not make every
    rule a changed one.

    Args:
        form: the rule.
        site: where it is.
        do: what its effects mean.
        notify: the channel of the file's defaults; None: no effect goes by it.
        profiles: those that it uses.
    """
    meaning = form.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={*_NO_MEANING, "do", "matrix"})
    meaning |= {"site": site, "do": do}
    if notify is not None:
        meaning["notify"] = notify
    if profiles:
        meaning["profiles"] = {
            name: {
                "from": profile.places,
                "metrics": {metric: _of_cut(cut) for metric, cut in profile.metrics.items()},
                "per_project": [[globs.written, changes] for globs, changes in profile.per_project],
            }
            for name, profile in profiles.items()
        }
    return meaning


def version_of(meaning: Mapping[str, Any], cells: Iterable[Cell] | None = None) -> str:
    """A hash of a meaning, in certain cells; their order does not count."""
    if cells is None:
        return fingerprint(meaning)[:16]
    return fingerprint({**meaning, "cells": sorted(cell.id for cell in cells)})[:16]


def _of_cut(cut: Cut) -> list[Any]:
    """A metric's cut-offs, with the peer group where there is one."""
    return [cut.worse, cut.warn, cut.fail, *((cut.within, cut.min_n) if cut.within else ())]
