"""The recorded exchanges, and the two servers that they were recorded from, rebuilt.

`server` samples come from the real server with two small datasets of its own; `cassette` samples from
the production service, of whose data only what was asked for is rebuilt.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from flyball.sandbox.api.call import Part, Reply
from flyball.sandbox.scout import Scout, build_scout
from flyball.sandbox.scout.tokens import make_token
from unit.sandbox.scout.lab import NOW, ScoutLab

Sample = dict[str, Any]

SAMPLES = Path(__file__).parents[3] / "samples" / "neuroscout" / "recorded.jsonl"
RECORDED: list[Sample] = [orjson.loads(line) for line in SAMPLES.read_bytes().splitlines()]
_HASH = re.compile(r"\b[0-9A-Za-z]{5}\b")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\Z")

_PEOPLE = [
    {"email": "testuser@example.org", "password": "<password>", "user_name": "testuser", "name": "Testuser"},
    {"email": "testuser2@example.org", "password": "<password>", "user_name": "testuser2", "name": "Testuser2"},
    {"email": "unconf@example.org", "password": "<password>", "user_name": "unconf", "name": "U N", "confirmed": False},
]
_EVENTS = {"source": "events"}
_FAKE = "///fake/{}/{}"


def small_server() -> Scout:
    """The server with `Test Dataset`, `Life` of two tasks, and a hidden dataset."""
    rest = {"name": "Two tasks", "BIDSVersion": "1.1.1"}
    datasets = [
        {
            "id": 1,
            "name": "Test Dataset",
            "description": {"Name": "Test Dataset", "BIDSVersion": "1.0.0"},
            "mimetypes": ["image/jpeg"],
            "summary": "A test dataset",
            "dataset_address": _FAKE.format("raw", "address"),
            "preproc_address": _FAKE.format("preproc", "address"),
            "subjects": ["01", "02"],
            "tasks": [{"id": 1, "name": "bidstest", "TR": 2.0, "runs": 2, "first_run": 1, "duration": 120}],
            "predictors": [
                {"id": 1, "name": "trial_type"},
                {"id": 2, "name": "rt", "description": "How long it takes to react!"},
                {"id": 3, "name": "rating"},
                {
                    "id": 8,
                    "name": "Brightness",
                    "extractor": "BrightnessExtractor",
                    "description": "Brightness of an image.",
                    "modality": "image",
                },
            ],
        },
        {
            "id": 2,
            "name": "Life",
            "description": {"Name": rest["name"], "BIDSVersion": "1.1.1"},
            "mimetypes": ["image/jpeg"],
            "summary": "Two task dataset",
            "url": "https://example.org/life",
            "dataset_address": _FAKE.format("raw", "life"),
            "preproc_address": _FAKE.format("preproc", "life"),
            "subjects": ["rid000001", "rid000002", "rid000003", "rid000004"],
            "tasks": [
                {
                    "id": 2,
                    "name": "life",
                    "TR": 2.5,
                    "summary": "life task",
                    "runs": 2,
                    "first_run": 5,
                    "duration": 150,
                },
                {
                    "id": 3,
                    "name": "movie",
                    "TR": 1.5,
                    "summary": "movie task",
                    "runs": 2,
                    "first_run": 13,
                    "duration": 90,
                },
            ],
            "predictors": [
                {"id": 4, "name": "rmse"},
                {"id": 5, "name": "speech"},
                {"id": 6, "name": "FramewiseDisplacement"},
                {"id": 7, "name": "rating", "tasks": ["movie"]},
            ],
        },
        {
            "id": 3,
            "name": "Hidden",
            "active": False,
            "description": {"Name": rest["name"], "BIDSVersion": "1.1.1"},
            "mimetypes": [],
            "summary": "Inactive dataset",
            "preproc_address": _FAKE.format("preproc", "hidden"),
        },
    ]
    analyses = [
        {
            "hash_id": "ncfxs",
            "name": "My first fMRI analysis!",
            "description": "Ground breaking",
            "owner": "testuser",
            "dataset": "Test Dataset",
            "status": "DRAFT",
            "private": True,
        }
    ]
    return build_scout({"users": _PEOPLE, "datasets": datasets, "analyses": analyses}, "replay", NOW)


def production() -> Scout:
    """As much of the production service as was asked for."""
    datasets: list[Sample] = [
        {
            "id": 9,
            "name": "Life",
            "dataset_address": "///labs/haxby/life",
            "preproc_address": "https://example.org/life",
            "subjects": [f"rid{number:06}" for number in range(1, 20)],
            "tasks": [{"id": 8, "name": "life", "TR": 2.5, "runs": 4, "first_run": 236, "acquisition": "374vol"}],
            "predictors": [
                {"id": 12905, "name": "speech", "extractor": "ComplexTextExtractor", "description": "Speech"}
            ],
        },
        {
            "id": 5,
            "name": "SherlockMerlin",
            "subjects": ["17", "18", "20"],
            "tasks": [
                {"id": 4, "name": "MerlinMovie", "TR": 1.5, "summary": "Merlin", "first_run": 126, "duration": 1543.5},
                {
                    "id": 45,
                    "name": "SherlockMovie",
                    "TR": 1.5,
                    "summary": "Sherlock",
                    "first_run": 1433,
                    "duration": 1475,
                },
            ],
            "predictors": [
                {"id": 19957, "name": "std_dvars", "source": "fmriprep", "description": "x", "stats": {"num_na": 0}},
                {"id": 37993, "name": "rmse", "description": "x"},
                {"id": 37968, "name": "speech", "description": "x"},
            ],
        },
        {
            "id": 1,
            "name": "generic_object_decoding",
            "active": False,
            "subjects": ["01"],
            "tasks": [{"id": 1, "name": "perception", "TR": 3.0, "runs": 5, "first_run": 1, "session": "training01"}],
        },
        {
            "id": 10,
            "name": "Raiders",
            "subjects": ["rid000001"],
            "tasks": [{"id": 9, "name": "raiders", "TR": 2.5, "runs": 8, "first_run": 7, "duration": 849}],
        },
        {
            "id": 11,
            "name": "studyforrest",
            "subjects": ["01", "02"],
            "tasks": [{"id": 10, "name": "movie", "TR": 2.0, "runs": 8, "first_run": 698, "duration": 890}],
            "predictors": [
                {"id": 16991, "name": "shot_change", "extractor": "ShotDetection", "description": "x"},
                {"id": 14651, "name": "csf", "source": "fmriprep", "description": "x"},
            ],
        },
        {
            "id": 28,
            "name": "NNDb",
            "subjects": ["82", "86"],
            "tasks": [{"id": 50, "name": "split", "TR": 1.0, "first_run": 1558, "duration": 5000}],
            "predictors": [{"id": 39215, "name": "speech"}],
        },
    ]
    analyses: list[Sample] = [
        {"hash_id": "gbp6i", "name": "speech", "owner": "testuser2", "dataset": "NNDb", "predictors": ["speech"]},
        {
            "hash_id": "9hvm3",
            "name": "pytest_analysis",
            "owner": "testuser",
            "dataset": "Life",
            "predictors": ["speech"],
        },
        {
            "hash_id": "w0mlA",
            "name": "ohbm_spokfreq",
            "owner": "testuser2",
            "dataset": "Life",
            "predictors": ["speech"],
        },
    ]
    scout = build_scout({"users": _PEOPLE, "datasets": datasets, "analyses": analyses}, "replay", NOW)
    scout.last_collection = 129
    return scout


class Replay:
    """One server, asked the recorded requests in their order."""

    def __init__(self, scout: Scout, between: dict[int, Callable[[ScoutLab], None]]) -> None:
        """`between` says what happened before a request, by its number."""
        self.lab = ScoutLab(scout)
        self.between = between
        self.hashes: dict[str, str] = {}

    def put(self, sample: Sample) -> Reply:
        """Put a recorded request."""
        if sample["n"] in self.between:
            self.between.pop(sample["n"])(self.lab)
        given = sample.get("body")
        parts, body = None, None
        if isinstance(given, dict) and "multipart" in given:
            parts = [
                Part(p["name"], p.get("filename"), p.get("content_type"), p["value"].encode())
                for p in given["multipart"]
            ]
        elif isinstance(given, str):
            body = given.encode()
        elif given is not None:
            body = orjson.dumps(self._translate(self._sign_in(sample, given)))
        self.lab.later(0.001)
        path = self._translate(sample["path"])
        query = {k: str(v) for k, v in sample.get("query", {}).items()}
        kind = sample.get("type", "")
        header = self._header(sample)
        reply = self.lab.ask(
            sample["method"], path, body, user=None, header=header, content_type=kind, parts=parts, query=query
        )
        self._learn(sample["answer"], reply)
        return reply

    def _sign_in(self, sample: Sample, body: Any) -> Any:
        """Credentials are not in the recording."""
        call = sample["call"]
        if sample["path"] == "/auth" and "email" in body:
            name = {"auth2": "testuser2", "auth unconfirmed": "unconf"}.get(call, "testuser")
            return {**body, "email": f"{name}@example.org", "password": "no" if call == "auth.bad" else "<password>"}
        if call.startswith("register") and "email" in body:
            return {**body, "email": "new@example.org", "password": "no" if "short" in call else "<password>"}
        return body

    def _header(self, sample: Sample) -> str | None:
        call, signed = sample["call"], sample.get("signed")
        if signed is None:
            return None
        special: dict[str, Callable[[], str]] = {
            "bearer prefix": lambda: self.lab.token("testuser").replace("JWT", "Bearer"),
            "garbage token": lambda: "JWT Ybdh.Ybdh.Ybdh",
            "token with spaces": lambda: f"{self.lab.token('testuser')} x",
            "expired token": lambda: self.lab.token("testuser", life_s=-5),
            "token of missing user": self._stranger,
            "unconfirmed user get": lambda: self.lab.token("unconf"),
        }
        if call in special:
            return special[call]()
        other = call.startswith(("other user", "user2")) or call.endswith("by user2")
        return self.lab.token("testuser2" if other else "testuser")

    def _stranger(self) -> str:
        """A token of ours for a user who is not there."""
        return f"JWT {make_token(self.lab.scout.secret, 99, self.lab.scout.now, 3600)}"

    def _learn(self, recorded: Any, reply: Reply) -> None:
        """Remember which of our hashes stands for a recorded one."""
        if isinstance(recorded, dict) and "hash_id" in recorded and reply.status == 200 and reply.raw:
            self.hashes.setdefault(recorded["hash_id"], orjson.loads(reply.raw)["hash_id"])

    def _translate(self, value: Any) -> Any:
        text = orjson.dumps(value).decode()
        return orjson.loads(_HASH.sub(lambda match: self.hashes.get(match.group(), match.group()), text))

    def plain(self, value: Any) -> Any:
        """A recorded answer with our hashes, ready to be compared."""
        return plain(self._translate(value))


def plain(value: Any, name: str = "") -> Any:
    """An answer without what differs by nature: times, what was redacted, the order of lists, the database's words."""
    if name in {"email", "password", "access_token"}:
        return f"<{name}>"
    if name == "traceback" and value:
        return value.split("Available names")[0].split("\n\n")[0]
    if isinstance(value, dict):
        return {key: plain(inner, key) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted(
            (plain(inner, name) for inner in value), key=lambda v: orjson.dumps(v, option=orjson.OPT_SORT_KEYS)
        )
    if isinstance(value, str) and _STAMP.match(value):
        return "<stamp>"
    return value
