"""JSON Schema of rule files, for editors: from the models that read them and the effect kinds that there are. Pure."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from flyball.configfile.schema import Generator, without_null_defaults
from flyball.rules.catalog import Catalog
from flyball.rules.reading.models import DefaultsForm, Form, ProfileForm, RuleForm
from flyball.rules.rule import Since

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TOP: tuple[type[Form], ...] = (DefaultsForm, ProfileForm, RuleForm)
_WHEN = {"type": ["string", "boolean"], "description": "Condition of this effect alone, besides the rule's `if`."}


class _Generator(Generator):
    def encode_default(self, dft: Any) -> Any:
        """`since: now` as people write it."""
        return "now" if dft == Since() else super().encode_default(dft)


def rule_file_schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of one rule file."""
    kinds = {name: catalog[name] for name in sorted(catalog)}
    models = [*_TOP, *(kind.params for kind in kinds.values())]
    refs, shared = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}", schema_generator=_Generator
    )
    definitions: dict[str, Any] = without_null_defaults(shared.get("$defs", {}))
    for name, kind in kinds.items():
        parameters = definitions[_key(refs[kind.params, "validation"])]
        parameters.setdefault("properties", {})["when"] = _WHEN
        parameters.setdefault("title", name)
    rule = definitions[_key(refs[RuleForm, "validation"])]
    rule["properties"]["do"]["items"] = {
        "oneOf": [
            {
                "type": "object",
                "properties": {name: refs[kind.params, "validation"]},
                "required": [name],
                "additionalProperties": False,
            }
            for name, kind in kinds.items()
        ]
    }
    return {
        "$schema": _DIALECT,
        "title": "Flyball rules",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1, "description": "Version of the rule language."},
            "defaults": {**refs[DefaultsForm, "validation"], "description": "What the rules below say by default."},
            "profiles": {
                "type": "object",
                "additionalProperties": refs[ProfileForm, "validation"],
                "description": "Named QC cut-offs.",
            },
            "rules": {"type": "array", "items": refs[RuleForm, "validation"]},
        },
        "$defs": definitions,
    }


def _key(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rsplit("/", 1)[-1]
