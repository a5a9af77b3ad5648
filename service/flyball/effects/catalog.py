"""The effect kinds of this version, by name."""

from __future__ import annotations

from typing import Any

from flyball.effects.alert import Alert
from flyball.effects.collection import Collection
from flyball.effects.containers import Containers
from flyball.effects.download import Download
from flyball.effects.info import Info
from flyball.effects.launch import Launch
from flyball.effects.note import Note
from flyball.effects.post import Post
from flyball.effects.report import ReportKind
from flyball.effects.scout.analysis import Analysis
from flyball.effects.scout.predictors import Predictors
from flyball.effects.tag import Tag
from flyball.effects.upload import Upload
from flyball.effects.view import View

_ALL = (
    *(Tag(), Note(), Alert(), Launch(), Info()),
    *(Collection(), View(), ReportKind(), Download(), Upload(), Containers(), Post()),
    *(Analysis(), Predictors()),
)
KINDS: dict[str, Any] = {kind.name: kind for kind in _ALL}
