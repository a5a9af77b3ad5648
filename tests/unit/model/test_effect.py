"""What an effect says of itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flyball.model.effect import Effect, EffectState
from flyball.model.levels import Level
from flyball.model.node import Target

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(("unclear", "looked", "wanted"), [(0, 0, False), (1, 0, True), (3, 0, True), (1, 1, False)])
def test_only_two_empty_answers_clear_an_attempt_up(unclear: int, looked: int, wanted: bool) -> None:
    """The look under way counts as one; an attempt whose end is known needs none."""
    target = Target("main", Level.SESSION, "s1", "g/p/s/e")
    effect = Effect(
        *("1", "main", "bold-qc", target, "tag", EffectState.RUNNING, "fb-key", "0.tag", "tag X", {}, NOW, NOW),
        unclear=unclear,
        looked=looked,
    )
    assert effect.wants_another_look is wanted
