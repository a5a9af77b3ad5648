"""Filter strings that mean what they say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.clients.flywheel import filters
from flyball.clients.flywheel.dialect import DateForm, Dialect, Spelling
from flyball.model.errors import Permanent
from flyball.rules.scope import glob_regex

ID = "64a000000000000000000001"
DEFAULT = Dialect()
OPERATORS = ("=~", "=|", "!=", "<=", ">=", "<", ">", "=")


@pytest.mark.parametrize("value", ["T1w", "1001", "null", "true", "2026-11-02", ID, "a b", "ünï", "1e5", "#", "it's"])
def test_texts_are_always_quoted(value: str) -> None:
    """What looks like a number, an id, a date or null stays text."""
    condition = filters.equals("label", value)
    assert condition.text == f'label="{value}"'
    assert condition.exact is None


@pytest.mark.parametrize("value", ["a,b", "a>=b", "p=~q", "a!=b", "a<b", "x=|[1]", 'it"q', "back\\slash"])
def test_texts_that_the_site_would_cut_are_asked_for_by_pattern(value: str) -> None:
    """No operator, comma or quote of the value goes out; the rows are checked again."""
    condition = filters.equals("label", value)
    assert condition.text.startswith("label=~^")
    sent = condition.text.removeprefix("label=~^").removesuffix("$")
    assert len(sent) == len(value)
    assert not any(operator in sent for operator in OPERATORS)
    assert "," not in sent
    assert condition.keeps({"label": value})
    assert not condition.keeps({"label": value.replace("a", "z").replace("p", "z") + "!"})


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()))
def test_no_text_ever_breaks_out_of_its_condition(value: str) -> None:
    """After the field and its operator there is no other operator and no comma."""
    text = filters.equals("label", value).text
    rest = text.removeprefix("label=~").removeprefix("label=")
    assert "," not in rest
    assert not any(operator in rest for operator in OPERATORS)


def test_a_pattern_keeps_only_the_value_itself() -> None:
    """`a.b` as a pattern also finds `axb`; that row is dropped, in lists by element."""
    chosen = filters.where(filters.equals("tags", "a,b"), filters.equals("label", "x"))
    rows: list[dict[str, Any]] = [{"tags": ["a,b", "c"]}, {"tags": ["axb"]}, {"tags": []}, {}]
    assert filters.kept(rows, chosen) == [{"tags": ["a,b", "c"]}, {"tags": []}, {}]


def test_nested_fields_are_checked_through_lists() -> None:
    """`files.name` is the names of all files."""
    chosen = filters.where(filters.equals("files.name", "a,b"))
    assert chosen.keeps({"files": [{"name": "x"}, {"name": "a,b"}]})
    assert not chosen.keeps({"files": [{"name": "axb"}]})


@pytest.mark.parametrize("value", ["", "a\nb", "a\x00", "\x7f"])
def test_what_no_filter_can_say_is_refused(value: str) -> None:
    """Nothing is sent that would mean something else."""
    with pytest.raises(Permanent):
        filters.equals("label", value)


@pytest.mark.parametrize("name", ["", "a=b", "a,b", "a<b", '"a"', "~"])
def test_field_names_are_checked(name: str) -> None:
    """A field cannot smuggle an operator in."""
    with pytest.raises(Permanent):
        filters.equals(name, "x")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_id", f"_id={ID}"),
        ("parents.project", f"parents.project={ID}"),
        ("session", f"session={ID}"),
        ("parent.id", f"parent.id={ID}"),
        ("destination.id", f'destination.id="{ID}"'),
        ("gear_id", f'gear_id="{ID}"'),
        ("gear_info.id", f'gear_info.id="{ID}"'),
        ("inputs.id", f'inputs.id="{ID}"'),
        ("related_container_ids", f'related_container_ids="{ID}"'),
        ("previous_job_id", f'previous_job_id="{ID}"'),
        ("batch", f'batch="{ID}"'),
    ],
)
def test_ids_are_spelled_as_they_are_stored(name: str, text: str) -> None:
    """A wrong spelling is an empty list, without an error."""
    assert filters.identified(name, ID, DEFAULT).text == text


def test_the_probe_overrules_the_documented_spelling() -> None:
    """Both classes can be the other way round."""
    odd = Dialect(object_ids=Spelling.QUOTED, string_ids=Spelling.BARE)
    assert filters.identified("_id", ID, odd).text == f'_id="{ID}"'
    assert filters.identified("destination.id", ID, odd).text == f"destination.id={ID}"


@pytest.mark.parametrize("value", ["demo-group", "1001", "op@example.org"])
def test_ids_that_are_texts_are_quoted(value: str) -> None:
    """Groups and users have no object ids."""
    assert filters.identified("parents.group", value, DEFAULT).text == f'parents.group="{value}"'


def test_dates_are_naive_utc_with_six_digits() -> None:
    """Whatever zone they come in, and also on the full second."""
    moment = datetime(2026, 11, 2, 10, 15, 42, 318000, tzinfo=timezone(timedelta(hours=1)))
    assert filters.since("modified", moment, DEFAULT).text == "modified>=2026-11-02T09:15:42.318000"
    assert (
        filters.before("created", datetime(2026, 1, 1, tzinfo=UTC), DEFAULT).text
        == "created<2026-01-01T00:00:00.000000"
    )


def test_other_date_forms_are_spoken_where_proved() -> None:
    """With an offset or a Z."""
    moment = datetime(2026, 11, 2, tzinfo=UTC)
    assert filters.date(moment, DateForm.OFFSET) == "2026-11-02T00:00:00.000000+00:00"
    assert filters.date(moment, DateForm.ZULU) == "2026-11-02T00:00:00.000000Z"


def test_a_date_without_a_zone_is_a_mistake_of_ours() -> None:
    """It is not guessed."""
    with pytest.raises(ValueError, match="zone"):
        filters.date(datetime(2026, 11, 2))  # noqa: DTZ001 - that is the point


def test_lists_of_values_only_where_they_were_seen_to_work() -> None:
    """Otherwise one condition, and so one request, per value; never for values of another shape."""
    works = Dialect(operators={"=|": True})
    words = ["complete", "failed"]
    assert [item.text for item in filters.any_of("state", words, works)] == ["state=|[complete,failed]"]
    assert [item.text for item in filters.any_of("state", words, DEFAULT)] == ['state="complete"', 'state="failed"']
    assert [item.text for item in filters.any_of("label", ["1001", "null"], works)] == ['label="1001"', 'label="null"']


def test_conditions_are_joined_by_commas_and_an_empty_filter_is_none() -> None:
    """An empty `filter` parameter would be a 422."""
    one, two = filters.equals("label", "x"), filters.identified("_id", ID, DEFAULT)
    assert (filters.where(one) & filters.where(two)).text == f'label="x",_id={ID}'
    assert filters.where().text is None
    assert filters.raw("  ").text is None
    assert filters.raw("label=x,created>2021-01-01").text == "label=x,created>2021-01-01"


def test_commas_in_patterns_are_data() -> None:
    r"""`\,` as the official documentation says; one that is there already stays."""
    assert filters.matches("label", "a,b\\,c").text == "label=~a\\,b\\,c"


@pytest.mark.parametrize(
    ("globs", "text"),
    [
        (["*mriqc.qa*"], "name=~^.*mriqc.qa.*$"),
        (["*.nii.gz", "T1?"], "name=~^(.*.nii.gz|T1.)$"),
        (["a,b=c|d[!x]e"], "name=~^a.b.c.d.*$"),
    ],
)
def test_globs_become_patterns_that_match_no_less(globs: list[str], text: str) -> None:
    """What could be read as the filter's syntax is any character; sets and what follows them are anything."""
    assert filters.like("name", globs).text == text


@given(st.text(alphabet="ab.*?[]!,=|^$()\\{}", min_size=1, max_size=8), st.text(alphabet="ab.,=|[]^$()\\", max_size=8))
def test_a_globs_pattern_finds_all_that_the_glob_fits(glob: str, name: str) -> None:
    """Held against our own globs: never fewer names."""
    pattern = filters.like("name", [glob]).text.removeprefix("name=~").replace("\\,", ",")
    if glob_regex(glob).fullmatch(name):
        assert re.search(pattern, name)
