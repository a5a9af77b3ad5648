"""Recorded requests of 2019, put to the sandbox: same statuses, same shapes of answers.

The samples were recorded from the public 2019 source (live19). Ids are translated; values are not
compared, names and types of fields are, and the words of refusals.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from flyball.sandbox.api.call import Part
from flyball.sandbox.files import put_file
from flyball.sandbox.jobs import Pace, fail, set_state
from flyball.sandbox.outputs import archive_of
from flyball.sandbox.scenario import Scenario
from flyball.sandbox.world import build
from unit.sandbox.lab import NOW, Lab

SAMPLES = Path(__file__).parents[2] / "samples" / "flywheel" / "live19.json"
RECORDED: list[dict[str, Any]] = orjson.loads(SAMPLES.read_bytes())
USERS = {"site admin": "admin@example.org", "project admin": "op@example.org", "user without access": "no@example.org"}
OID = re.compile(r"[0-9a-f]{24}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00\Z")

ELSEWHERE = {
    2: "the group is there already",
    45: "an id in letters as a cursor",
    71: "a crash of the 2019 server on a file of an absent container",
    82: "recorded after the session had been deleted",
    83: "recorded after the sessions had been deleted",
    87: "recorded after the session had been deleted",
    102: "the note's id is not in the recording",
    114: "the pattern of group labels is not emulated",
    174: "recorded after the acquisition had been deleted",
    183: "the path was cut short in the recording",
    184: "the path was cut short in the recording",
    193: "the path was cut short in the recording",
}
"""What is not replayed, and why."""

OPTIONAL = {"info_exists", "editions", "providers", "capabilities", "exchange", "permissions", "collections", "avatars"}
"""Fields that may be there or not without harm to a client."""


class World:
    """The recorded lab, rebuilt, with the recorded ids translated."""

    def __init__(self) -> None:
        users = {
            "admin": {"email": "admin@example.org"},
            "op": {"email": "op@example.org", "projects": {}},
            "no": {"email": "no@example.org"},
        }
        gears = [g for g in Scenario.named("lab").gears if not g.get("disabled")]
        scenario = Scenario.of({"dialect": "live19", "users": users, "gears": gears})
        self.lab = Lab(scenario, build(scenario, NOW))
        site = self.lab.site
        site.options["pace"] = Pace(pending_s=(3600, 3600))
        both = [{"_id": "admin@example.org", "access": "admin"}, {"_id": "op@example.org", "access": "admin"}]
        site.add_group("demo-group", "Demo")
        project = site.add_project("demo-group", "Test_Project", permissions=both)
        other = site.add_project("demo-group", "Other", permissions=both[:1])
        first = site.add_subject(project["_id"], "sub-00", sex="female", info={"age_group": "adult"})
        second = site.add_subject(project["_id"], "sub-03")
        ids = {"3d6cc249547cf99395": project, "3e6cc249547cf99396": other, "3e6cc249547cf99397": first}
        for subject, session_id, *scans in (
            (first, "3e6cc249547cf99398", "3e6cc249547cf99399", "3e6cc249547cf9939a"),
            (first, "3e6cc249547cf9939c", "3e6cc249547cf9939d", "3e6cc249547cf9939e"),
            (second, "3e6cc249547cf993a1", "3f6cc249547cf993a2", "4c6cc249547cf993b3"),
            (second, "3f6cc249547cf993a5", "3f6cc249547cf993a6", "3f6cc249547cf993a7"),
            (second, "3f6cc249547cf993aa", "406cc249547cf993af", "406cc249547cf993b0"),
        ):
            session = site.add_session(subject["_id"], "ses-01", age=1072137600, timestamp=NOW, info={"visit": 1})
            ids[session_id] = session
            for own, label in zip(scans, ("T1w", "T2w"), strict=True):
                ids[own] = scan = site.add_acquisition(session["_id"], label, timestamp=NOW, info={"n": 0})
                meta: dict[str, Any] = {
                    "modality": "MR",
                    "info": {"snr": 12.5},
                    "classification": {"Measurement": ["T1"]},
                }
                put_file(site, "acquisition", scan, f"{label}.nii.gz", **meta)
        odd = site.add_subject(other["_id"], "odd")
        for label, own in (("a>=b", "716cc249547cf993f7"), ("a<b", ""), ("1001", ""), ("alpha", ""), ("x", "")):
            added = site.add_session(odd["_id"], label, info={"num": 7} if label == "1001" else {})
            ids |= {own: added} if own else {}
        for own, gear in (
            ("3d6cc249547cf99390", "freesurfer-recon-all"),
            ("3d6cc249547cf99393", "dcm2niix"),
            ("3d6cc249547cf9938e", "mriqc"),
        ):
            ids[own] = self.lab.gear(gear)
        self.ids = {f"6b000b{own}": str(doc["_id"]) for own, doc in ids.items()}
        site.sessions.retag(ids["3e6cc249547cf9939c"], ["T2"])
        put_file(site, "acquisition", ids["3e6cc249547cf9939d"], "x.txt", content=b"old")
        put_file(site, "session", ids["3f6cc249547cf993a5"], "out.zip", content=archive_of({"a.csv": "1"}))
        self.lab.later(1)

    def launch(self, user: str, session: str) -> tuple[str, str]:
        """An analysis with a job on a recorded session; gives the ids of both."""
        body = {"label": "FS", "job": {"gear_id": self.ids["6b000b3d6cc249547cf99390"], "inputs": {}, "tags": ["K"]}}
        path = f"/sessions/{self.ids[session]}/analyses"
        own = str(self.lab.ask("POST", path, body, user=user).body["_id"])
        return own, str(self.lab.site.analyses.rows[own]["job"])

    def prepare(self, number: int) -> None:
        """What happened between two recorded requests."""
        site = self.lab.site
        first, later = "6b000b3e6cc249547cf99398", "6b000b3f6cc249547cf993a5"
        if number == 118:
            nifti = {"type": "acquisition", "id": self.ids["6b000b3e6cc249547cf99399"], "name": "T1w.nii.gz"}
            job = {"gear_id": self.ids["6b000b3d6cc249547cf99390"], "inputs": {"anatomical": nifti}}
            body = {"label": "FS run", "job": job}
            analysis = self.lab.ask("POST", f"/sessions/{self.ids[first]}/analyses", body).body["_id"]
            self.ids["6b000b596cc249547cf993be"] = analysis
            self.ids["6b000b596cc249547cf993bf"] = site.analyses.rows[analysis]["job"]
        elif number == 128:
            self.launch("op@example.org", first)
        elif number == 161:
            _, self.ids["6b000b636cc249547cf993e4"] = self.launch("admin@example.org", first)
            set_state(site, site.jobs.rows[self.ids["6b000b636cc249547cf993e4"]], "running")
        elif number == 164:
            fail(site, site.jobs.rows[self.ids["6b000b636cc249547cf993e4"]])
        elif number == 168:
            own = self.launch("op@example.org", later)
            self.ids["6b000b666cc249547cf993e7"], self.ids["6b000b666cc249547cf993e8"] = own
        elif number == 176:
            site.options["pace"] = Pace(compute=False)

    def translate(self, value: Any) -> Any:
        """The same with our ids for the recorded ones."""
        text = orjson.dumps(value).decode()
        return orjson.loads(OID.sub(lambda match: self.ids.get(match.group(), match.group()), text))

    def replay(self, sample: dict[str, Any]) -> tuple[int, Any]:
        """Put a recorded request and give status and answer as JSON."""
        self.prepare(sample["n"])
        query = "&".join(f"{k}={str(v).replace('+', '%2B')}" for k, v in sample["query"].items())
        parts, body = None, self.translate(sample["body"])
        if body == "<multipart>":
            body, parts = None, [Part("file", "x.txt", "text/plain", b"x")]
            if sample["call"] == "upload zip":
                parts = [Part("file", "out.zip", "application/zip", archive_of({"a": "b"}))]
        path = self.translate(sample["path"]).removeprefix("/api")
        headers = {"x-accept-feature": sample["feature"]} if sample["feature"] else {}
        address = f"{path}?{self.translate(query)}" if query else path
        reply = self.lab.ask(sample["method"], address, body, user=USERS[sample["as"]], headers=headers, parts=parts)
        answer = orjson.loads(orjson.dumps(reply.body)) if reply.raw is None else ""
        if isinstance(answer, dict) and isinstance(sample["answer"], dict) and "_id" in sample["answer"]:
            self.ids.setdefault(sample["answer"]["_id"], answer.get("_id", ""))
        return reply.status, answer


def kind(value: Any) -> str:
    """What a client would take the value for."""
    if isinstance(value, str):
        return "time" if TIME.match(value) else "id" if OID.fullmatch(value) else "text"
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def differences(recorded: Any, ours: Any, at: str = "") -> Iterator[str]:
    """Where two answers differ in names and types of fields."""
    if recorded is None or ours is None:
        return
    if isinstance(recorded, dict) and isinstance(ours, dict):
        if at.endswith((".gear", ".info", ".config.config", ".classification", ".environment", ".custom")):
            return
        if not at.endswith(".inputs"):
            yield from (f"{at}.{name} is missing" for name in recorded if name not in ours and name not in OPTIONAL)
            yield from (f"{at}.{name} is new" for name in ours if name not in recorded and name not in OPTIONAL)
        for name in recorded.keys() & ours.keys():
            yield from differences(recorded[name], ours[name], f"{at}.{name}")
    elif isinstance(recorded, list) and isinstance(ours, list):
        if recorded and ours:
            yield from differences(recorded[0], ours[0], f"{at}[]")
    elif kind(recorded) != kind(ours):
        yield f"{at} is {kind(ours)}, was {kind(recorded)}"


PLAYED = [sample for sample in RECORDED if sample["n"] not in ELSEWHERE]


@pytest.fixture(scope="module")
def replayed() -> dict[int, tuple[int, Any, str]]:
    """One lab for all requests, in the order of the recording, whichever of them are tested here: by number, the status
    and the answer, and the message that was recorded, with this lab's ids.
    """
    world, found = World(), {}
    for sample in PLAYED:
        status, answer = world.replay(sample)
        recorded = sample["answer"]
        message = recorded.get("message") if isinstance(recorded, dict) else None
        found[sample["n"]] = (status, answer, world.translate(message) if isinstance(message, str) else "")
    return found


@pytest.mark.parametrize("sample", PLAYED, ids=lambda r: f"{r['n']:03}-{r['call'].replace(' ', '-')}")
def test_answers_like_the_recording(replayed: dict[int, tuple[int, Any, str]], sample: dict[str, Any]) -> None:
    """Status, field names, types, and the message of a refusal."""
    status, answer, message = replayed[sample["n"]]
    assert status == sample["status"], answer
    recorded = sample["answer"]
    assert list(differences(recorded, answer)) == []
    if status >= 400 and isinstance(recorded, dict):
        assert answer["message"][:25] == message[:25]
