"""The rule reference as Markdown, out of the models that read rule files and the effect kinds there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from flyball.configfile.reference import anchor, code, keys_of, table
from flyball.rules.catalog import Catalog
from flyball.rules.expression.forms import USAGES
from flyball.rules.profiles import SENTINELS, WORSE
from flyball.rules.reading.models import (
    ChangeForm,
    CutForm,
    DefaultsForm,
    ExpectedForm,
    ExpectForm,
    LimitsForm,
    ProfileForm,
    RetryForm,
    RuleForm,
    RuleTestForm,
    ScopeForm,
    SelectForm,
    TriggerForm,
)
from flyball.rules.reference_examples import DEFAULTS, EFFECTS, FILE, NOT_YET, NOTES, PROFILES, RULE
from flyball.rules.schema import rule_file_schema

Schema = Mapping[str, Any]
PARTS: Final[dict[str, tuple[type[BaseModel], ...]]] = {
    "trigger": (TriggerForm,),
    "scope": (ScopeForm,),
    "select": (SelectForm,),
    "expect": (ExpectForm, ExpectedForm),
    "limits": (LimitsForm,),
    "retry": (RetryForm,),
    "tests": (RuleTestForm,),
}
"""Key of a rule → the forms that stand below it."""

_HEAD: Final = """\
<!-- Generated: flyball schema rules --markdown > docs/reference/rules.md -->

# Rule files: the keys

Every key, what it takes, and an example of it. The guide to writing rules is [elsewhere](../rules.md); an editor gets
the same from `flyball schema rules`. Each example is a whole file. They stand for a lab with one Flywheel site, a
Neuroscout server `scout`, a hook `lab`, a channel `lab` and a variable `FS_LICENSE`.

An *expression* is a condition or value in the [language below](#expressions), a *template* is a text with `{{ … }}`
over the same names, a *duration* is written `30s`, `5m`, `2h`, `1d` or `1h30m`, a *glob* has `*` and `?`.
"""
_ORDER: Final = (
    *("id", "title", "site", "each", "matrix", "trigger", "scope", "settle", "let", "select", "expect", "if", "do"),
    *("when_over", "since", "mode", "limits", "retry", "tests"),
)
_UNAVAILABLE: Final = "Not available in this version."


def rule_reference(catalog: Catalog) -> str:
    """The page about rule files.

    Args:
        catalog: the effect kinds that there are.
    """
    schema = rule_file_schema(catalog)
    lines = [*_HEAD.splitlines(), "", *_file(schema), *_rule(schema), *_profiles(schema), *_effects(schema, catalog)]
    return "\n".join([*lines, *_expressions()]).rstrip() + "\n"


def in_reading_order(keys: Iterable[str]) -> list[str]:
    """Keys of a rule in the order in which people write them; what is new comes last."""
    return sorted(keys, key=lambda key: _ORDER.index(key) if key in _ORDER else len(_ORDER))


def form_keys(form: type[BaseModel]) -> list[str]:
    """The keys of a form, as people write them."""
    return [field.alias or name for name, field in form.model_fields.items()]


def _titles() -> dict[str, str]:
    """Name of a definition → title of its section."""
    titles = {form.__name__: key for key, forms in PARTS.items() for form in forms}
    return {
        **titles,
        "DefaultsForm": "defaults",
        "ProfileForm": "profiles",
        "CutForm": "metrics",
        "ChangeForm": "per_project",
    }


def _table(schema: Schema, name: str) -> list[str]:
    """The keys of one definition; those that are not available yet say so."""
    definition = schema["$defs"][name]
    keys = keys_of(definition, _titles())
    lines = table(keys)
    return [
        f"{line[:-2]} {_UNAVAILABLE} |" if f"{name}.{key}" in NOT_YET else line
        for key, line in zip(["", "", *(one.name for one in keys)], lines, strict=True)
    ]


def _file(schema: Schema) -> Iterator[str]:
    yield from ("## The file", "", *table(keys_of(schema, _titles())), "", *code(FILE), "")
    yield from (
        "## defaults",
        "",
        "What all rules of a file say unless they say otherwise. `scope`, `limits` and `retry`",
    )
    yield from ("are merged entry by entry.", "", *_table(schema, DefaultsForm.__name__), "", *code(DEFAULTS), "")


def _rule(schema: Schema) -> Iterator[str]:
    yield from ("## Keys of a rule", "")
    links = [f"[`{key}`](#{anchor(key)})" for key in in_reading_order(form_keys(RuleForm))]
    yield from (" · ".join(links), "")
    keys = {key.name: key for key in keys_of(schema["$defs"][RuleForm.__name__], _titles())}
    for key in [keys[name] for name in in_reading_order(form_keys(RuleForm))]:
        yield from (f"### {key.name}", "", key.description, "")
        what = "list of [effects](#effects)" if key.name == "do" else key.takes
        default = {"": "", "required": "; required"}.get(key.default, f"; default `{key.default}`")
        yield from (f"Takes: {what}{default}.", "")
        for form in PARTS.get(key.name, ()):
            yield from (*_table(schema, form.__name__), "")
        if key.name in NOTES:
            yield from (*NOTES[key.name].strip().splitlines(), "")
        if f"{RuleForm.__name__}.{key.name}" in NOT_YET:
            yield from (_UNAVAILABLE, "")
        elif key.name in RULE:
            yield from (*code(RULE[key.name]), "")


def _profiles(schema: Schema) -> Iterator[str]:
    yield from ("## profiles", "", "Named QC cut-offs, for `qc('name')` in every file of the folder.", "")
    yield from (*_table(schema, ProfileForm.__name__), "")
    yield from ("### metrics", "", *_table(schema, CutForm.__name__), "")
    yield from ("### per_project", "", *_table(schema, ChangeForm.__name__), "", *code(PROFILES), "")
    yield from (
        "A robust z is (value - median) / (1.4826 * MAD) among the peers: everything on the site that has the metric",
        "where the profile looks for it and agrees in what `within` names. The statistics are worked out once a day,",
        "by the site's date in UTC, and every decision names them: `n`, `median`, `mad`, and the `date` since when",
        "they hold. With fewer than `min_n` peers, or with peers that are all alike, the metric's level is unknown.",
        "",
        "`qc(name)` has `level` (`ok`, `warn`, `fail`, or unknown), the lists `fail`, `warn` and `unknown` of metrics,",
        "and `metrics`: for each its `value`, `level`, the place it was read `from`, and what it was held against.",
        "",
        "The bad direction of MRIQC's metrics is known, and a profile that says the opposite is refused:",
        "",
    )
    for worse in ("higher", "lower"):
        names = ", ".join(f"`{name}`" for name, one in sorted(WORSE.items()) if one == worse)
        yield from (f"- worse when {worse}: {names}",)
    sentinels = ", ".join(f"`{name}` {value:g}" for name, value in sorted(SENTINELS.items()))
    yield from ("", f"What MRIQC writes when it could not compute a metric counts as missing: {sentinels}.", "")


def _effects(schema: Schema, catalog: Catalog) -> Iterator[str]:
    yield from ("## effects", "", "One entry of `do` is one kind, with its parameters below it.", "")
    entries = schema["$defs"][RuleForm.__name__]["properties"]["do"]["items"]["oneOf"]
    names = {name: str(one["$ref"]) for entry in entries for name, one in entry["properties"].items()}
    for name in sorted(catalog):
        does, example = effect_example(catalog, name)
        parameters = schema["$defs"][names[name].rsplit("/", 1)[-1]]
        over = f"`when_over` is `{catalog[name].over}` by default."
        yield from (f"### {name}", "", f"{does} {over}".strip(), "", *table(keys_of(parameters, _titles())), "")
        if example:
            yield from (*code(example), "")


def effect_example(catalog: Catalog, name: str) -> tuple[str, str]:
    """What a kind does and an example of it; a kind of another package brings them as `does` and `example`."""
    kind = catalog[name]
    own = EFFECTS.get(name, ("", ""))
    return str(getattr(kind, "does", own[0])), str(getattr(kind, "example", own[1]))


def _expressions() -> Iterator[str]:
    yield from (
        "## expressions",
        "",
        "Python's syntax, cut down: names, attributes, subscripts, slices, literals, lists, `and` `or` `not`,",
        "comparisons, `in`, `+ - * / %`, `a if c else b` and comprehensions. What is missing, null, NaN or of the",
        "wrong type is unknown, and unknown does nothing. Regular expressions are RE2's.",
        "",
        "| function | written |",
        "|---|---|",
    )
    for name, usage in sorted({**USAGES, "qc": "qc('profile')"}.items()):
        yield f"| `{name}` | `{usage.replace('|', chr(92) + '|')}` |"
    yield ""
