"""`collection` on the emulated site: what is in it is what an independent reading of the data says, with few requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.sandbox import Sandbox, Scenario
from support.lab import opened, write_lab, writes

YEAR = 365.25 * 24 * 3600
RULE = """
version: 1
rules:
  - id: t1-of-the-twenties
    since: all
    each: acquisition
    if: >-
      years(session.age) >= 20 and years(session.age) < 30 and not matches(acquisition.label, 'SBRef')
      and any(f.type == 'nifti' and f.classification.Intent == ['Structural'] and f.classification.Measurement == ['T1']
              for f in acquisition.files)
    do:
      - collection: {label: T1_age_20s, sync: own}
"""
USERS = {"admin": {"email": "admin@example.org", "firstname": "Ada", "lastname": "Admin"}}


def expected(box: Sandbox) -> set[str]:
    """The acquisitions that the rule is about, read from the site's memory."""
    found = set()
    for row in box.site.acquisitions.rows.values():
        age = box.site.get("session", row["session"]).get("age")
        if not isinstance(age, int | float) or not 20 <= age / YEAR < 30 or "SBRef" in row["label"]:
            continue
        for file in box.site.files_of(row):
            kinds = file["classification"]
            if file["type"] == "nifti" and (kinds.get("Intent"), kinds.get("Measurement")) == (["Structural"], ["T1"]):
                found.add(str(row["_id"]))
    return found


def inside(box: Sandbox, label: str) -> list[set[str]]:
    """Members of each collection of that label, as the acquisitions themselves tell."""
    rows = [row for row in box.site.collections.rows.values() if row["label"] == label]
    return [
        {str(one["_id"]) for one in box.site.acquisitions.rows.values() if row["_id"] in one.get("collections", [])}
        for row in rows
    ]


@pytest.mark.parametrize("dialect", ["v23", "live19"])
async def test_members_are_those_that_the_data_say(dialect: str, tmp_path: Path) -> None:
    """Over all projects, in one collection; the second run asks for nothing."""
    async with Sandbox(Scenario.named("lab", dialect=dialect)) as box:
        config = write_lab(tmp_path, box.key, RULE)
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert expected(box)
        assert inside(box, "T1_age_20s") == [expected(box)]
        box.requests.clear()
        async with opened(config) as daemon:
            await daemon.run_until_idle()
            assert not daemon.crew.tally.attempts
        assert writes(box) == 0


@pytest.mark.slow
async def test_ten_thousand_members(tmp_path: Path) -> None:
    """At most 20 requests for the collection, whatever else the site is asked."""
    rule = "version: 1\nrules:\n  - {id: all, since: all, each: acquisition, do: [{collection: {label: All}}]}\n"
    scale = {"sessions": 2500, "acquisitions": 4}
    scenario = {
        "scale": scale,
        "protocol": ["T1w", "inplaneT2", "task-rest_run-01", "task-rest_run-02"],
        "users": USERS,
    }
    async with Sandbox(Scenario.of(scenario)) as box:
        async with opened(write_lab(tmp_path, box.key, rule)) as daemon:
            await daemon.look()
            box.requests.clear()
            assert await daemon.run_until_idle()
            asked = [f"{one.method} {one.path}" for one in box.requests.last if "/collections" in one.path]
        assert len(inside(box, "All")[0]) == 10_000
    print(f"10,000 members with {len(asked)} requests")
    assert len(asked) <= 20


async def test_a_matrix_makes_many_collections(tmp_path: Path) -> None:
    """One for each decade of age that somebody is in, each with its own members."""
    rule = """
    version: 1
    rules:
      - id: decades
        since: all
        each: acquisition
        matrix: {decade: [20, 30, 40]}
        if: years(session.age) >= decade and years(session.age) < decade + 10
        do:
          - collection: {label: "SiteWide_decade_{{ decade }}", sync: own}
    """
    async with Sandbox(Scenario.named("lab")) as box:
        async with opened(write_lab(tmp_path, box.key, rule)) as daemon:
            assert await daemon.run_until_idle()
        for decade in (20, 30, 40):
            wanted = {
                str(one["_id"])
                for one in box.site.acquisitions.rows.values()
                if isinstance(age := box.site.get("session", one["session"]).get("age"), int | float)
                and decade <= age / YEAR < decade + 10
            }
            assert wanted
            assert inside(box, f"SiteWide_decade_{decade}") == [wanted]


async def test_a_search_fills_a_collection(tmp_path: Path) -> None:
    """What the index says is read again before it goes in: a hit that no longer fits stays out."""
    rule = """
    version: 1
    rules:
      - id: found
        since: all
        each: project
        scope: {project: scien/tome}
        select:
          hits: {search: "acquisition.label = T1w", returns: acquisition}
        do:
          - collection: {label: Found, sync: own, members: hits}
    """
    async with Sandbox(Scenario.named("lab")) as box:
        async with opened(write_lab(tmp_path, box.key, rule)) as daemon:
            assert await daemon.run_until_idle()
        (members,) = inside(box, "Found")
        assert members
        assert {box.site.get("acquisition", ident)["label"] for ident in members} == {"T1w"}
