"""The state of a gear, session by session."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.reports.gear_status import gear_status
from unit.reports.kit import Lab


@pytest.mark.parametrize(
    ("states", "status", "reruns"),
    [
        ([], "never", 0),
        (["complete"], "complete", 0),
        (["failed", "complete"], "complete", 1),
        (["complete", "failed"], "failed", 1),
        (["failed", "failed", "running"], "running", 2),
        (["complete", "pending"], "running", 1),
        (["scheduled"], "running", 0),
        (["cancelled"], "cancelled", 0),
        (["of another version"], "unknown", 0),
    ],
    ids=str,
)
def test_the_last_run_counts_and_the_others_are_counted(states: list[str], status: str, reruns: int) -> None:
    """By creation, whatever the order of the rows."""
    lab = Lab()
    session = lab.session(lab.subject("a"))
    for state in states:
        lab.job(session, state)
    lab.rows.reverse()
    content = gear_status(lab.project, "g/p", "mriqc")
    row = dict(zip(content.columns, content.rows[0], strict=True))
    assert (row["subject"], row["session"], row["status"]) == ("a", "ses-1", status)
    assert (row["runs"], row["reruns"]) == (len(states), reruns)
    assert list(content.columns[:3]) == ["subject", "session", "status"]


def test_runs_above_the_session_have_rows_of_their_own() -> None:
    """A recon-all on the subject is no run of one of its visits."""
    lab = Lab()
    subject = lab.subject("a")
    lab.session(subject)
    lab._add("job", "mriqc", {"subject": subject["id"]}, {"state": "complete"})
    content = gear_status(lab.project, "g/p", "mriqc")
    assert [(row[0], row[1], row[2]) for row in content.rows] == [("a", "ses-1", "never"), ("a", "", "complete")]
    assert content.tables[1].title == "Runs above the session"


def test_an_analysis_whose_job_cannot_be_read_is_unknown_and_not_never() -> None:
    """Where the job is read as well, it is one run and not two."""
    lab = Lab()
    one, two = (lab.session(lab.subject(label)) for label in "ab")
    up = {**one["up"], "session": one["id"]}
    lab._add("analysis", "x", up, {"job": "f" * 24})
    job = lab.job(two, "complete")
    lab._add("analysis", "y", {**two["up"], "session": two["id"]}, {"job": job["id"]})
    content = gear_status(lab.project, "g/p", "mriqc")
    assert [(row[2], row[3]) for row in content.rows] == [("unknown", 1), ("complete", 1)]
    assert any("cannot be read" in note for note in content.notes)


def test_the_shares_are_of_all_sessions() -> None:
    """Two of three never, one failed after a rerun."""
    lab = Lab()
    sessions = [lab.session(lab.subject(label)) for label in "abc"]
    lab.job(sessions[0], "complete")
    lab.job(sessions[0], "failed")
    numbers: Any = gear_status(lab.project, "g/p", "mriqc").numbers
    assert (numbers["sessions"], numbers["runs"], numbers["rerun"]) == (3, 2, 1)
    assert numbers["states"]["never"] == 2
    assert numbers["states"]["failed"] == 1


def test_an_empty_project_says_so() -> None:
    """And no picture of nothing."""
    content = gear_status(Lab().project, "g/p", "mriqc")
    assert content.notes == ["The project has no sessions."]
    assert content.figures == []
