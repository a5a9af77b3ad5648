"""The evaluator against a slow and obvious one, on random expressions and random dirty documents."""

from __future__ import annotations

import ast
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flyball.rules.expression import Context, ExpressionError, Unknown, compile_expression, next_flip
from property.expression_reference import NOW, Gap, Reference
from property.expression_strategies import ROOTS, expressions, moving_conditions, worlds

QUICK = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEEP = settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def agree(ours: Any, theirs: Any) -> bool:
    """Whether two values are the same, unknowns included."""
    if isinstance(theirs, Gap) or isinstance(ours, Unknown):
        return isinstance(theirs, Gap) and isinstance(ours, Unknown)
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(ours) == len(theirs) and all(agree_element(a, b) for a, b in zip(ours, theirs, strict=True))
    return type(ours) is type(theirs) and repr(ours) == repr(theirs)


def agree_element(ours: Any, theirs: Any) -> bool:
    """The same for elements, where an unknown is null."""
    if isinstance(theirs, Gap):
        return ours is None
    if isinstance(theirs, list):
        return agree(ours, theirs)
    large = isinstance(theirs, int) and not isinstance(theirs, bool) and abs(theirs) >= 1 << 63
    return repr(ours) == repr(float(theirs) if large else theirs)


def compare_with_reference(source: str, world: dict[str, Any]) -> None:
    """Evaluates both ways, and explains."""
    expression = compile_expression(source, names=ROOTS)
    context = Context(world, NOW)
    tree = ast.parse(source, mode="eval").body
    truth = expression.test(context)
    assert truth is True or truth is False or isinstance(truth, Unknown)
    if isinstance(truth, Unknown) and truth.reason.startswith("stopped"):
        return
    assert agree(truth, Reference(world).truth(tree)), (source, truth)
    value = expression.value(context)
    expected = Reference(world).value(tree)
    if isinstance(expected, int) and not isinstance(expected, bool) and abs(expected) >= 1 << 63:
        expected = float(expected)
    assert agree(value, expected), (source, value, expected)
    told = expression.explain(context)
    assert agree(told.value, truth if not isinstance(truth, Unknown) else Gap()), source
    assert told.lines[0].result == ("unknown" if isinstance(truth, Unknown) else str(truth).lower())
    assert told.lines[0].note == (truth.reason if isinstance(truth, Unknown) else "")
    json.dumps(told.as_json(), allow_nan=False)
    valued = expression.explain(context, as_condition=False)
    assert repr(valued.value) == repr(value)


@QUICK
@given(source=expressions(), world=worlds)
@example("len([v0 for v0 in items if v0.x]) > 0", {"doc": 1, "items": [{"x": True}, {}]})
def test_the_evaluator_does_what_the_rules_say(source: str, world: dict[str, Any]) -> None:
    """Compiled closures, the reference and the explanation agree on every expression and document."""
    compare_with_reference(source, world)


@pytest.mark.slow
@DEEP
@given(source=expressions(4), world=worlds)
def test_the_evaluator_does_what_the_rules_say_at_length(source: str, world: dict[str, Any]) -> None:
    """The same with larger expressions and many more of them."""
    compare_with_reference(source, world)


@QUICK
@given(
    source=st.text(max_size=60) | st.text("()[]{}'\"\\abf.0123 <>=!+-*/%,:&|\n\t#andortin", max_size=60), world=worlds
)
def test_any_text_is_refused_or_evaluated(source: str, world: dict[str, Any]) -> None:
    """Whatever is written: an ExpressionError with a place in the text, or an answer."""
    refused: ExpressionError | None = None
    try:
        expression = compile_expression(source, names=ROOTS)
    except ExpressionError as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.column <= len(source)
        assert refused.message
        return
    truth = expression.test(Context(world, NOW))
    assert truth is True or truth is False or isinstance(truth, Unknown)


@QUICK
@given(
    source=moving_conditions(),
    minutes=st.integers(-3000, 3000),
    others=st.integers(-3000, 3000),
    share=st.floats(0, 1, exclude_max=True),
)
def test_nothing_changes_before_the_next_flip(source: str, minutes: int, others: int, share: float) -> None:
    """Until the named instant, less its margin, a decision that reads the present time stays as it was."""
    created, second = (NOW + timedelta(minutes=m, seconds=0.5) for m in (minutes, others))
    world = {"doc": {"created": created.isoformat(), "z": {"created": second.isoformat()}, "x": 2}, "flag": None}
    expression = compile_expression(source, names=ROOTS)
    before = expression.test(Context(world, NOW))
    flip = next_flip(expression, Context(world, NOW))
    end = flip - timedelta(milliseconds=2) if flip is not None else NOW + timedelta(days=3650)
    if end <= NOW:
        return
    at = NOW + (end - NOW) * share
    after = expression.test(Context(world, at))
    assert isinstance(before, Unknown) == isinstance(after, Unknown), (source, at)
    assert isinstance(before, Unknown) or before is after, (source, at)
