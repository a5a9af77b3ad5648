"""The Dockerfile, read: its stages and instructions, with what stands in them checked against the reference's forms."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = {
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `text` without the continuation marks."""

    line: int
    name: str
    text: str

    @property
    def listed(self) -> list[str]:
        """The JSON form's words."""
        words: list[str] = json.loads(self.text[self.text.index("[") :])
        return words


@dataclass(slots=True)
class Stage:
    """What stands between two FROMs."""

    base: str
    name: str | None
    steps: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        """The instructions of one kind."""
        return [step for step in self.steps if step.name == name]

    def one(self, name: str) -> Instruction:
        """The only instruction of its kind."""
        (found,) = self.all(name)
        return found

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets; `$PATH` is filled in with the usual one."""
        found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        for step in self.all("ENV"):
            for name, value in re.findall(r"(\w+)=(\S+)", step.text):
                found[name] = value.replace("$PATH", found["PATH"])
        return found


def read(path: Path) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage with their defaults, and the stages.

    Raises:
        ValueError: a line that is no instruction.
    """
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    text, begun = "", 0
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if line.lstrip().startswith("#") or (not line.strip() and not text):
            continue
        begun = begun if text else number
        text += line.rstrip().removesuffix("\\").strip() + " "
        if line.rstrip().endswith("\\"):
            continue
        name, _, rest = text.strip().partition(" ")
        step, text = Instruction(begun, name, rest.strip()), ""
        if name not in KNOWN:
            raise ValueError(f"{path.name}:{begun}: {name!r} is no instruction")
        if name == "FROM":
            base, _, alias = step.text.partition(" AS ")
            stages.append(Stage(base, alias or None))
        elif not stages:
            key, _, value = step.text.partition("=")
            arguments[key] = value
        else:
            stages[-1].steps.append(step)
    return arguments, stages


def faults(path: Path) -> list[str]:
    """What a linter says of a Dockerfile (the rules that matter here, after hadolint's)."""
    found: list[str] = []
    arguments, stages = read(path)
    for stage in stages:
        base = re.sub(r"\$\{(\w+)\}", lambda match: arguments.get(match[1], ""), stage.base)
        if ":" not in base or base.endswith(":latest"):
            found.append(f"{base or stage.base}: the base has no tag, so that a build cannot be repeated")
        for step in stage.steps:
            found += [f"{path.name}:{step.line}: {fault}" for fault in _faults(step)]
    last = stages[-1]
    users = last.all("USER")
    if not users or users[-1].text.split(":")[0] in {"root", "0"}:
        found.append("the image runs as root")
    for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        if len(last.all(name)) != 1:
            found.append(f"the last stage has {len(last.all(name))} {name}")
    return found


def _faults(step: Instruction) -> list[str]:
    text, found = step.text, []
    if step.name == "RUN":
        wrong = {
            r"\bsudo\b": "no sudo in a build",
            r"\bcurl\b.*\|\s*(ba)?sh|\bwget\b.*\|\s*(ba)?sh": "nothing from the network into a shell",
            r"\bpip install(?!.*(--require-hashes|--no-index))": "pip installs with hashes, or without an index",
            r"\bapt(-get)? (?:.* )?install(?!.*--no-install-recommends)": "apt installs without recommendations",
            r"\bapt(-get)? upgrade": "the base is chosen, not upgraded",
            r"\bchmod (?:.* )?777": "nothing is writable for everybody",
            r"(^|&& ?)cd /": "WORKDIR instead of cd",
        }
        found += [reason for pattern, reason in wrong.items() if re.search(pattern, text)]
    if step.name == "ADD":
        found.append("COPY instead of ADD")
    if step.name in {"CMD", "ENTRYPOINT"} and not text.startswith("["):
        found.append(f"{step.name} in the JSON form, or signals do not arrive")
    if step.name == "HEALTHCHECK" and "CMD [" not in text:
        found.append("HEALTHCHECK in the JSON form")
    if step.name == "WORKDIR" and not text.startswith("/"):
        found.append("WORKDIR is absolute")
    if step.name == "MAINTAINER":
        found.append("a label instead of MAINTAINER")
    if step.name in {"ENV", "ARG"} and re.search(r"(?i)(password|secret|token|api_?key)\w*=\S", text):
        found.append("a secret would stay in a layer")
    return found
