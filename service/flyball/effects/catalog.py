"""The effect kinds of this version, by name."""

from __future__ import annotations

from typing import Any

from flyball.effects.alert import Alert
from flyball.effects.launch import Launch
from flyball.effects.note import Note
from flyball.effects.scout.analysis import Analysis
from flyball.effects.scout.predictors import Predictors
from flyball.effects.tag import Tag

KINDS: dict[str, Any] = {kind.name: kind for kind in (Tag(), Note(), Alert(), Launch(), Analysis(), Predictors())}
