"""Sort, limit, skip, page, after_id and the page object."""

from typing import Any

import pytest

from flyball.sandbox.dialect import LIVE19, V23
from flyball.sandbox.errors import Refusal
from flyball.sandbox.query import read_listing
from unit.sandbox.lab import Lab, MakeLab


@pytest.fixture
def many(make_lab: MakeLab) -> Lab:
    """A lab with ten more sessions, one a second, labels s0 to s9."""
    lab = make_lab()
    for number in range(10):
        lab.later(1)
        lab.site.add_session(lab.subject["_id"], f"s{number}", info={"n": 9 - number})
    return lab


def test_pages_after_an_id_never_overlap(many: Lab) -> None:
    """Following after_id to an empty page gives every session once, in order."""
    seen: list[str] = []
    cursor = ""
    while rows := many.rows(f"/sessions?limit=3&after_id={cursor}", "_id"):
        seen += rows
        cursor = rows[-1]
    assert seen == sorted(many.site.sessions.rows)


def test_sorting(many: Lab) -> None:
    """Several fields, both orders, any letter case; unknown fields change nothing."""
    assert many.rows("/sessions?filter=label=~^s\\d&sort=info.n&limit=3") == ["s9", "s8", "s7"]
    assert many.rows("/sessions?filter=label=~^s\\d&sort=label:DESC&limit=2") == ["s9", "s8"]
    assert many.rows("/sessions?filter=label=~^s\\d&sort=nothing:1,label:-1&limit=1") == ["s9"]
    assert many.rows("/sessions?sort=info.n:asc&limit=1") == ["ses-01"], "absent values come first"


def test_skip_and_page(many: Lab) -> None:
    """Pages count from one."""
    query = "/sessions?filter=label=~^s\\d&limit=4"
    assert many.rows(f"{query}&skip=8") == ["s8", "s9"]
    assert many.rows(f"{query}&page=2") == ["s4", "s5", "s6", "s7"]


def test_page_object_counts(many: Lab) -> None:
    """With the feature the answer has count and total; after a cursor total is what is left."""
    accept = {"x-accept-feature": "Safe-Redirect,Pagination"}
    page = many.get("/sessions?limit=4", headers=accept)
    assert (page["count"], page["total"]) == (4, 11)
    left = many.get(f"/sessions?limit=4&after_id={page['results'][-1]['_id']}", headers=accept)
    assert (left["count"], left["total"]) == (4, 7)
    assert many.get("/sessions?filter=label=s1", headers=accept)["total"] == 1


def test_changes_since_a_moment_are_found_through_the_log(many: Lab) -> None:
    """`modified>=T` gives what changed, oldest change first, each once, and agrees with a full scan."""
    start = many.site.now
    for number in (3, 7, 3):
        many.later(1)
        doc = next(s for s in many.site.sessions.rows.values() if s["label"] == f"s{number}")
        many.site.touch("session", doc)
    text = f"modified>{start:%Y-%m-%dT%H:%M:%S.%f}"
    assert many.rows(f"/sessions?filter={text}&sort=modified:asc") == ["s7", "s3"]
    assert many.rows(f"/sessions?filter={text}") == ["s3", "s7"]
    assert many.rows(f"/projects/{many.project['_id']}/sessions?filter={text}&sort=modified") == ["s7", "s3"]
    assert many.rows(f"/sessions?filter={text},label=s7") == ["s7"]


@pytest.mark.parametrize(
    "filter_text",
    ["label=s4", "tags=X", "parents.subject={subject}", "_id={session}", "tags=X,parents.subject={subject}"],
)
def test_indexes_agree_with_a_scan(many: Lab, filter_text: str) -> None:
    """What an index narrows is what a scan of everything would find."""
    for own in list(many.site.sessions.rows)[::3]:
        many.ask("POST", f"/sessions/{own}/tags", {"value": "X"})
    text = filter_text.format(subject=many.subject["_id"], session=many.session["_id"])
    everything = many.get("/sessions")
    found = many.rows(f"/sessions?filter={text}", "_id")

    def fits(row: dict[str, Any]) -> bool:
        return (
            ("label=s4" not in text or row["label"] == "s4")
            and ("tags=X" not in text or "X" in row["tags"])
            and ("subject=" not in text or row["parents"]["subject"] == many.subject["_id"])
            and ("_id=" not in text or row["_id"] == many.session["_id"])
        )

    assert found == [row["_id"] for row in everything if fits(row)]
    assert found


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": ["0"]}, "expected positive integer, got 0"),
        ({"limit": [""]}, "expected positive integer"),
        ({"skip": ["-1"]}, "expected positive integer"),
        ({"page": ["2"]}, '"limit" query param is required with "page"'),
        ({"page": ["1"], "skip": ["1"], "limit": ["2"]}, "mutually exclusive"),
        ({"after_id": ["a"], "sort": ["label"]}, 'cannot be used with "sort"'),
        ({"after_id": ["a"], "page": ["1"]}, 'cannot be used with "page"'),
        ({"after_id": ["a"], "skip": ["1"]}, 'cannot be used with "skip"'),
        ({"sort": ["label:foo"]}, "unknown order"),
    ],
)
def test_wrong_list_parameters(query: dict[str, list[str]], message: str) -> None:
    """Each is refused with 422 in the site's words."""
    with pytest.raises(Refusal, match=message) as refused:
        read_listing(query, LIVE19)
    assert refused.value.status == 422


def test_wrong_numbers_on_a_recent_site() -> None:
    """They are reported as a list of details without a message; limit=0 means all."""
    with pytest.raises(Refusal) as refused:
        read_listing({"limit": ["x"]}, V23)
    assert refused.value.detail
    assert read_listing({"limit": ["0"]}, V23).limit is None


def test_a_site_may_cap_its_pages(make_lab: MakeLab) -> None:
    """Fewer rows than asked for do not mean the end."""
    lab = make_lab(switches={"page_limit": 2})
    assert len(lab.get("/acquisitions?limit=250")) == 2
    assert len(lab.get("/acquisitions")) == 2
