"""What stands on a page of the documentation."""

from __future__ import annotations

import re


def examples_in(page: str) -> list[str]:
    """The YAML blocks of a page, in order."""
    return re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
