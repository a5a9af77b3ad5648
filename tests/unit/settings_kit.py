"""What the tests of the settings share."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from flyball.settings import Settings, SettingsError, load_settings

KEY = "127.0.0.1:8088:__force_insecure:not-much-of-a-key"
LOCAL = f"sites: {{main: {{api_key: '{KEY}'}}}}\n"


def load(config: Path, text: str | None = LOCAL, environment: dict[str, str] | None = None, **more: Any) -> Settings:
    if text is not None:
        (config / "flyball.yaml").write_text(dedent(text))
    return load_settings(config, environment or {}, **more)


def wrong(config: Path, text: str | None, environment: dict[str, str] | None = None, **more: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(config, text, environment, **more)
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)
    return [line.replace(f"{config}/", "") for line in str(caught.value).splitlines()]
