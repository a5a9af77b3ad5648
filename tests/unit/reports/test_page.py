"""The page: one file, no script, no request, escaped, the same bytes for the same data, and readable by machines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from flyball.reports.making import Order, as_json, content_of, for_terminal, written
from unit.reports.kit import MONDAY, YEAR, Lab, Page

HOSTILE = "<script>alert(1)</script>\"'&$x^2$ =1+1"
KINDS = ["demographics", "overview", "qc", "gear-status"]


def lab() -> Lab:
    """A small lab with a label that harms the careless, in every place that has one."""
    made = Lab()
    for place, label in enumerate([HOSTILE, "sub-2", "Übung 名前 🧠", "_x"]):
        subject = made.subject(label, HOSTILE if place == 1 else "female")
        session = made.session(subject, label, age=(20 + 5 * place) * YEAR, time=MONDAY + place * 86400)
        run = made.acquisition(session, label, time=MONDAY + place * 86400)
        made.file(run, f"{label}_mriqc.html", metrics={"snr": 2.0 + place, "fd_mean": 0.1}, scanner=label)
        made.job(session, "failed", version=HOSTILE)
    return made


def made(kind: str, rows: Lab | None = None) -> tuple[str, Page]:
    """The page of a kind, as text and taken apart."""
    content = content_of(
        Order(kind, "scien/<b>tome</b>", "mriqc", links="https://site/{session}"), (rows or lab()).read_by(kind)
    )
    text = written(content, "html").decode()
    return text, Page(text)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_label_is_markup_and_nothing_is_asked_for(kind: str) -> None:
    """No script, no address but links made of ids, no handler, no style from elsewhere."""
    text, page = made(kind)
    names = {name for name, _ in page.elements}
    assert not names & {"script", "iframe", "object", "embed", "form", "base", "b", "foreignobject"}
    for name, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on")], (name, attributes)
        for key in ("href", "src", "xlink:href"):
            value = attributes.get(key) or ""
            assert value == "" or value.startswith(("#", "https://site/0", "data:image/png;base64,")), (name, value)
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert any("default-src 'none'" in str(one.get("content")) for one in page.named("meta"))
    assert "alert(1)" in "".join(page.words)


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_read_aloud(kind: str) -> None:
    """A language, one main heading, headers with a scope, a text for each picture, and no name given twice."""
    _, page = made(kind)
    assert page.named("html")[0]["lang"] == "en"
    assert len(page.named("h1")) == 1
    assert page.named("table")
    assert {one.get("scope") for one in page.named("th")} <= {"col", "row"}
    pictures = [one for one in page.named("svg") if "role" in one]
    assert len(pictures) == len(page.named("figure")) == len(page.named("figcaption")) > 0
    assert all(one["role"] == "img" and one["aria-labelledby"] for one in pictures)
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    wanted = {name for _, one in page.elements for name in str(one.get("aria-labelledby") or "").split()}
    assert wanted <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_data_give_equal_bytes(kind: str) -> None:
    """Also in another order, and in another process with another seed of hashes: no new version for nothing."""
    one, other = lab(), lab()
    other.rows.reverse()
    assert made(kind, one)[0] == made(kind, other)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_project_has_a_page(kind: str) -> None:
    """With a note and without pictures."""
    _, page = made(kind, Lab())
    assert page.named("figure") == []
    assert "no s" in "".join(page.words)


def test_colours_follow_the_page() -> None:
    """No stand-in of the plots is left, and the page knows light and dark."""
    text, _ = made("qc")
    assert "#0101" not in text
    assert "var(--c1)" in text
    assert "prefers-color-scheme: dark" in text


def test_long_tables_are_cut_and_it_is_said() -> None:
    """The CSV has all."""
    rows = Lab()
    for number in range(400):
        rows.session(rows.subject(f"s{number}"))
    content = content_of(Order("demographics", "g/p"), rows.project)
    text = written(content, "html").decode()
    assert "The first 300 of 400" in text
    assert text.count("age missing") == 300
    assert len(written(content, "csv").splitlines()) == 401


def test_many_points_are_a_picture_inside_of_the_picture() -> None:
    """10,000 scans make no page of many megabytes."""
    rows = Lab()
    session = rows.session(rows.subject("a"))
    for number in range(3000):
        run = rows.acquisition(session, "rest", time=MONDAY + number * 3600)
        rows.file(run, metrics={"fd_mean": 0.1 + number % 7 / 100})
    text, page = made("qc", rows)
    assert len(text) < 400_000
    assert page.named("image")


def test_a_process_of_its_own_makes_the_same(tmp_path: Path) -> None:
    """`python -m flyball.reports`: all formats, whatever the seed of hashes."""
    rows = lab()
    order = Order("qc", "g/p")
    asked = {"order": {"kind": "qc", "path": "g/p"}, "formats": ["csv", "html", "json", "terminal"]}
    (tmp_path / "order.json").write_bytes(orjson.dumps(asked))
    (tmp_path / "rows.jsonl").write_bytes(
        b"".join(orjson.dumps(row) + b"\n" for row in rows.rows if row["level"] != "job")
    )
    command = [sys.executable, "-m", "flyball.reports", str(tmp_path)]
    subprocess.run(command, check=True, timeout=60, env={"PYTHONHASHSEED": "7"})
    content = content_of(order, rows.read_by("qc"))
    assert (tmp_path / "report.csv").read_bytes() == written(content, "csv")
    assert (tmp_path / "report.html").read_bytes() == written(content, "html")
    told: Any = orjson.loads((tmp_path / "report.json").read_bytes())
    assert told["rows"] == as_json(content)["rows"]
    shown: Any = orjson.loads((tmp_path / "report.terminal").read_bytes())
    assert shown["tables"][0]["columns"] == for_terminal(content)["tables"][0]["columns"]
    assert orjson.loads((tmp_path / "made.json").read_bytes())["rows"] == 4


def test_an_unknown_kind_is_an_error() -> None:
    """The callers check before; nothing is made up."""
    with pytest.raises(ValueError, match="there is no report"):
        content_of(Order("weather", "g/p"), Lab().project)
