"""New sessions that keep arriving: scans appear one by one, the site's rules start MRIQC on them."""

from datetime import timedelta
from typing import Any

from flyball.sandbox.dice import Dice
from flyball.sandbox.launch import rule_job
from flyball.sandbox.scans import add_images, measured
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

Map = dict[str, Any]


def plan_growth(site: Site, growth: Map) -> None:
    """Plan arrivals: `{every_s, limit, group, project, scan_s, lacks, gear}`; nothing without `every_s`."""
    if growth.get("every_s"):
        site.plan(site.now + timedelta(seconds=float(growth["every_s"])), lambda s: _arrive(s, growth, 1))


def _arrive(site: Site, growth: Map, number: int) -> None:
    """One subject walks in; the next is planned."""
    project = _project(site, growth)
    if project is None:
        return
    dice = Dice.of(site.seed, "arrival", number)
    label = f"{growth.get('prefix', 'NEW_')}{number:04}"
    subject = site.add_subject(project["_id"], label, sex=dice.choice(["female", "male"]))
    age = int(dice.uniform(18, 62) * 31_557_600)
    session = site.add_session(subject["_id"], "Session 1", age=age, timestamp=site.now, timezone="America/New_York")
    protocol: list[str] = site.options.get("protocol") or ["T1w"]
    lacks = float(growth.get("lacks", 0.08))
    pause = timedelta(seconds=float(growth.get("scan_s", 0.5)))
    place = 0
    for acquisition in protocol:
        if dice.random() >= lacks:
            place += 1
            site.plan(site.now + pause * place, _scanner(session["_id"], acquisition, growth))
    if number < int(growth.get("limit", 1000)):
        again = site.now + timedelta(seconds=float(growth["every_s"]))
        site.plan(again, lambda s: _arrive(s, growth, number + 1))


def _project(site: Site, growth: Map) -> Doc | None:
    wanted = growth.get("group"), growth.get("project")
    rows = site.projects.rows.values()
    return next((p for p in rows if wanted in {(p["group"], p["label"]), (None, None)}), None)


def _scanner(session_id: str, label: str, growth: Map) -> Any:
    def act(site: Site) -> None:
        if session_id not in site.sessions.rows:
            return
        acquisition = site.add_acquisition(session_id, label, timestamp=site.now, timezone="America/New_York")
        image = add_images(site, acquisition)
        if measured(label)[0] != "T2":
            rule_job(site, str(growth.get("gear", "mriqc")), "nifti", "acquisition", acquisition, image)

    return act
