"""Builds the data of a scenario: users, gears, projects, subjects, sessions, scans and their quality.

What lies in the past is made in the order of its time, so ids and time stamps agree, and jobs that
were launched then have run by now.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flyball.sandbox.access import BEARER_LENGTH
from flyball.sandbox.dice import Dice
from flyball.sandbox.extras import add_files
from flyball.sandbox.files import put_file
from flyball.sandbox.growth import plan_growth
from flyball.sandbox.launch import launch_analysis, launch_job, newest_gears
from flyball.sandbox.scans import add_scan
from flyball.sandbox.scenario import Map, Scenario
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

_YEAR_S = 31_557_600
_OLDEST_DAYS = 400.0
_SCALE_DAYS = 90.0
_USERS = {"admin": {"email": "admin@example.org"}, "user": {"email": "op@example.org"}}
_STEP = timedelta(milliseconds=250)


def build(scenario: Scenario, now: datetime) -> Site:
    """A site with the scenario's data, as it is at the moment given."""
    site = Site(now - timedelta(days=_OLDEST_DAYS), speech=scenario.speech(), seed=scenario.seed)
    site.options = {"pace": scenario.pace(), "outcomes": {}, "protocol": scenario.protocol}
    site.options["views"] = scenario.view_pace()
    site.options["outputs"] = {str(g["name"]): g["outputs"] for g in scenario.gears if "outputs" in g}
    if "quality" in scenario.growth:
        site.options["quality"] = scenario.growth["quality"]
    _add_users(site, scenario)
    for group_id, label in scenario.groups.items():
        site.add_group(str(group_id), str(label))
    if scenario.scale:
        _add_scale(site, scenario)
    past = [(_ago(now, gear, 300.0), _gear_adder(site, gear)) for gear in scenario.gears]
    for project in scenario.projects:
        _plan_project(site, scenario, project, now, past)
    past.extend((_ago(now, launch, 1.0), _launcher(site, launch)) for launch in scenario.launches)
    for moment, act in sorted(past, key=lambda item: item[0]):
        site.catch_up(moment)
        act()
    site.catch_up(now)
    site.search.fall_behind(scenario.search_lag())
    plan_growth(site, scenario.growth)
    return site


def _ago(now: datetime, values: Map, default: float) -> datetime:
    return now - timedelta(days=float(values.get("days_ago", default)))


# Users and gears


def _add_users(site: Site, scenario: Scenario) -> None:
    users = scenario.users or _USERS
    for name, values in users.items():
        email = values["email"]
        admin = values.get("admin", name == "admin")
        doc: Doc = {
            "_id": email,
            "email": email,
            "firstname": values.get("firstname", name),
            "lastname": values.get("lastname", "Demo"),
            "roles": ["user", "site_admin"] if admin else ["user"],
            "root": admin,
            "disabled": False,
            "created": site.now,
            "modified": site.now,
        }
        site.users.add(doc)
        site.keys[key_for(scenario, email)] = email


def key_for(scenario: Scenario, email: str) -> str:
    """The API key of a user, the same for the same seed.

    57 characters where the site takes `Bearer` keys, fewer on a 2019 site.
    """
    digest = hashlib.sha512(f"{scenario.seed}/{email}".encode()).hexdigest()
    return digest[: BEARER_LENGTH if scenario.speech().bearer_keys else 20]


def _gear_adder(site: Site, values: Map) -> Callable[[], None]:
    def act() -> None:
        manifest = {
            "label": values.get("label", values["name"]),
            "description": values.get("label", values["name"]),
            "author": "Flyball sandbox",
            "maintainer": "Flyball sandbox",
            "license": "Other",
            "url": "",
            "source": "",
            "cite": "",
            "command": "python run.py",
            "environment": {"FLYWHEEL": "/flywheel/v0"},
            "custom": {},
            "name": values["name"],
            "version": str(values["version"]),
            "inputs": values.get("inputs", {}),
            "config": values.get("config", {}),
        }
        doc: Doc = {
            "_id": site.ids.oid(site.now),
            "category": values["category"],
            "gear": manifest,
            "exchange": {"git-commit": "sandbox", "rootfs-hash": f"v0-sha384-{'0' * 96}", "rootfs-url": ""},
            "created": site.now,
            "modified": site.now,
        }
        if values.get("disabled"):
            doc["disabled"] = site.now
        site.gears.add(doc)

    return act


# Projects


def _plan_project(
    site: Site, scenario: Scenario, values: Map, now: datetime, past: list[tuple[datetime, Callable[[], None]]]
) -> None:
    made: dict[str, Doc] = {}

    def create() -> None:
        emails = [u["email"] for n, u in (scenario.users or _USERS).items() if u.get("admin", n == "admin")]
        permissions = [{"_id": email, "access": "admin"} for email in emails]
        path = f"{values['group']}/{values['label']}"
        permissions += [
            {"_id": user["email"], "access": user["projects"][path]}
            for user in scenario.users.values()
            if path in user.get("projects", {})
        ]
        plain = {k: v for k, v in values.items() if k in {"info", "description"}}
        made["project"] = site.add_project(values["group"], values["label"], permissions=permissions, **plain)
        add_files(site, "project", made["project"], values.get("files", []))

    past.append((_ago(now, values, 200.0), create))
    protocol = values.get("protocol", scenario.protocol)
    for subject in [*values.get("subjects", []), *_cohort(site, values, protocol)]:
        holder: dict[str, Doc] = {}
        sessions = subject.get("sessions", [])
        first = max((float(s.get("days_ago", 10)) for s in sessions), default=10.0)
        past.append((_ago(now, {"days_ago": first + 0.01}, 0), _subject_adder(site, made, holder, subject)))
        for session in sessions:
            act = _session_adder(site, holder, session, protocol)
            past.append((_ago(now, session, 10.0), act))


def _subject_adder(site: Site, made: dict[str, Doc], holder: dict[str, Doc], values: Map) -> Callable[[], None]:
    def act() -> None:
        plain = {k: v for k, v in values.items() if k in {"sex", "firstname", "lastname", "cohort", "info"}}
        holder["subject"] = site.add_subject(made["project"]["_id"], str(values["label"]), **plain)
        add_files(site, "subject", holder["subject"], values.get("files", []))

    return act


def _session_adder(site: Site, holder: dict[str, Doc], values: Map, protocol: list[str]) -> Callable[[], None]:
    def act() -> None:
        plain: Map = {k: v for k, v in values.items() if k in {"uid", "operator", "weight", "info"}}
        if "age_years" in values:
            years = values["age_years"]
            plain["age"] = None if years is None else int(float(years) * _YEAR_S)
        if not values.get("undated"):
            plain["timestamp"] = site.now - timedelta(hours=2)
        plain["timezone"] = "America/New_York"
        session = site.add_session(holder["subject"]["_id"], str(values.get("label", "ses-01")), **plain)
        lacks = set(values.get("lacks", []))
        labels = [label for label in protocol if label not in lacks]
        labels += [f"T1w_rep-{n:02}" for n in range(2, int(values.get("t1", 1)) + 1)]
        if int(values.get("t1", 1)) == 0:
            labels = [label for label in labels if not label.startswith("T1w")]
        labels += [str(label) for label in values.get("extra", [])]
        quality: Map = values.get("qa", {})
        for place, label in enumerate(labels):
            site.catch_up(site.now + _STEP)
            when = (plain.get("timestamp") or site.now) + timedelta(minutes=6 * place)
            add_scan(site, session, label, str(quality.get(label, "good")), when)
        add_files(site, "session", session, values.get("files", []))

    return act


def _cohort(site: Site, values: Map, protocol: list[str]) -> list[Map]:
    """Subjects made by chance: `cohort: {subjects, prefix, lacks, flawed, t2}`, rates from 0 to 1."""
    cohort: Map = values.get("cohort") or {}
    subjects: list[Map] = []
    for number in range(1, int(cohort.get("subjects", 0)) + 1):
        dice = Dice.of(site.seed, "cohort", values["label"], number)
        sessions: list[Map] = []
        for visit in range(1, (2 if dice.random() < float(cohort.get("second_visit", 0.3)) else 1) + 1):
            session: Map = {"label": f"Session {visit}", "days_ago": round(dice.uniform(2, 120) / visit, 3)}
            session["age_years"] = round(dice.uniform(18, 62), 2)
            session["lacks"] = [p for p in protocol if dice.random() < float(cohort.get("lacks", 0.04))]
            session["t1"] = dice.choice([1, 1, 1, 2, 3])
            flaws = ["low_snr", "high_fd", "missing", "null", "nan", "text", "unclassified"]
            session["qa"] = {
                p: dice.choice(flaws) for p in protocol if dice.random() < float(cohort.get("flawed", 0.1))
            }
            sessions.append(session)
        label = f"{cohort.get('prefix', 'S')}{number:03}"
        subjects.append({"label": label, "sex": dice.choice(["female", "male"]), "sessions": sessions})
    return subjects


# Launches of the past


def _launcher(site: Site, values: Map) -> Callable[[], None]:
    """A gear that a person ran: `{gear, on: [group, project, subject, …], slots, outcome, tags}`."""

    def act() -> None:
        level, doc = _place(site, [str(part) for part in values["on"]])
        gear = next(g for g in newest_gears(site) if g["gear"]["name"] == values["gear"])
        refs: Map = {}
        for slot, path in values.get("inputs", {}).items():
            holder_level, holder = _place(site, [str(part) for part in path[:-1]])
            refs[slot] = {"type": holder_level, "id": holder["_id"], "name": path[-1]}
        request: Map = {"gear_id": gear["_id"], "inputs": refs, "tags": values.get("tags", [])}
        user = values.get("by", "admin@example.org")
        if gear["category"] == "analysis":
            body = {"label": values.get("label", f"{values['gear']} by hand"), "job": request}
            job_id = launch_analysis(site, level, doc["_id"], body, user)["job"]
        else:
            job_id = launch_job(site, {**request, "destination": {"type": level, "id": doc["_id"]}}, user)["_id"]
        if "outcome" in values:
            site.options["outcomes"][job_id] = values["outcome"]

    return act


def _place(site: Site, path: list[str]) -> tuple[str, Doc]:
    """The container at a path of labels."""
    level, doc = "group", site.groups.rows[path[0]]
    for lower, label in zip(("project", "subject", "session", "acquisition"), path[1:], strict=False):
        below = site.table(lower).below((level, doc["_id"]))
        level, doc = lower, next(d for d in below if d["label"] == label)
    return level, doc


# Large sites


def _add_scale(site: Site, scenario: Scenario) -> None:
    """`scale: {sessions, group, project, acquisitions}`: many plain sessions, the oldest data of the site."""
    scale: dict[str, Any] = scenario.scale
    sessions, acquisitions = int(scale.get("sessions", 0)), int(scale.get("acquisitions", 1))
    group = str(scale.get("group", "scale"))
    if group not in site.groups.rows:
        site.add_group(group, "Scale")
    project = site.add_project(group, str(scale.get("project", "scale")))
    labels = (scenario.protocol or ["T1w"])[:acquisitions] if acquisitions else []
    oldest = site.now
    step = timedelta(days=_SCALE_DAYS) / max(1, sessions)
    for number in range(sessions):
        site.catch_up(oldest + step * number)
        if number % 2 == 0:
            # Not by add_subject, whose check for a taken label looks at all of them.
            parents = {"group": group, "project": project["_id"]}
            doc = {"label": f"P{number // 2:06}", "code": f"P{number // 2:06}", "project": project["_id"]}
            subject = site.subjects.add(site.new_doc({**doc, "parents": parents}))
        session = site.add_session(subject["_id"], f"ses-{number % 2 + 1:02}", timestamp=site.now)
        for label in labels:
            acquisition = site.add_acquisition(session["_id"], label, timestamp=site.now)
            dice = Dice.of(site.seed, "scale", number, label)
            info = {"snr": round(dice.uniform(0.5, 4.0), 4), "fd_mean": round(dice.uniform(0.05, 3.0), 4)}
            measured = {"Measurement": ["T2*"], "Intent": ["Functional"]}
            name = f"{label}_mriqc.qa.html"
            put_file(site, "acquisition", acquisition, name, modality="MR", classification=measured, info=info)
