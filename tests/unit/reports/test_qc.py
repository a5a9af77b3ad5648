"""MRIQC's metrics: which report counts, what is an outlier, what is missing."""

from __future__ import annotations

import random
from typing import Any

import pandas as pd
import pytest

from flyball.reports.qc import qc
from flyball.reports.qc_judging import cut_json, cuts_from
from flyball.rules.profiles import Cut, Z
from unit.reports.kit import MONDAY, Lab


def many(number: int, scanner: str | None = None, **metrics: float) -> Lab:
    """A lab with so many BOLD runs whose metrics lie around these values."""
    lab, dice = Lab(), random.Random(4)  # noqa: S311 - made-up measurements
    for place in range(number):
        run = lab.acquisition(lab.session(lab.subject(f"s{place:03}")), "rest", time=MONDAY + place * 86400)
        values = {name: dice.gauss(value, value / 20) for name, value in metrics.items()}
        lab.file(run, metrics=values, scanner=scanner)
    return lab


def cells(content: Any, column: str) -> list[Any]:
    """One column of the CSV."""
    place = list(content.columns).index(column)
    return [row[place] for row in content.rows]


def test_the_newest_of_two_reports_is_used_and_it_is_said() -> None:
    """Newest by its last change, not by its place in the list."""
    lab = Lab()
    run = lab.acquisition(lab.session(lab.subject("a")), "rest")
    lab.file(run, "new_mriqc.qa.html", metrics={"snr": 2.0}, changed=MONDAY + 9)
    lab.file(run, "old_mriqc.qa.html", metrics={"snr": 0.4}, changed=MONDAY)
    content = qc(lab.project, "g/p", {})
    assert cells(content, "file") == ["new_mriqc.qa.html"]
    assert cells(content, "snr") == [2.0]
    assert cells(content, "reports") == [2]
    assert any("the newest is used" in note for note in content.notes)
    assert "Scans with several reports" in [table.title for table in content.tables]


def test_an_outlier_lies_three_robust_deviations_out_on_the_bad_side() -> None:
    """Much motion is marked, little motion never is; worked out again with pandas."""
    lab = many(40, fd_mean=0.15)
    for place, value in ((3, 0.6), (7, 0.01)):
        reports = [row for row in lab.rows if row["level"] == "file"]
        reports[place]["metrics"]["fd_mean"] = value
    content = qc(lab.project, "g/p", {})
    told = pd.Series(cells(content, "fd_mean"))
    z = (told - told.median()) / (1.4826 * (told - told.median()).abs().median())
    assert [level == "outlier" for level in cells(content, "level")] == list(z > 3)
    assert cells(content, "level")[3] == "outlier"
    assert cells(content, "level")[7] == "ok"
    assert "fd_mean 0.6" in cells(content, "why")[3]


def test_few_peers_say_nothing() -> None:
    """With 19 scans nothing is an outlier; the level is empty and not `ok`."""
    lab = many(19, snr=2.0)
    lab.rows[-1]["metrics"]["snr"] = 0.1
    assert set(cells(qc(lab.project, "g/p", {}), "level")) == {""}


def test_peers_are_those_of_one_scanner() -> None:
    """A scanner with another level of noise has its own distribution."""
    one, two = many(25, "Prisma (1)", tsnr=60.0), many(25, "Skyra (2)", tsnr=30.0)
    two.rows = [
        {**row, "id": f"b{row['id']}", "up": {key: f"b{ident}" for key, ident in row["up"].items()}} for row in two.rows
    ]
    one.rows += two.rows
    content = qc(one.project, "g/p", {})
    table = next(table for table in content.tables if table.title == "By scanner")
    assert [(row[1], row[3]) for row in table.rows] == [("Prisma (1)", 25), ("Skyra (2)", 25)]
    medians = [float(str(row[4])) for row in table.rows]
    assert medians == pytest.approx([60, 30], rel=0.1)


def test_a_profile_decides_where_it_has_a_cut_off() -> None:
    """Beyond `fail` it fails, beyond `warn` it is an outlier, on the cut-off it is still good."""
    lab = Lab()
    for value in (0.1, 0.25, 0.3, 0.6):
        lab.file(lab.acquisition(lab.session(lab.subject("a")), "rest"), metrics={"fd_mean": value})
    content = qc(lab.project, "g/p", {"fd_mean": Cut("higher", 0.25, 0.5)})
    assert cells(content, "level") == ["ok", "ok", "outlier", "fails"]
    assert cells(content, "why")[3] == "fd_mean 0.6 > 0.5"
    assert content.numbers["fail"] == 1


def test_cut_offs_survive_json() -> None:
    """As they stand in an effect's parameters."""
    cuts = {"fd_mean": Cut("higher", 0.25, None), "tsnr": Cut("lower", Z(-3.0), Z(-5.5))}
    assert cuts_from(cut_json(cuts)) == cuts


def test_no_metrics_at_all() -> None:
    """A report whose metrics are all null, and a scan without any report, are listed and not judged."""
    lab = Lab()
    session = lab.session(lab.subject("a"))
    lab.file(lab.acquisition(session, "rest"), metrics={}, measurement=[])
    lab.acquisition(session, "T1w")
    content = qc(lab.project, "g/p", {})
    assert content.figures == []
    assert content.numbers["without_metrics"] == 1
    assert content.numbers["acquisitions_without_report"] == 1
    table = next(table for table in content.tables if table.title == "Acquisitions without metrics")
    assert [row[3] for row in table.rows] == ["report without a usable metric", "no report"]
    assert "no sessions" in qc(Lab().project, "g/p", {}).notes[0]


def test_the_link_leads_to_the_session_and_holds_ids_alone() -> None:
    """Labels never become part of an address."""
    lab = Lab()
    run = lab.acquisition(lab.session(lab.subject('"><script>')), "javascript:alert(1)")
    lab.file(run, metrics={"snr": 0.1})
    content = qc(lab.project, "g/p", {"snr": Cut("lower", 1.0)}, links="https://site/#/projects/p/sessions/{session}")
    assert cells(content, "link") == [f"https://site/#/projects/p/sessions/{run['up']['session']}"]


def test_two_kinds_of_image_in_one_acquisition_are_two_scans() -> None:
    """A T1 report does not push a BOLD report aside; without classification the metrics tell."""
    lab = Lab()
    run = lab.acquisition(lab.session(lab.subject("a")), "mixed")
    lab.file(run, "a_mriqc.html", metrics={"fd_mean": 0.1}, measurement=[])
    lab.file(run, "b_mriqc.html", metrics={"snr_total": 9.0}, measurement=["T1"])
    assert cells(qc(lab.project, "g/p", {}), "type") == ["BOLD", "T1w"]
