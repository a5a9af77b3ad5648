"""Rules about the analyses of a Neuroscout account: what makes sense for them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flyball.model.levels import Level
from flyball.rules.catalog import FLYWHEEL, EffectKind, sites_of
from flyball.rules.reading.models import RuleForm

Wrong = Callable[..., None]


def is_about_analyses(form: RuleForm, site_kinds: Mapping[str, str]) -> bool:
    """Whether a rule is about the analyses of a Neuroscout account."""
    return Level(form.each) is Level.ANALYSIS and site_kinds.get(form.site or "") == "neuroscout"


def check(form: RuleForm, site_kinds: Mapping[str, str], kinds: Iterable[EffectKind], wrong: Wrong) -> None:
    """Tell what makes no sense, of rules on each analysis of an account and of all others.

    Args:
        form: the rule.
        site_kinds: site name → `flywheel` or `neuroscout`.
        kinds: the kinds of its effects.
        wrong: told of each mistake: message, path below the rule.
    """
    mine = is_about_analyses(form, site_kinds)
    for index, trigger in enumerate(form.trigger):
        if isinstance(trigger, str):
            continue
        if trigger.analysis is not None and not mine:
            message = "the trigger `analysis` is for rules on each analysis of a Neuroscout site; name it with `site`"
            wrong(message, "trigger", index)
        if trigger.job is not None and mine:
            wrong("a Neuroscout server has no gear jobs", "trigger", index)
    if not mine:
        return
    for name in type(form.scope).model_fields:
        if getattr(form.scope, name):
            wrong(f"an analysis on Neuroscout has no {name}; say which in `if`", "scope", name)
    if form.settle:
        wrong("an analysis on Neuroscout has nothing below it that could be quiet", "settle")
    for kind in kinds:
        needs = sites_of(kind)
        if needs == FLYWHEEL:
            wrong(f"`{kind.name}` is for Flywheel sites; this rule is about analyses on Neuroscout", "do")
        elif needs:
            wrong(f"`{kind.name}` on each analysis would make one for each that it makes, without end", "do")
