"""Filter strings as the site reads them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.sandbox.dialect import LIVE19, V23, Dialect, dialect
from flyball.sandbox.errors import Refusal
from flyball.sandbox.filters import predicate, read_filter, typed
from flyball.sandbox.ids import Oid

PROJECT = "64a000000000000000000001"
DOC: dict[str, Any] = {
    "_id": Oid("64a000000000000000000003"),
    "label": "ses-01",
    "tags": ["LOW_SNR", "1001"],
    "info": {"visit": 1, "hand": None, "nested": {"x": "y"}},
    "parents": {"group": "scien", "project": Oid(PROJECT)},
    "gear_id": PROJECT,
    "created": datetime(2026, 11, 2, 9, 15, 42, 318_000, tzinfo=UTC),
    "files": [{"name": "a.nii", "type": "nifti", "info": {"snr": 2.0}}, {"name": "b.txt", "type": "text"}],
    "flag": True,
}


def fits(text: str, speech: Dialect = V23, doc: dict[str, Any] | None = None) -> bool:
    """Whether the document fits the filter."""
    test = predicate(read_filter([text], speech), speech)
    assert test is not None
    return test(DOC if doc is None else doc)


@pytest.mark.parametrize(
    "text",
    [
        "label=ses-01",
        'label="ses-01"',
        "label!=ses-02",
        "label=~^ses",
        "label=~(?i)SES",
        "label=~^((?!SBRef).)*$",
        "tags=LOW_SNR",
        'tags="1001"',
        "tags=~^LOW",
        "tags!=OTHER",
        "info.visit=1",
        "info.visit>0",
        "info.visit>=1,info.visit<2",
        "info.nested.x=y",
        "info.absent=null",
        "info.hand=null",
        "info.absent!=5",
        f"parents.project={PROJECT}",
        f"project={PROJECT}",
        "group=scien",
        f'gear_id="{PROJECT}"',
        "_id=64a000000000000000000003",
        "created=2026-11-02T09:15:42.318000",
        "created>=2026-11-02",
        "created>2026-11-02T09:15",
        "created<2026-11-02T09:15:43",
        "flag=true",
        "label=|[x,ses-01]",
    ],
)
def test_conditions_that_hold(text: str) -> None:
    """Each operator finds what it should."""
    assert fits(text)


@pytest.mark.parametrize(
    "text",
    [
        "label=SES-01",
        "label = ses-01",
        "tags=1001",
        "tags!=LOW_SNR",
        "info.visit=true",
        'info.visit="1"',
        f'parents.project="{PROJECT}"',
        f"gear_id={PROJECT}",
        "created>2026-11-02T09:15:42.318000",
        'created>="2026-11-02"',
        "info.visit>=1,info.visit>=100",
        "flag=1",
        "label>5",
        "label=|[x,y]",
        "subject.label=sub-01",
    ],
)
def test_conditions_that_do_not_hold(text: str) -> None:
    """A value of another type, spelling or case finds nothing, silently."""
    assert not fits(text)


def test_the_same_operator_twice_keeps_only_the_last() -> None:
    """`>=1` and `>=100` on one key is `>=100`; in the other order `>=1`."""
    assert not fits("info.visit>=1,info.visit>=100")
    assert fits("info.visit>=100,info.visit>=1")


def test_two_character_operators_cut_anywhere() -> None:
    """A label that holds an operator is cut in the wrong place (live19)."""
    assert not fits("label=a>=b", doc={"label": "a>=b"})
    assert not fits('label="a!=b"', doc={"label": "a!=b"}) or fits('label="a!=b"', doc={})
    assert fits("label=~^a>.b$", doc={"label": "a>=b"})


def test_only_the_outer_quotes_are_stripped() -> None:
    """Quotes inside a quoted value stay."""
    assert typed('"it"q"', V23) == 'it"q'


@pytest.mark.parametrize("text", ["2026-11-02T09:15:42.318", "2026-11-02T09:15:42Z", "2026-11-02T09:15:42+00:00"])
def test_dates_that_only_recent_sites_read(text: str) -> None:
    """On a 2019 site other spellings of dates are text, and match nothing."""
    assert typed(text, LIVE19) == text
    assert isinstance(typed(text, V23), datetime)
    assert not fits(f"created>={text}", LIVE19)


@pytest.mark.parametrize("speech", [V23, LIVE19])
@pytest.mark.parametrize(
    "text", ["2026-11-02", "2026-11-02T09:15", "2026-11-02T09:15:42", "2026-11-02T09:15:42.318000"]
)
def test_naive_dates_are_utc_everywhere(text: str, speech: Dialect) -> None:
    """The six-digit form without a zone works on every site."""
    found = typed(text, speech)
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC
    assert fits(f"created>={text}", speech)


def test_the_in_operator_of_2019() -> None:
    """Two elements are cut at the comma and refused, one finds nothing (live19)."""
    with pytest.raises(Refusal, match="operator missing") as refused:
        read_filter(["label=|[alpha,Alpha]"], LIVE19)
    assert refused.value.status == 422
    assert not fits("label=|[ses-01]", LIVE19)


def test_escaped_commas() -> None:
    """A recent site keeps an escaped comma, a 2019 one cuts there."""
    assert fits("label=a\\,b", doc={"label": "a,b"})
    with pytest.raises(Refusal):
        read_filter(["label=a\\,b"], LIVE19)
    assert fits("label=~a\\d", doc={"label": "a1"})


def test_files_in_filters_by_dialect() -> None:
    """Files are part of their container on a 2019 site only."""
    assert fits("files.type=nifti,files.info.snr<3", LIVE19)
    assert fits("files.0.name=a.nii", LIVE19)
    assert not fits("files.type=nifti", V23)
    assert fits("files.type=nifti", dialect("v23", files_in_filters=True))


def test_loose_ids_match_both_spellings() -> None:
    """With loose typing quoted and bare ids are one."""
    loose = dialect("v23", id_typing="loose")
    assert fits(f'parents.project="{PROJECT}"', loose)
    assert fits(f"gear_id={PROJECT}", loose)


def test_sites_without_comparisons() -> None:
    """Where comparison operators are not known they find nothing."""
    assert not fits("info.visit>0", dialect("v23", comparison_operators=False))


@pytest.mark.parametrize(("texts", "status"), [(["a"], 422), (["a=1", "b=2"], 422), ([""], 422), (["a=~["], 500)])
def test_refused_filters(texts: list[str], status: int) -> None:
    """No operator, two filters, an empty one, a broken pattern."""
    with pytest.raises(Refusal) as refused:
        read_filter(texts, LIVE19)
    assert refused.value.status == status
