"""Which Neuroscout server an effect is about, and which files of the config folder it names."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from flyball.configfile.local import LocalFile
from flyball.configfile.suggest import instead
from flyball.rules.catalog import Compiler, Fault, PathInFile

NEUROSCOUT = "neuroscout"
NEUROSCOUT_ONLY = frozenset((NEUROSCOUT,))
"""The sites of which an effect on Neuroscout needs one; rules on Flywheel sites may ask for it as well."""


def destination(named: str | None, compiler: Compiler) -> str:
    """The site's name: the one named, the rule's own, or the only Neuroscout server of the settings.

    Raises:
        Fault: there is none of that name, or none at all, or several.
    """
    sites = compiler.sites or {}
    scouts = sorted(name for name, kind in sites.items() if kind == NEUROSCOUT)
    if named is not None:
        if named not in scouts:
            raise Fault(("site",), f"there is no Neuroscout site `{named}` in the settings; {instead(named, scouts)}")
        return named
    if compiler.site in scouts:
        return str(compiler.site)
    if not scouts:
        raise Fault((), "there is no Neuroscout site in the settings; add one under `sites`, of kind neuroscout")
    if len(scouts) > 1:
        raise Fault((), f"there are several Neuroscout sites; say which with `site`: {', '.join(scouts)}")
    return scouts[0]


def path_fault(text: str) -> str:
    """Why a path cannot name a file below the config folder; empty: it can."""
    path = PurePosixPath(text)
    if not text or text.startswith(("/", "\\")) or "\x00" in text or ".." in path.parts or ":" in text:
        return "a file is named by its path below the config folder: `events/food_raiders1.tsv`"
    return ""


def file_named(text: str, path: PathInFile, compiler: Compiler) -> LocalFile:
    """A file of the config folder as it is now; without a hash where that folder is not known (a test of one file).

    Raises:
        Fault: the path leads elsewhere, or there is no such file.
    """
    fault = path_fault(text)
    if fault:
        raise Fault(path, fault)
    return compiler.local(text, path)


def digest(content: bytes) -> str:
    """What tells one content of a file from another."""
    return hashlib.sha256(content).hexdigest()
