"""The documentation: it builds without a warning, loads nothing from elsewhere, and names what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer.main

from flyball.cli.main import app
from flyball.cli.verbs import VerbGroup
from flyball.configfile.problems import annotation_at
from flyball.settings import Settings
from flyball.settings.sources import PREFIX, SEPARATOR

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
ORDINARY = {"--config", "--json", "--help", "-h"}


class Page(HTMLParser):
    """What a built page links to and loads, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag."""
        given = {name: value or "" for name, value in attrs}
        self.places.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in {"canonical", "next", "prev"}:
            self.loads.append(given.get("href", ""))
        elif "src" in given:
            self.loads.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert (made.returncode, made.stdout + made.stderr) == (0, b""), made.stderr.decode()
    return folder


def test_links_lead_somewhere(site: Path) -> None:
    """Each link of each built page, anchors too; each page of the repository is there."""
    pages = {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 25
    broken = []
    for path, page in pages.items():
        for link in page.links:
            name, _, anchor = link.partition("#")
            if "://" in name or name.startswith("mailto:"):
                continue
            there = (path.parent / name).resolve() if name else path
            there = there / "index.html" if there.is_dir() else there
            if not there.exists() or (anchor and there in pages and anchor not in pages[there].places):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Fonts, scripts, styles and pictures are files of the site; nothing asks another server when a page is read."""
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        assert [load for load in Page(text).loads if "//" in load] == []
        assert 'class="mermaid"' not in text, "its script would come from elsewhere"
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\([\"']?(?:https?:)?//", styles) == []
    assert "@import" not in styles


def commands(text: str) -> Iterator[list[str]]:
    """Every `flyball …` that a page names, as words."""
    blocks = re.findall(r"^```(?:sh|console|)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    inline = re.findall(r"`(flyball [^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in [*lines, *inline]:
        for command in re.split(r"&&|;|\|", line.split(" #")[0]):
            words = re.sub(r"^\s*(\$|sudo|[A-Z_]+=\S+)\s+", "", command.strip()).split()
            while words and re.fullmatch(r"[A-Z_]+=\S+", words[0]):
                words = words[1:]
            if len(words) > 1 and words[0] == "flyball":
                yield words[1:]


def faults(words: list[str]) -> str:
    """What is wrong with a command; empty when the program knows it."""
    command: Any = typer.main.get_command(app)
    while words and words[0] in ORDINARY:
        words = words[2 if words[0] == "--config" else 1 :]
    while words and hasattr(command, "commands"):
        name = words[0].strip("[]…,:.")
        if name not in command.commands:
            return "" if name.startswith("-") and name in _options(command) else f"there is no verb {name}"
        command, words = (
            command.get_loaded(name) if isinstance(command, VerbGroup) else command.commands[name],
            words[1:],
        )
    wrong = [word for word in words if (option := _option(word)) and option not in _options(command)]
    return f"{command.name} has no option {wrong[0]}" if wrong else ""


def _option(word: str) -> str:
    found = re.match(r"\[?(--[a-z][a-z-]*|-[a-z])\b", word)
    return found[1] if found else ""


def _options(command: Any) -> set[str]:
    return {text for parameter in command.params for text in (*parameter.opts, *parameter.secondary_opts)} | ORDINARY


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_pages_name_exist(path: Path) -> None:
    """Verbs and options, in blocks and in the text."""
    found = [
        f"flyball {' '.join(words)}: {fault}" for words in commands(path.read_text("utf-8")) if (fault := faults(words))
    ]
    assert found == []


def test_what_does_not_exist_is_found() -> None:
    """The check of the check."""
    text = "`flyball pln`\n\n```sh\nflyball plan --rul x   # a comment\nflyball ledger exprt && flyball run\n```\n"
    assert [faults(words) for words in commands(text)] == [
        "plan has no option --rul",
        "there is no verb exprt",
        "",
        "there is no verb pln",
    ]


def test_the_main_pages_name_commands() -> None:
    """The pages for people show what to type."""
    for name in ("first-ten-minutes.md", "guide.md", "operating.md"):
        assert len(list(commands((ROOT / "docs" / name).read_text("utf-8")))) > 8, name


SHOWN = [*PAGES, *(path for path in (ROOT / "deploy").rglob("*") if path.suffix in {".yaml", ".service"})]


@pytest.mark.parametrize("path", [*SHOWN, ROOT / "Dockerfile"], ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_that_pages_name_exist(path: Path) -> None:
    """Each `FLYBALL_…` variable of a page, a manifest or the image is a setting, or one that compose itself reads."""
    compose = {"FLYBALL_CONFIG", "FLYBALL_PORT", "FLYBALL_IMAGE"}
    named = set(re.findall(rf"\b{PREFIX}[A-Z0-9_]+\b", path.read_text("utf-8")))
    unknown = []
    for name in sorted(named - compose):
        keys = tuple(name.removeprefix(PREFIX).lower().split(SEPARATOR))
        if not annotation_at(Settings, keys) and name not in REFERRED:
            unknown.append(name)
    assert unknown == []


REFERRED = {"FLYBALL_TOKEN", "FLYBALL_HOOK_LAB", "FLYBALL_TEST_LEDGER", "FLYBALL_TEST_PROFILE", "FLYBALL_A__B"}
"""What pages name in `env:NAME`, in tests, or as a pattern."""
