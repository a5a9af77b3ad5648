"""MkDocs' hook: takes README and changelog in as pages, and shows files outside of the docs by their names alone.

The pages are written to be read in the repository, where links may lead anywhere in it. On the built pages a link to a
file that is no page becomes its text; what leads to no file at all stays a link, so that the strict build names it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

TAKEN_IN = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}
"""Pages from the project's top folder: where they are, and where they go."""

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from the top folder."""
    top = Path(config.docs_dir).parent
    for source, target in TAKEN_IN.items():
        files.append(File.generated(config, target, content=(top / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of one page; what stands in blocks of code is left alone."""
    top = Path(config.docs_dir).parent
    here = next((old for old, new in TAKEN_IN.items() if new == page.file.src_uri), f"docs/{page.file.src_uri}")

    def turned(match: re.Match[str]) -> str:
        return _turned(match, here, page.file.src_uri, top, files)

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(turned, part) for part in parts)


def _turned(match: re.Match[str], here: str, page: str, top: Path, files: Files) -> str:
    """One link, as it stands on the built page.

    Args:
        match: text and address.
        here: the page's path in the project.
        page: its path among the pages.
        top: the project's folder.
        files: the pages.
    """
    text, address = match.groups()
    name, mark, anchor = address.partition("#")
    if not name or "://" in name or name.startswith("mailto:"):
        return match[0]
    there = posixpath.normpath(posixpath.join(posixpath.dirname(here), name))
    target = TAKEN_IN.get(there, there.removeprefix("docs/") if there.startswith("docs/") else None)
    if target is not None and (top / there).is_dir():
        target = posixpath.join(target, "README.md")
    if target is not None and (files.get_file_from_path(target) is not None or not (top / there).exists()):
        return f"[{text}]({posixpath.relpath(target, posixpath.dirname(page) or '.')}{mark}{anchor})"
    return text if (top / there).exists() else match[0]
