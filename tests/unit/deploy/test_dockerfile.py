"""The Dockerfile: what a linter asks for, and what this project promises of its image."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.dockerfile import faults, read

DOCKERFILE = Path(__file__).parents[3] / "Dockerfile"
ARGUMENTS, STAGES = read(DOCKERFILE)
GOOD = 'FROM a:1\nUSER 1:1\nHEALTHCHECK CMD ["a"]\nENTRYPOINT ["a"]\nCMD ["b"]\n'


def test_there_is_nothing_to_complain_of() -> None:
    """By the rules of `support.dockerfile`."""
    assert faults(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("RUN pip install x", "pip installs with hashes"),
        ("RUN apt-get install x", "without recommendations"),
        ("RUN curl a | sh", "into a shell"),
        ("RUN cd /x && ls", "WORKDIR instead"),
        ("RUN chmod -R 777 /x", "writable for everybody"),
        ("ADD a b", "COPY instead"),
        ("ENV API_KEY=abc", "stay in a layer"),
        ("ARG DB_PASSWORD=abc", "stay in a layer"),
        ("USER root", "runs as root"),
        ("WORKDIR x", "absolute"),
        ("CMD b", "JSON form"),
        ("FROM b", "no tag"),
        ("FROM b:latest", "no tag"),
    ],
)
def test_the_linter_complains(tmp_path: Path, line: str, complaint: str) -> None:
    """Each rule finds what it is for."""
    file = tmp_path / "Dockerfile"
    file.write_text(GOOD + line + "\n")
    assert [one for one in faults(file) if complaint in one]
    file.write_text(GOOD)
    assert faults(file) == []


def test_a_line_that_is_no_instruction_is_refused(tmp_path: Path) -> None:
    """With its place."""
    file = tmp_path / "Dockerfile"
    file.write_text("FROM a:1\nRUM x\n")
    with pytest.raises(ValueError, match="Dockerfile:2: 'RUM' is no instruction"):
        read(file)


def test_the_base_takes_a_digest() -> None:
    """One argument names the base of all stages, by default with a tag, of an image with glibc."""
    assert {stage.base for stage in STAGES} == {"${PYTHON_IMAGE}"}
    assert ARGUMENTS["PYTHON_IMAGE"].startswith("python:3.")
    assert ARGUMENTS["PYTHON_IMAGE"].endswith("-slim")


def test_the_last_stage_has_no_tools() -> None:
    """It takes the finished environment and nothing else; it is labelled."""
    last = STAGES[-1]
    assert [step.text for step in last.all("COPY")] == ["--from=build /opt/flyball /opt/flyball"]
    assert "pip" not in " ".join(step.text for step in last.all("RUN"))
    for label in ("title", "description", "version", "licenses", "base.name"):
        assert f"org.opencontainers.image.{label}=" in last.one("LABEL").text
    assert last.one("STOPSIGNAL").text == "SIGTERM"
    assert last.one("USER").text == "10001:10001"
