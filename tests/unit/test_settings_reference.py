"""The settings reference: as committed, complete, and with examples that are read as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flyball.configfile.yaml import read_yaml
from flyball.settings import Settings, load_settings
from flyball.settings.reference import EXAMPLES, SECTIONS, settings_reference
from support.pages import examples_in
from unit.settings_kit import KEY

PAGE = settings_reference()
COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
ENVIRONMENT = {
    "FLYWHEEL_API_KEY": KEY,
    "NEUROSCOUT_EMAIL": "lab@example.org",
    "NEUROSCOUT_PASSWORD": "secret",
    "HOOK_SECRET": "secret",
    "SLACK_URL": "https://hooks.example.org/services/1",
    "TEAMS_URL": "https://teams.example.org/1",
    "SMTP_URL": "smtp://user:secret@mail.example.org:587",
    "HEARTBEAT_URL": "https://beat.example.org/1",
}


def test_the_committed_page_is_the_generated_one() -> None:
    """Whoever changes a setting changes the page: flyball schema settings --markdown > docs/reference/settings.md."""
    assert COMMITTED.read_text(encoding="utf-8") == PAGE


@pytest.mark.parametrize("example", examples_in(PAGE))
def test_every_example_is_read(example: str, tmp_path: Path) -> None:
    """As a settings file, with the secrets in the environment."""
    config = tmp_path / "config"
    config.mkdir()
    secret = tmp_path / "token"
    secret.write_text("secret")
    text = example.replace("file:/run/secrets/flyball-token", f"file:{secret}")
    (config / "flyball.yaml").write_text(text)
    assert load_settings(config, ENVIRONMENT).sites


def test_every_setting_has_a_section_and_an_example() -> None:
    """All models below the settings are explained, each with an example of all of its keys."""
    assert set(EXAMPLES) == set(SECTIONS)
    assert models_in(Settings) == set(SECTIONS.values())
    for title, model in SECTIONS.items():
        root = read_yaml(EXAMPLES[title], "e").root
        wanted = {field.alias or name for name, field in model.model_fields.items()}
        assert any(wanted <= set(one) for one in mappings(root)), title
    assert len(examples_in(PAGE)) == len(EXAMPLES)


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a value."""
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from mappings(one)


def models_in(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The model and those that its fields are made of."""
    found: set[type[BaseModel]] = {model}

    def visit(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.update(models_in(annotation))
        for one in getattr(annotation, "__args__", ()):
            visit(one)
        visit_metadata(annotation)

    def visit_metadata(annotation: Any) -> None:
        origin = getattr(annotation, "__origin__", None)
        if origin is not None and origin is not annotation:
            visit(origin)

    for field in model.model_fields.values():
        visit(field.annotation)
    return found
