"""On which site a rule is: the one that it names, or the only one of the kind that it needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flyball.configfile.suggest import instead
from flyball.model.levels import Level
from flyball.rules.catalog import FLYWHEEL, EffectKind, sites_of
from flyball.rules.cells import NOWHERE
from flyball.rules.reading.models import RuleForm
from flyball.rules.reading.scouting import Wrong, is_about_analyses


def site_of(
    form: RuleForm, site_kinds: Mapping[str, str], effect_kinds: Iterable[EffectKind], wrong: Wrong
) -> str | None:
    """The site's name; `NOWHERE` for a rule that needs none, None after a mistake was told.

    Args:
        form: the rule.
        site_kinds: site name → `flywheel` or `neuroscout`.
        effect_kinds: the kinds of its effects; what a rule on cells needs is said by them alone.
        wrong: told of each mistake: message, path below the rule.
    """
    of_cells = Level(form.each) is Level.MATRIX
    needs = [found for kind in effect_kinds if (found := sites_of(kind))] if of_cells else [FLYWHEEL]
    fits = frozenset.intersection(*needs) if needs else frozenset(site_kinds.values())
    if needs and not fits:
        wrong("the effects of this rule need sites of different kinds; make two rules of it", "do", key=True)
        return None
    words = " or ".join(sorted(one.capitalize() for one in fits))
    if form.site is not None:
        kind = site_kinds.get(form.site)
        if kind is None:
            wrong(f"there is no site `{form.site}` in the settings; {instead(form.site, site_kinds)}", "site")
        elif kind not in fits and of_cells:
            wrong(f"the effects need a {words} site; `{form.site}` is a {kind} server", "site")
        elif kind not in fits and not is_about_analyses(form, site_kinds):
            wrong(f"the site `{form.site}` is a {kind} server and has no {form.each}", "site")
        return form.site
    if not needs:
        return NOWHERE
    fitting = sorted(name for name, kind in site_kinds.items() if kind in fits)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        wrong(f"there are several {words} sites; say which with `site`: {', '.join(fitting)}")
    else:
        wrong(f"there is no {words} site in the settings for this rule; add one under `sites`")
    return None
