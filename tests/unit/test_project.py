"""The project's own papers: what README, docs, lock files and Dockerfile say is so."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import flyball
from flyball.cli.main import app
from flyball.effects.catalog import KINDS
from flyball.model.effect import EffectState
from flyball.rules.expression.forms import USAGES
from flyball.rules.reading import Surroundings, read_texts
from flyball.rules.reading.doing import KNOWN_KINDS
from flyball.rules.reading.models import DefaultsForm, RuleForm

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAPERS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LOCKS = sorted(ROOT.glob("requirements*.lock"))
LONGEST = 400
STATE = "What there is"
NOT_OURS = {"__pycache__", "var", "dist", "build", "site"}


def files() -> Iterator[Path]:
    """Every file that belongs to the project; what tools leave behind is passed over."""
    waiting = [ROOT]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            hidden = path.name.startswith(".") and path.name not in {".ci", ".dockerignore", ".gitignore"}
            if hidden or path.name in NOT_OURS or path.name.endswith(".egg-info"):
                continue
            if path.is_dir():
                waiting.append(path)
            else:
                yield path


def code_of(text: str) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The anchors that a forge gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", code_of(path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def ticked(path: Path) -> set[str]:
    """Everything in backticks on a page."""
    return set(re.findall(r"`([^`\n]+)`", code_of(path.read_text("utf-8"))))


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    below = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in found[2:]]


def test_the_first_screen_of_the_readme_has_the_two_commands() -> None:
    """`make demo` and `make test` stand within the first 24 lines."""
    first = "\n".join(README.splitlines()[:24])
    assert re.search(r"^make demo\b", first, re.MULTILINE)
    assert re.search(r"^make test\b", first, re.MULTILINE)


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_make_targets_exist(path: Path) -> None:
    """Each `make TARGET` that a page names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`|&& )make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_resolve(path: Path) -> None:
    """Each link inside of the project leads to a file, and its anchor to a heading."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", code_of(path.read_text("utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(link)
    assert broken == []


def test_every_decision_is_in_the_index() -> None:
    """Each decision has a number of its own, stands in the index with its title, and has the three parts."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    pages = sorted(folder.glob("[0-9]*.md"))
    assert len({page.name[:4] for page in pages}) == len(pages) > 0
    for page in pages:
        text = page.read_text("utf-8")
        number, title = re.match(r"# (\d{4}) (.+)", text).groups()  # type: ignore[union-attr] # a page without a title fails
        assert f"[{number}]({page.name}) | {title} |" in index
        assert [part in text for part in ("\n## Context\n", "\n## Decision\n", "\n## Consequences\n")] == [True] * 3


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_named_code_exists(path: Path) -> None:
    """Python names such as `ledger.acting.take`, and paths such as `effects/`, are in the package."""
    package = ROOT / "service" / "flyball"
    rooms = {entry.stem for entry in package.iterdir()}
    unknown = []
    for word in ticked(path):
        if re.fullmatch(r"[a-z_]+/[a-z_/]*(\.py)?", word) and word.split("/")[0] in rooms:
            found = (package / word).exists()
        elif re.fullmatch(r"[a-z_]+(\.[A-Za-z_]+)+", word) and word.split(".")[0] in rooms:
            found = exists(word)
        else:
            continue
        if not found:
            unknown.append(word)
    assert unknown == []


def exists(name: str) -> bool:
    """Whether a dotted name below the package leads to a module, or to something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["flyball", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_every_verb_is_in_the_readme() -> None:
    """The table of commands has the verbs of the command line, and no others."""
    listed = {re.match(r"`flyball ([a-z]+)", row[0]).group(1) for row in rows(README, "Commands")}  # type: ignore[union-attr] # a row without a command fails
    verbs = set(getattr(typer.main.get_command(app), "commands", {}))
    assert listed == verbs


def test_the_readme_knows_which_effects_there_are() -> None:
    """The row of effects names those that there are, which are all that rule files know."""
    row = next(row for row in rows(README, STATE) if row[0] == "effects")
    assert set(re.findall(r"`([a-z.]+)`", row[1])) == set(KINDS) == KNOWN_KINDS


TAGGED = "tag: {on: project, set: {A: true}}"


@pytest.mark.parametrize(
    ("row", "phrase", "rule"),
    [
        (
            "launches",
            "`relaunch_failed`",
            "each: session, do: [{launch: {gear: g, on: session, once: target, relaunch_failed: 1}}]",
        ),
        ("alerts", "`group_by`", "each: session, do: [{alert: {title: t, group_by: [project]}}]"),
        ("alerts", "`wait`", "each: session, do: [{alert: {title: t, wait: 0s}}]"),
        ("alerts", "Slack", "each: session, do: [{alert: {title: t, channel: team}}]"),
        ("QC profiles", "robust z", f"each: file, if: \"qc('p').level == 'warn'\", do: [{{{TAGGED}}}]"),
    ],
)
def test_what_the_readme_says_there_is_can_be_used(row: str, phrase: str, rule: str) -> None:
    """A rule that uses it is taken."""
    profile = "profiles: {p: {metrics: {tsnr: {worse: lower, warn: z -3, within: [project], min_n: 20}}}}"
    text = f"version: 1\n{profile}\nrules: [{{id: x, {rule}}}]\n"
    around = Surroundings(KINDS, {"main": "flywheel"}, {}, channels={"log": "log", "team": "slack"})
    assert phrase in next(cells[1] for cells in rows(README, STATE) if cells[0] == row)
    assert [str(one) for one in read_texts({"x.yaml": text}, around).rejected] == []


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "docs" / "rules.md"], ids=lambda path: path.name)
def test_rule_files_on_pages_are_good(path: Path) -> None:
    """Each rule file that a page shows is read without a complaint."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    whole = [block for block in blocks if re.match(r"version:|profiles:", block)]
    assert whole
    for block in whole:
        found = read_texts({path.name: block}, Surroundings(KINDS, {"main": "flywheel"}, {}))
        assert [str(one) for one in (*found.rejected, *found.warnings)] == []


def test_the_rule_reference_is_complete() -> None:
    """docs/rules.md has every key of a rule and of `defaults`, every effect with its parameters, every function."""
    page = (ROOT / "docs" / "rules.md").read_text("utf-8")
    keys = {field.alias or name for name, field in RuleForm.model_fields.items()}
    assert {row[0].strip("`") for row in rows(page, "Keys of a rule")} == keys
    words = set(re.findall(r"[a-z_]+", page))
    assert set(DefaultsForm.model_fields) - words == set()
    assert set(USAGES) - words == set()
    effects = {row[0].strip("`"): row[1] for row in rows(page, "Effects")}
    assert effects.keys() == KINDS.keys()
    for name, kind in KINDS.items():
        assert set(kind.params.model_fields) <= set(re.findall(r"[a-z_]+", effects[name])), name


def test_the_glossary_has_every_state() -> None:
    """The states of an effect in the glossary are those of the program."""
    page = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    assert {row[0].strip("`") for row in rows(page, "States of an effect")} == set(EffectState)


def test_the_changelog_has_the_version() -> None:
    """The version is the same in the package, the project file, the Dockerfile and the changelog."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == flyball.__version__
    assert f"\n## [{flyball.__version__}] - " in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\nARG VERSION={flyball.__version__}\n" in (ROOT / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_locks_have_hashes_and_no_addresses(path: Path) -> None:
    """Each requirement is pinned and hashed, and nothing says where to get it from."""
    text = path.read_text("utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    assert entries
    unpinned = [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]
    assert unpinned == []
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|--trusted-host|\bfile:| @ ", text) == []


def test_there_are_locks_for_running_testing_and_building() -> None:
    """The three lock files are there, and the one for building pins the project's build tool."""
    assert [path.name for path in LOCKS] == ["requirements-build.lock", "requirements-dev.lock", "requirements.lock"]
    assert re.search(r"^hatchling==", LOCKS[0].read_text("utf-8"), re.MULTILINE)


def test_no_file_of_the_package_is_long() -> None:
    """No module has more than 400 lines."""
    modules = (ROOT / "service").rglob("*.py")
    assert [str(path) for path in modules if len(path.read_text("utf-8").splitlines()) > LONGEST] == []


def test_every_module_says_what_it_is_for() -> None:
    """Each module of the package that holds code begins with a docstring."""
    modules = [(path, path.read_text("utf-8")) for path in (ROOT / "service").rglob("*.py")]
    assert [str(path) for path, text in modules if text.strip() and not text.startswith('"""')] == []


def test_no_file_names_a_registry_or_a_machine() -> None:
    """No file holds the host of a package or image registry, or a path of the machine it was made on."""
    hosts = ["pypi" + ".org", "python" + "hosted", "docker" + ".io", "ghcr" + ".io", "quay" + ".io", "npm" + "js."]
    paths = ["/" + "work/", "/" + "root/", "/" + "home/runner"]
    wrong = []
    for path in files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        wrong += [f"{path.relative_to(ROOT)}: {word}" for word in (*hosts, *paths) if word in text]
    assert wrong == []


def test_the_image_takes_in_what_it_copies_and_nothing_else() -> None:
    """Each path that the Dockerfile copies from the project is let through by .dockerignore, and the other way round."""
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
        for word in line.split()[:-1]
    }
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignore
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / path).exists() for path in copied)


def test_the_image_runs_without_root_and_holds_no_secret() -> None:
    """A numbered user, a health check, an address for other containers, and no key or token."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    instructions = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    assert re.search(r"^USER 1\d+:1\d+$", instructions, re.MULTILINE)
    assert "HEALTHCHECK" in instructions
    assert "FLYBALL_HTTP__HOST=0.0.0.0" in instructions
    assert not re.search(r"KEY|TOKEN|SECRET|PASSWORD", instructions)
    assert instructions.count("--require-hashes") == 2
