"""What the official SDK shows after a run: exactly the tags, notes and analyses that the rules demand, on both dialects.

The data that the rules are about and what was made of them are both read through the SDK, so nothing of our own client
or of the sandbox's memory is in the comparison.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flywheel
import pytest

from support.lab import NOTES, QUICK_JOBS, write_lab
from support.process import SandboxProgram, run_once
from support.truth import Lab, compare, expected_launches, expected_motion_notes, expected_tags, through_sdk


@dataclass(frozen=True, slots=True)
class Seen:
    """A site after a run, as an SDK client sees it."""

    dialect: str
    client: Any
    lab: Lab


@pytest.fixture(scope="module", params=["v23", "live19"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """`flyball run --until-idle` once, on a site in another process; then the SDK looks."""
    folder = tmp_path_factory.mktemp(request.param)
    with SandboxProgram(folder, {"jobs": QUICK_JOBS, "dialect": request.param}) as box:
        ran = run_once(write_lab(folder, box.key, extra={"notes.yaml": NOTES}))
        assert ran.process.returncode == 0, ran.err
        client = flywheel.Client(box.key)
        try:
            yield Seen(request.param, client, through_sdk(client))
        finally:
            client.api_client.rest_client.client.close()


def test_nothing_lacks_and_nothing_is_too_much(seen: Seen) -> None:
    """Tags, launches and notes are those that an independent reading of the same data demands."""
    assert not compare(seen.lab, notes=True)
    assert len(expected_tags(seen.lab)) > 10
    assert len(expected_launches(seen.lab)) > 20
    assert sum(expected_motion_notes(seen.lab).values()) > 0


def test_finders_by_tag(seen: Seen) -> None:
    """The SDK's own filters find the tagged scans and sessions."""
    wanted = expected_tags(seen.lab)
    for tag, table in (("LOW_SNR", "acquisitions"), ("HIGH_FD", "acquisitions"), ("INCOMPLETE", "sessions")):
        found = {row.id for row in getattr(seen.client, table).find(f"tags={tag}")}
        assert found == {ident for ident, tags in wanted.items() if tag in tags}, tag


def test_analyses_bear_the_once_key(seen: Seen) -> None:
    """Each in three places: a job tag, the end of the label, and the analysis' info where the site takes it."""
    launched = seen.lab.launched()
    assert launched.keys() == expected_launches(seen.lab).keys()
    keys = set()
    for subject, runs in launched.items():
        (run,) = runs
        analysis = seen.client.get_analysis(run.id)
        job = seen.client.get_job(analysis.job.id)
        (key,) = [tag for tag in job.tags if tag.startswith("fb-")]
        assert re.fullmatch(r"fb-[a-z2-7]{26}", key)
        assert analysis.label.endswith(f" [{key[:9]}]")
        assert analysis.parent.id == subject
        assert job.gear_info.name == "freesurfer-recon-all"
        if seen.dialect == "v23":
            assert analysis.info["flyball"]["once_key"] == key
        keys.add(key)
    assert len(keys) == len(launched)


def test_inputs_are_the_files_that_the_rule_selects(seen: Seen) -> None:
    """Up to five T1s, oldest first, and one T2, each in its slot."""
    most = 0
    for subject, inputs in expected_launches(seen.lab).items():
        (run,) = seen.lab.launched()[subject]
        assert run.inputs == inputs
        most = max(most, len(inputs))
    assert most == 6


def test_notes_say_what_was_read(seen: Seen) -> None:
    """Each note names the scan and the value behind the decision, and ends with its key."""
    for ident, texts in seen.lab.notes().items():
        session = seen.client.get_session(ident)
        assert {note.text for note in session.notes} >= set(texts)
        for text in texts:
            assert re.fullmatch(r"task-rest_run-0\d \S+: mean FD \d+\.\d+ mm \[fb-[a-z2-7]{6}\]", text), text


def test_what_people_made_is_as_it_was(seen: Seen, tmp_path: Path) -> None:
    """The runs that people launched are there unchanged, and no more than ours were added."""
    theirs = [run for run in seen.lab.runs if not run.ours]
    assert sorted(run.label for run in theirs) == ["Freesurfer_Recon_all_by_hand", "bids-mriqc by hand", "first try"]
    assert len(seen.lab.runs) == len(theirs) + len(expected_launches(seen.lab))
