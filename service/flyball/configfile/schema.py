"""JSON Schema from pydantic models, as editors want it: short forms allowed, defaults as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler, SecretStr
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from flyball.configfile.durations import written_duration


class Also:
    """Annotation: a value may be written in a further, shorter way, which a validator takes care of."""

    def __init__(self, shorter: JsonSchemaValue) -> None:
        self._shorter = shorter

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(core), self._shorter]}


class OrOne:
    """Annotation: instead of a list with one entry, the entry may stand alone."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        return {"anyOf": [schema.get("items", {}), schema]}


class Generator(GenerateJsonSchema):
    """pydantic's generator, without titles made of names, and with readable defaults."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the library's signature
        """Never: a title that repeats the key helps nobody."""
        return False

    def encode_default(self, dft: Any) -> Any:
        """A default as people would write it."""
        if isinstance(dft, timedelta):
            return written_duration(dft)
        if isinstance(dft, SecretStr):
            return dft.get_secret_value()
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        if isinstance(dft, (list, tuple)):
            return [self.encode_default(one) for one in dft]
        return super().encode_default(dft)


def without_null_defaults(schema: Any) -> Any:
    """The schema without `default: null`, which says no more than that the key is optional."""
    if isinstance(schema, dict):
        return {
            key: without_null_defaults(value)
            for key, value in schema.items()
            if not (key == "default" and value is None and ("anyOf" in schema or "type" in schema))
        }
    return [without_null_defaults(one) for one in schema] if isinstance(schema, list) else schema
