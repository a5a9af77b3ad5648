"""`given` of a test becomes the document that a rule would see."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.model.levels import Level
from flyball.rules.given import Situation, situation
from flyball.rules.given_nodes import GivenError
from unit.rules.kit import one

TAG_FILE = "[{tag: {on: file, set: {A: 'true'}}}]"


def at(given: Any, body: str = "", each: str = "session") -> Situation:
    rule = one(body, each=each, do=TAG_FILE if each in ("file", "job") else "[{tag: {on: session, set: {A: 'true'}}}]")
    return situation(rule, given)


def test_what_is_not_said_is_not_there() -> None:
    """Ancestors that a test does not name exist, with nothing in them."""
    found = at({"file": {"name": "a.nii.gz", "info": {"snr": 1}}}, each="file").document
    assert list(found.ancestors) == [Level.PROJECT, Level.SUBJECT, Level.SESSION, Level.ACQUISITION]
    assert found.names["acquisition"]["tags"] == []
    assert "label" not in found.names["acquisition"]
    assert found.names["file"]["info"] == {"snr": 1}
    assert found.names["file"]["parent_ref"] == {
        "type": "acquisition",
        "id": found.ancestors[Level.ACQUISITION].id,
    }
    assert found.complete
    assert found.target.path == "?/?/?/?/?/a.nii.gz"


@pytest.mark.parametrize(
    "given",
    [
        {"acquisition": None, "session": {"label": "s"}, "file": {"name": "a"}},
        {"file": {"name": "a", "parent_ref": {"type": "session"}}},
    ],
)
def test_a_file_may_hang_higher_up(given: Any) -> None:
    """Then it has no acquisition."""
    found = at(given, each="file").document
    assert Level.ACQUISITION not in found.ancestors
    assert found.names["file"]["parent_ref"]["type"] == "session"


def test_lists_are_what_lies_below() -> None:
    """Acquisitions and files in their container become the subtree, and stay in the document as lists."""
    given = {
        "session": {
            "label": "s",
            "files": ["notes.txt"],
            "acquisitions": [{"label": "T1w", "files": [{"name": "a.nii.gz", "type": "nifti"}]}, "T2w"],
        }
    }
    found = at(given, "expect: {acquisitions: [T1w]}\nlet: {n: len(session.acquisitions)}").document
    labels = [(node.level, node.label) for node in found.subtree]
    assert labels == [
        (Level.ACQUISITION, "T1w"),
        (Level.FILE, "a.nii.gz"),
        (Level.ACQUISITION, "T2w"),
        (Level.FILE, "notes.txt"),
    ]
    acquisition = found.subtree[0]
    assert found.subtree[1].parents["acquisition"] == acquisition.id
    assert found.subtree[3].doc["parent_ref"] == {"type": "session", "id": found.node.id}
    lists = found.names["session"]
    assert [one["label"] for one in lists["acquisitions"]] == ["T1w", "T2w"]
    assert [one["name"] for one in lists["acquisitions"][0]["files"]] == ["a.nii.gz"]
    assert (lists["acquisitions"][1]["files"], [one["name"] for one in lists["files"]]) == ([], ["notes.txt"])


def test_lists_stand_by_creation() -> None:
    """As the site's documents do; what has no date comes last, in the order written."""
    given = {
        "session": {
            "acquisitions": [
                "undated",
                {"label": "late", "created": "2026-02-01T00:00:00+00:00"},
                {"label": "early", "created": "2026-01-01"},
            ]
        }
    }
    found = at(given, "let: {n: len(session.acquisitions)}").document
    assert [one["label"] for one in found.names["session"]["acquisitions"]] == ["early", "late", "undated"]


def test_lists_around_the_target() -> None:
    """A file's rule that reads its acquisition's files finds those that are given; `analyses` it never sees."""
    given = {"acquisition": {"files": ["a", "b"], "analyses": [{"label": "x"}]}, "file": {"name": "a"}}
    found = at(given, "if: len(acquisition.files) == 2", each="file").document
    assert [one["name"] for one in found.names["acquisition"]["files"]] == ["a", "b"]
    assert "analyses" not in found.names["acquisition"]
    assert found.subtree == ()


@pytest.mark.parametrize(
    "given",
    [
        {"group": "scien", "project": {"label": "tome"}},
        {"group": {"id": "scien"}, "project": {"label": "tome"}},
        {"project": {"label": "tome", "group": "scien"}},
        {"project": {"label": "tome", "parents": {"group": "scien"}}},
    ],
)
def test_groups(given: Any) -> None:
    """The group may be told on its own or with the project."""
    found = at(given)
    assert found.document.target.path == "scien/tome/?/?"
    assert found.document.names["group"] == {"id": "scien"}
    assert found.document.names["project"]["group"] == "scien"


def test_which_levels_are_told() -> None:
    """The scope is judged at the levels whose label is told, and at those that are told not to be there."""
    assert at({"session": {"label": "s"}}).told == {"session"}
    assert at({"acquisition": None, "file": {"name": "a"}}, each="file").told == {"acquisition", "file"}
    assert at({"gear": "mriqc", "job": {"state": "complete"}}, each="job", body="scope: {gear: mriqc}").told >= {"gear"}


def test_jobs() -> None:
    """A job hangs on the lowest container that is told, and knows its gear."""
    given = {"gear": "mriqc", "subject": {"label": "x"}, "job": {"state": "complete"}}
    found = at(given, each="job", body="scope: {gear: mriqc}").document
    assert list(found.ancestors) == [Level.PROJECT, Level.SUBJECT]
    assert found.names["gear"] == found.node.doc["gear_info"] == {"name": "mriqc"}
    assert found.node.label == "mriqc"


def test_now_and_peers() -> None:
    """A test may tell the present, and what the peers are like."""
    found = at({"now": "2026-01-31T08:00:00+01:00", "peers": {"tsnr": {"n": 40, "median": 50, "mad": 4}}})
    assert found.now == datetime(2026, 1, 31, 7, tzinfo=UTC)
    peers = found.peers["any profile", "tsnr", ("any", "group")]
    assert (peers.n, peers.median, peers.mad) == (40, 50, 4)
    assert found.peers.get(("p", "snr", ())) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"acquisition": {}},
            "`acquisition` lies below the rule's session: put it into `session`, under `acquisitions`",
        ),
        ({"sesion": {}}, "`sesion` is nothing that a rule on each session sees; did you mean `session`?"),
        ({"session": "s"}, "`session` is a document: a mapping of fields, not 's'"),
        ({"session": {"acquisitions": {"label": "x"}}}, "`acquisitions` is a list of documents"),
        ({"session": {"acquisitions": [1]}}, "`acquisitions` is a document: a mapping of fields, not 1"),
        ({"session": {"subjects": []}}, "`subjects` stands below a project, not below a session"),
        ({"now": "yesterday"}, "`now` is a time with its zone"),
        ({"now": "2026-01-31T08:00:00"}, "`now` is a time with its zone"),
        ({"peers": {"tsnr": {"n": 40}}}, "`peers` of `tsnr` are told as {n: 40, median: 50, mad: 4}"),
        ({"peers": {"tsnr": {"mean": 40}}}, "`mean` is unknown in `peers`; did you mean `median`?"),
    ],
)
def test_mistakes(given: Any, message: str) -> None:
    """What cannot be made into a document is refused with what would be right."""
    with pytest.raises(GivenError) as caught:
        at(given)
    assert str(caught.value).startswith(message)


def test_a_project_without_its_group_cannot_be_held_against_the_scope() -> None:
    """The scope's globs are of group and label."""
    with pytest.raises(GivenError, match="say the group as well"):
        at({"project": {"label": "tome"}}, "scope: {project: scien/*}")
    assert at({"session": {"label": "s"}}, "scope: {project: scien/*}").told == {"session"}
