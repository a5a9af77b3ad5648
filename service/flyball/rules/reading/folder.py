"""Reads the rules folder. The rest of reading is pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from flyball.configfile.local import ConfigFiles
from flyball.model.place import Place, Problem
from flyball.rules.catalog import Catalog
from flyball.rules.reading.result import Rejected, RuleSet
from flyball.rules.reading.surroundings import Surroundings
from flyball.rules.reading.texts import read_texts

SUFFIXES = frozenset((".yaml", ".yml"))
MAX_FILES = 5_000


def read_rules(
    folder: Path,
    catalog: Catalog,
    site_kinds: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    channels: Mapping[str, str] | None = None,
    hooks: frozenset[str] | None = None,
    files: ConfigFiles | None = None,
    fields_out: frozenset[str] | None = None,
) -> RuleSet:
    """All rules below a folder, each refused alone where it is broken.

    Args:
        folder: read recursively, `*.yaml` and `*.yml`, in the order of their names. Names that begin with a dot are
            passed over (editors' files, and the inner folders of a mounted Kubernetes ConfigMap).
        catalog: the effect kinds that there are.
        site_kinds: site name → `flywheel` or `neuroscout`.
        environment: for `env:NAME` in effects' parameters.
        channels: channel name → kind; None: not known, so not checked.
        hooks: names of the incoming webhooks; None: not known, so not checked.
        files: the config folder's files that effects name; None: not known, so not checked.
        fields_out: fields of documents that may leave in messages; None: all.
    """
    texts: dict[str, bytes] = {}
    rejected: list[Rejected] = []
    if not folder.is_dir():
        problem = Problem(Place(str(folder)), "there is no such rules folder; make it, or set `rules` to the right one")
        return RuleSet(rejected=(Rejected("file", None, (problem,)),))
    for path in rule_files(folder):
        if len(texts) >= MAX_FILES:
            problem = Problem(Place(str(path)), f"there are more than {MAX_FILES} rule files; the rest is not read")
            rejected.append(Rejected("file", None, (problem,)))
            break
        try:
            texts[str(path)] = path.read_bytes()
        except OSError as error:
            problem = Problem(Place(str(path)), f"the file cannot be read ({error.strerror}); check its permissions")
            rejected.append(Rejected("file", None, (problem,)))
    read = read_texts(texts, Surroundings(catalog, site_kinds, environment, channels, hooks, files, fields_out))
    if not rejected:
        return read
    return RuleSet(read.rules, (*rejected, *read.rejected), read.functions, read.tests, read.warnings, read.files)


def rule_files(folder: Path) -> Iterator[Path]:
    """The rule files in the order of their paths; each real folder once, so that links cannot go in circles."""
    seen: set[str] = set()
    for top, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(top)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(top, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                yield path
