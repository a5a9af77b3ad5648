"""What watching costs: one request a stream and round, and pages that carry the documents."""

from __future__ import annotations

from typing import Any

import pytest

from flow.watched import COMPLETE, DIALECTS, QA, watched
from flyball.clients.flywheel.client import FlywheelClient
from flyball.triggers import poller

PLAIN = """
rules:
  - id: plain
    each: acquisition
    since: all
    if: acquisition.label == 'odd'
    do: [{note: {on: acquisition, text: odd}}]
"""


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", [COMPLETE, QA])
async def test_a_quiet_round_costs_one_request_a_stream(dialect: str, text: str) -> None:
    """Right after the baseline, with changes still within the overlap, and hours later."""
    async with watched(text, dialect=dialect) as lab:
        streams = len(lab.poller.streams(lab.watch.needs))
        lab.qa(lab.scan(lab.session("ses-01")), 0.5)
        await lab.settle()
        for wait in (1, 30, 30, 3600):
            assert await lab.round(seconds=wait) <= streams
        assert lab.watch.weather.error is None


@pytest.mark.parametrize("switches", [{}, {"page_limit": 100}, {"page_limit": 7}])
async def test_a_quiet_round_after_a_restart(switches: dict[str, int]) -> None:
    """A new process asks the probe's questions, and after that one request a stream, whatever pages the site gives."""
    async with watched(COMPLETE, switches=switches) as lab:
        for number in range(30):
            lab.session(f"s{number}", ("T1w",))
        await lab.settle()
        await lab.settle()
        await lab.start(COMPLETE)
        await lab.settle()
        assert await lab.round() <= len(lab.poller.streams(lab.watch.needs))


async def test_the_newest_of_each_list_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first meeting: it tells the site's clock, and is where the polls begin, unless that is long ago by then."""
    asked: list[str] = []
    page = FlywheelClient.page

    async def noting(client: FlywheelClient, kind: str, **how: Any) -> Any:
        if how.get("sort") == "modified:desc":
            asked.append(kind)
        return await page(client, kind, **how)

    monkeypatch.setattr(FlywheelClient, "page", noting)
    levels = ["acquisition", "project", "session", "subject"]
    for moment, times in ((60.0, 1), (-1.0, 2)):
        monkeypatch.setattr(poller, "SAME_MOMENT", moment)
        asked.clear()
        async with watched(COMPLETE) as lab:
            lab.session("s1", ("T1w",))
            await lab.settle()
            assert sorted(asked) == sorted(levels * times)
            lab.session("s2", ("T1w",))
            await lab.settle()
            assert {"s1", "s2"} <= {path.rpartition("/")[2] for path in await lab.verdicts()}


async def test_a_thousand_new_acquisitions() -> None:
    """They are read with pages and decided without a request each."""
    async with watched(PLAIN) as lab:
        session = lab.session("big")
        made = [lab.scan(session, f"run-{number}") for number in range(1000)]
        requests = await lab.settle()
        assert requests <= 50
        decided = await lab.verdicts("plain")
        assert sum(path.startswith("scien/tome/sub-01/big/") for path in decided) == len(made)


async def test_a_thousand_reports_of_quality() -> None:
    """A new file on each of a thousand acquisitions is decided with its metrics, within fifty requests."""
    async with watched(QA) as lab:
        session = lab.session("big")
        scans = [lab.scan(session, f"run-{number}") for number in range(1000)]
        await lab.settle()
        for number, scan in enumerate(scans):
            lab.qa(scan, 0.5 if number % 2 else 2.0)
            lab.file(scan, "x.nii.gz", info={"EchoTime": 0.03})
        requests = await lab.settle()
        assert requests <= 50
        decided = [verdict for path, verdict in (await lab.verdicts("qa")).items() if "/big/" in path]
        assert (decided.count("yes"), decided.count("no")) == (500, 500)


async def test_old_sites_are_read_singly_only_where_something_changed() -> None:
    """Without `include_all_info` a changed acquisition costs one request, the others none."""
    async with watched(QA, dialect="live19") as lab:
        session = lab.session("big")
        scans = [lab.scan(session, f"run-{number}") for number in range(40)]
        for scan in scans:
            lab.qa(scan, 2.0)
        await lab.settle()
        quiet = len(lab.poller.streams(lab.watch.needs))
        lab.qa(scans[3], 0.5)
        lab.qa(scans[7], 0.4)
        assert await lab.settle() <= quiet + 4
        decided = await lab.verdicts("qa")
        assert sorted(path.split("/")[4] for path, verdict in decided.items() if verdict == "yes") == ["run-3", "run-7"]
