"""Filter strings: conditions that a site understands as they are meant. Pure.

The site types a value by its shape and silently finds nothing when that is the wrong type, so strings are always
quoted, dates always written in full, and ids as the probe found them. Characters that the site would take for an
operator or a separator, even inside quotes, are not sent at all: such a value is asked for by a pattern with `.` in
their place, and the rows are checked again here (`Filter.keeps`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flyball.clients.flywheel.dialect import DateForm, Dialect, Spelling
from flyball.model.errors import Permanent

_STRING_ID_FIELDS = frozenset(
    {"gear_id", "gear_info.id", "destination.id", "inputs.id", "related_container_ids", "previous_job_id", "batch"}
)  # live19: stored as strings; everything else that holds an id stores object ids
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_FIELD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\- ]*")
_UNSAFE = re.compile(r"[,=<>!~|\\\"\[\]]")
_PLAIN = re.compile(r"[^\w -]", re.ASCII)
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a filter.

    Attributes:
        text: as it is sent.
        field: the stored path it is about.
        exact: the value that rows must have, where `text` alone would also match others; None when it would not.
    """

    text: str
    field: str
    exact: str | None = None

    def keeps(self, row: Mapping[str, Any]) -> bool:
        """Whether a row that the site returned really meets the condition.

        A row that does not carry the field (lists leave some out) is kept: the site's answer is all there is.
        """
        if self.exact is None:
            return True
        value = _dig(row, self.field)
        if value is _MISSING:
            return True
        return self.exact in value if isinstance(value, list) else value == self.exact


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that must all hold."""

    conditions: tuple[Condition, ...] = ()

    @property
    def text(self) -> str | None:
        """The `filter` parameter, None when there is no condition (an empty one is a 422, live19)."""
        return ",".join(condition.text for condition in self.conditions) or None

    def keeps(self, row: Mapping[str, Any]) -> bool:
        """Whether a returned row meets all conditions, as far as the row shows."""
        return all(condition.keeps(row) for condition in self.conditions)

    def __and__(self, other: Filter) -> Filter:
        return Filter((*self.conditions, *other.conditions))


def where(*conditions: Condition) -> Filter:
    """The filter of these conditions."""
    return Filter(conditions)


def raw(text: str) -> Filter:
    """A filter in the site's own syntax, written by a person, sent as it is."""
    return Filter((Condition(text, ""),)) if text.strip() else Filter()


def equals(field: str, value: str) -> Condition:
    """The field is (or, for lists, contains) exactly this text: `label="1001"`.

    Raises:
        Permanent: the value is empty or holds control characters, which no filter can express.
    """
    _check(field)
    if not value or any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise Permanent(f"a filter cannot ask for {field} = {value!r}")
    if _UNSAFE.search(value):
        return Condition(f"{field}=~^{_PLAIN.sub('.', value)}$", field, exact=value)
    return Condition(f'{field}="{value}"', field)


def matches(field: str, pattern: str) -> Condition:
    """The field matches a regular expression of the site's (PCRE, unanchored). Commas are escaped as data."""
    _check(field)
    escaped = re.sub(r"(?<!\\),", r"\\,", pattern)
    return Condition(f"{field}=~{escaped}", field)


def like(field: str, globs: Sequence[str]) -> Condition:
    """The field matches one of some globs, or a little more: what stands for itself in them may be any character, so
    that nothing in the pattern can be taken for the filter's own syntax. The caller checks the rows.
    """
    steps = {"*": ".*"}
    patterns = ["".join(steps.get(char) or _PLAIN.sub(".", char) for char in _no_sets(glob)) for glob in globs]
    return matches(field, f"^({'|'.join(sorted(patterns))})$" if len(patterns) > 1 else f"^{patterns[0]}$")


def _no_sets(glob: str) -> str:
    """A glob with `*` for what may be a set of characters: a pattern for more, never for less."""
    return glob if "[" not in glob else re.sub(r"\[.*", "*", glob)


def has_any_tag(field: str = "tags") -> Condition:
    """The list has at least one non-empty element."""
    return matches(field, ".")


def identified(field: str, value: str, dialect: Dialect) -> Condition:
    """The field holds this id, spelled as the site stores that field.

    Ids that are no object ids (groups, users) are strings and always quoted.
    """
    _check(field)
    if not _OBJECT_ID.fullmatch(value):
        return equals(field, value)
    return Condition(f"{field}={_spelled(value, spelling_of(field, dialect))}", field)


def spelling_of(field: str, dialect: Dialect) -> Spelling:
    """How an object id stands behind this field: as the probe found, else as documented (live19)."""
    if field in _STRING_ID_FIELDS:
        return dialect.string_ids or Spelling.QUOTED
    return dialect.object_ids or Spelling.BARE


def since(field: str, moment: datetime, dialect: Dialect) -> Condition:
    """The field's time is `moment` or later."""
    return compared(field, ">=", moment, dialect.date_form)


def before(field: str, moment: datetime, dialect: Dialect) -> Condition:
    """The field's time is earlier than `moment`."""
    return compared(field, "<", moment, dialect.date_form)


def compared(field: str, operator: str, moment: datetime, form: DateForm | None) -> Condition:
    """A comparison with a time; `operator` is one of `=`, `<`, `<=`, `>`, `>=`."""
    _check(field)
    return Condition(f"{field}{operator}{date(moment, form)}", field)


def date(moment: datetime, form: DateForm | None = None) -> str:
    """A time as filters take it: UTC, six digits, by default without a zone (live19: anything else matches nothing).

    Raises:
        ValueError: the time has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be written into a filter")
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text + {DateForm.OFFSET: "+00:00", DateForm.ZULU: "Z"}.get(form or DateForm.NAIVE, "")


def any_of(field: str, values: Sequence[str], dialect: Dialect) -> list[Condition]:
    """The field is one of these texts: one condition where the site takes lists, else one per value.

    The caller makes one request per returned condition and joins the rows. Lists (`=|[a,b]`) are newer than K19, which
    answers 422, or finds nothing; they are used only where the probe saw them work, and for plain words only.
    """
    plain = all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", value) for value in values)
    plain = plain and not any(value in ("null", "true", "false") for value in values)
    if len(values) > 1 and plain and dialect.proves_operator("=|"):
        _check(field)
        return [Condition(f"{field}=|[{','.join(values)}]", field)]
    return [equals(field, value) for value in values]


def any_id(ids: Sequence[str], dialect: Dialect) -> Filter | None:
    """The object is one of these, all of them object ids; None where no such list was proved to work (see `any_of`).

    A site may know lists and still not take ids in them: the caller counts on no row that did not come.
    """
    if not dialect.proves_operator("=|") or not all(_OBJECT_ID.fullmatch(one) for one in ids):
        return None
    written = ",".join(_spelled(one, spelling_of("_id", dialect)) for one in ids)
    return where(Condition(f"_id=|[{written}]", "_id"))


def is_object_id(text: str) -> bool:
    """Whether it looks like an id of the site's own making: 24 hexadecimal digits."""
    return _OBJECT_ID.fullmatch(text) is not None


def same_second(field: str, moment: datetime, form: DateForm | None) -> list[Condition]:
    """The field's time is within a second of `moment`, for sites that show times less exactly than they keep them."""
    second = timedelta(seconds=1)
    return [compared(field, ">=", moment - second, form), compared(field, "<", moment + second, form)]


def kept(rows: Iterable[dict[str, Any]], chosen: Filter) -> list[dict[str, Any]]:
    """The rows that really meet the filter."""
    if all(condition.exact is None for condition in chosen.conditions):
        return list(rows)
    return [row for row in rows if chosen.keeps(row)]


def _spelled(value: str, spelling: Spelling) -> str:
    return f'"{value}"' if spelling is Spelling.QUOTED else value


def _check(field: str) -> None:
    if not _FIELD.fullmatch(field):
        raise Permanent(f"a filter cannot ask for the field {field!r}")


def _dig(row: Any, path: str) -> Any:
    """The value at a dotted path; lists on the way give the list of what their elements hold."""
    for key in path.split("."):
        if isinstance(row, Mapping) and key in row:
            row = row[key]
        elif isinstance(row, list):
            row = [item[key] for item in row if isinstance(item, Mapping) and key in item]
        else:
            return _MISSING
    return _MISSING if row in (None, []) else row
