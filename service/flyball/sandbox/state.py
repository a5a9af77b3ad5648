"""The emulated site's memory: containers, files, analyses, jobs, gears and users.

Plain dictionaries in tables, changed by the functions of this package and by tests. Nothing here
reads a clock: `catch_up(now)` sets the time at which everything that follows happens, and runs what
was due before it (jobs that go on, sessions that arrive).
"""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from flyball.sandbox.dialect import V23, Dialect
from flyball.sandbox.errors import absent, invalid, not_found
from flyball.sandbox.ids import IdMaker, Oid, is_oid, stamp
from flyball.sandbox.search.index import SearchIndex
from flyball.sandbox.storage import Storage
from flyball.sandbox.tables import Anchor, Doc, Table

PLURALS = {
    "group": "groups",
    "project": "projects",
    "subject": "subjects",
    "session": "sessions",
    "acquisition": "acquisitions",
    "analysis": "analyses",
    "collection": "collections",
}
"""The containers: the name of a level and its name in addresses."""

SINGULARS = {plural: level for level, plural in PLURALS.items()}
CHILDREN = {"group": "project", "project": "subject", "subject": "session", "session": "acquisition"}


def _above(doc: Doc) -> list[Anchor]:
    return list(doc["parents"].items())


def _above_analysis(doc: Doc) -> list[Anchor]:
    return [*doc["parents"].items(), ("parent", doc["parent"]["id"])]


def _above_file(doc: Doc) -> list[Anchor]:
    return [*doc["parents"].items(), ("parent", doc["parent_ref"]["id"])]


def _above_job(doc: Doc) -> list[Anchor]:
    return [*doc["parents"].items(), ("destination", doc["destination"]["id"])]


def _nothing_above(_doc: Doc) -> list[Anchor]:
    return []


class Site:
    """Everything the site knows, and the time it is there."""

    def __init__(self, now: datetime, *, speech: Dialect = V23, seed: str = "lab") -> None:
        """An empty site at a moment; the seed decides ids and chance."""
        self.now = stamp(now)
        self.speech = speech
        self.seed = seed
        self.ids = IdMaker(seed)
        self.groups = Table("_id", _nothing_above)
        self.projects = Table("_id", _above)
        self.subjects = Table("_id", _above)
        self.sessions = Table("_id", _above)
        self.acquisitions = Table("_id", _above)
        self.analyses = Table("_id", _above_analysis)
        self.files = Table("file_id", _above_file)
        self.jobs = Table("_id", _above_job)
        self.gears = Table("_id", _nothing_above)
        self.collections = Table("_id", _nothing_above)
        self.users = Table("_id", _nothing_above)
        self.batches = Table("_id", _nothing_above)
        self.rules = Table("_id", _nothing_above)
        self.views = Table("_id", _nothing_above)
        self.executions = Table("_id", _nothing_above)
        self.results: dict[str, Any] = {}
        """Execution of a view to its table."""
        self.keys: dict[str, str] = {}
        """API key to user id."""
        self.contents: dict[str, bytes] = {}
        """File version id to its bytes; files that only the scenario made have none."""
        self.versions: dict[str, list[Doc]] = {}
        """file_id to the records that newer versions replaced."""
        self.logs: dict[str, list[Doc]] = {}
        """Job id to its log lines."""
        self.tickets: dict[str, tuple[str, tuple[str, ...]]] = {}
        """Download ticket to its user and the address it is good for."""
        self.storage = Storage(self.ids)
        """What lies behind signed addresses."""
        self.uploads: dict[str, Doc] = {}
        """Upload ticket to what it was asked for."""
        self.bundles: dict[str, Doc] = {}
        """Download ticket of whole containers to their files."""
        self.options: Doc = {}
        """The scenario's settings for jobs and growth."""
        self.search = SearchIndex(self)
        """What the structured search knows."""
        self._agenda: list[tuple[datetime, int, Callable[[Site], None]]] = []
        self._planned = 0

    # Time

    def plan(self, moment: datetime, act: Callable[["Site"], None]) -> None:
        """Have something done when the time comes."""
        self._planned += 1
        heapq.heappush(self._agenda, (stamp(moment), self._planned, act))

    def catch_up(self, now: datetime) -> None:
        """Do what was due up to a moment, each at its own time, and be there."""
        now = stamp(now)
        while self._agenda and self._agenda[0][0] <= now:
            moment, _, act = heapq.heappop(self._agenda)
            self.now = max(self.now, moment)
            act(self)
        self.now = max(self.now, now)

    # Reading

    def table(self, level: str) -> Table:
        """The table of a level, singular or plural."""
        found: Table = getattr(self, PLURALS.get(level, level))
        return found

    def get(self, level: str, container_id: str) -> Doc:
        """A container by its level and id.

        Raises:
            Refusal: 404.
        """
        doc = self.table(level).rows.get(container_id)
        if doc is None:
            if level != "group" and not is_oid(container_id):
                raise not_found()
            raise absent(PLURALS.get(level, level), container_id)
        return doc

    def find(self, container_id: str) -> tuple[str, Doc] | None:
        """A container by its id alone, with its level."""
        for level in PLURALS:
            doc = self.table(level).rows.get(container_id)
            if doc is not None:
                return level, doc
        return None

    def project_of(self, level: str, doc: Doc) -> str | None:
        """The id of the project that a container belongs to."""
        if level == "project":
            return str(doc["_id"])
        found = doc.get("parents", {}).get("project")
        return None if found is None else str(found)

    def files_of(self, doc: Doc) -> list[Doc]:
        """The files of a container."""
        files: list[Doc] = doc.get("files") or []
        return files

    def descendants(self, level: str, container_id: str) -> Iterator[tuple[str, Doc]]:
        """Containers and analyses below a container, the lowest first."""
        for lower in ("analysis", "acquisition", "session", "subject", "project"):
            table = self.table(lower)
            for doc in table.below((level, container_id)):
                yield lower, doc

    # Creating

    def new_doc(self, fields: Doc) -> Doc:
        """The document of a new container with the fields that all have."""
        return {
            "_id": self.ids.oid(self.now),
            "tags": [],
            "notes": [],
            "info": {},
            "files": [],
            "created": self.now,
            "modified": self.now,
            "revision": 1,
            **fields,
        }

    def add_group(self, group_id: str, label: str) -> Doc:
        """A new group; its id is a slug."""
        doc = {"_id": group_id, "label": label, "tags": [], "permissions": []}
        return self.groups.add(doc | {"created": self.now, "modified": self.now, "revision": 1})

    def add_project(self, group_id: str, label: str, **fields: Any) -> Doc:
        """A new project; labels need not be unique."""
        group = self.get("group", group_id)["_id"]
        permissions = [{"_id": user_id, "access": "admin"} for user_id in self.users.ids[:1]]
        doc = {"label": label, "group": group, "parents": {"group": group}, "permissions": permissions}
        return self.projects.add(self.new_doc(doc | fields))

    def add_subject(self, project_id: str, label: str, **fields: Any) -> Doc:
        """A new subject; its label is unique in the project.

        Raises:
            Refusal: 422 when the label is taken (live19).
        """
        project = self.get("project", project_id)
        if any(s["label"] == label for s in self.subjects.below(("project", project_id))):
            raise invalid(422, f'subject code "{label}" already exists in project {project_id}')
        parents = {"group": project["group"], "project": project["_id"]}
        doc = {"label": label, "code": label, "project": project["_id"], "parents": parents}
        return self.subjects.add(self.new_doc(doc | fields))

    def add_session(self, subject_id: str, label: str, **fields: Any) -> Doc:
        """A new session of a subject; `age` in seconds, `timestamp` with a zone."""
        subject = self.get("subject", subject_id)
        parents = subject["parents"] | {"subject": subject["_id"]}
        doc = {"label": label, "group": parents["group"], "project": parents["project"], "parents": parents}
        return self.sessions.add(self.new_doc(doc | fields))

    def add_acquisition(self, session_id: str, label: str, **fields: Any) -> Doc:
        """A new acquisition of a session."""
        session = self.get("session", session_id)
        parents = session["parents"] | {"session": session["_id"]}
        doc = {"label": label, "session": session["_id"], "parents": parents, "collections": []}
        return self.acquisitions.add(self.new_doc(doc | fields))

    def add_collection(self, label: str, **fields: Any) -> Doc:
        """A new, empty collection; labels need not be unique."""
        return self.collections.add(self.new_doc({"label": label, "parents": {}} | fields))

    def add_analysis(self, level: str, container_id: str, label: str, **fields: Any) -> Doc:
        """A new analysis on a container, without a job."""
        parent = self.get(level, container_id)
        parents = {**parent.get("parents", {}), level: parent["_id"]}
        doc = {"label": label, "parent": {"type": level, "id": parent["_id"]}, "parents": parents, "inputs": []}
        return self.analyses.add(self.new_doc(doc | fields))

    # Changing

    def touch(self, level: str, doc: Doc) -> None:
        """Move the container's `modified`."""
        self.table(level).moved(doc, self.now)

    def delete(self, level: str, container_id: str) -> int:
        """Delete a container with everything below it; jobs stay, their destination dangling (live19)."""
        doc = self.get(level, container_id)
        doomed = [*self.descendants(level, container_id), (level, doc)] if level != "collection" else []
        for lower, gone in doomed:
            for file in self.files_of(gone):
                self.forget_file(file)
            self.table(lower).drop(gone["_id"])
        if level == "collection":
            self.collections.drop(container_id)
            for acquisition in self.acquisitions.rows.values():
                if container_id in acquisition["collections"]:
                    acquisition["collections"] = [c for c in acquisition["collections"] if c != container_id]
        return 1

    def forget_file(self, file: Doc) -> None:
        """Take a file out of the tables; the container's own list is the caller's business."""
        self.files.drop(file["file_id"])
        self.contents.pop(file["_id"], None)
        self.versions.pop(file["file_id"], None)

    def move_session(self, session: Doc, subject: Doc) -> None:
        """Put a session under another subject of any project."""
        parents = subject["parents"] | {"subject": subject["_id"]}
        own: Oid = session["_id"]
        below = self.acquisitions.below(("session", own))
        analyses = self.analyses.below(("session", own))
        for table, doc in [(self.sessions, session), *((self.acquisitions, a) for a in below)]:
            table.drop(doc["_id"])
            for file in self.files_of(doc):
                self.files.drop(file["file_id"])
                file["parents"] = file["parents"] | parents
                self.files.add(file)
            doc["parents"] = doc["parents"] | parents
            table.add(doc)
        for analysis in analyses:
            self.analyses.drop(analysis["_id"])
            analysis["parents"] = analysis["parents"] | parents
            self.analyses.add(analysis)
        session["group"], session["project"] = parents["group"], parents["project"]
