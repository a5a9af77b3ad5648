"""Templates: what they give, what is refused, and that nothing in them can hurt."""

from __future__ import annotations

import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.model.errors import ConfigError
from flyball.rules.expression import UNKNOWN, Unknown
from flyball.rules.template_filters import OUTPUT
from flyball.rules.templates import TemplateError, compile_template

NAMES: dict[str, Any] = {
    "subject": {"label": "sub-01", "sex": None, "info": {"a": 1, "b": [1, 2]}},
    "session": {"label": "<b>../x</b>", "timestamp": "2026-11-01T12:00:00Z", "age": 0.1 + 0.2},
    "file": {
        "id": "f1",
        "name": "bold.nii.gz",
        "info": {"snr": 0.816496, "nan": float("nan"), "flag": True, "big": 10**400},
    },
    "missing": ["T1w", "T2w"],
    "t1": [{"name": "a.nii", "size": 2}, {"name": "b.nii", "size": 1}, {"size": 3}],
    "row": {"Subject ID": "S 1", "time of scan": "noon"},
    "unread": UNKNOWN,
    "empty": [],
    "when": datetime(2026, 11, 5, 12, tzinfo=UTC),
}


def render(text: str) -> str:
    """The text that a template gives for the names above."""
    return compile_template(text, names=NAMES).render(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, } and { included\n", "plain text, } and { included\n"),
        ("{{ subject.label }} {{ session.label }}\n", "sub-01 <b>../x</b>\n"),
        ("{{ subject.label }} lacks {{ missing | join(', ') }}", "sub-01 lacks T1w, T2w"),
        ("{{ missing }}", "T1w, T2w"),
        ("{{ row['Subject ID'] }} at {{ row['time of scan'] }}", "S 1 at noon"),
        ("{{ t1[0].name }} {{ t1[-1].size }}", "a.nii 3"),
        ("{{ t1 | join(', ', attribute='name') }}", "a.nii, b.nii, ?"),
        ("{{ t1 | map('name') | first }}", "a.nii"),
        ("{{ t1 | map(attribute='size') | sort | join('-') }}", "1-2-3"),
        ("{{ t1 | length }} {{ missing | count }} {{ subject.label | length }}", "3 2 6"),
        ("{{ t1 }}", 'a.nii, b.nii, {"size": "3"}'),
        ("{{ file }} {{ subject.info }}", 'bold.nii.gz {"a": "1", "b": "1, 2"}'),
        ("{{ file.info.snr | round(2) }} {{ file.info.snr | round }}", "0.82 1"),
        ("{{ session.age }} {{ file.info.flag }} {{ when }}", "0.3 true 2026-11-05T12:00:00+00:00"),
        ("{{ subject.label | upper | replace('SUB', 'x') | lower }}", "x-01"),
        ("{{ 'a b' | title }} {{ ' a ' | trim }} {{ 'abcdef' | truncate(4) }}", "A B a abc…"),
        ("{{ ['b', 'a', 'b'] | unique | join }} {{ [2, 'x', 1] | sort }}", "b, a 1, 2, x"),
        ("{{ missing | first }} {{ missing | last }} {{ empty | first }}", "T1w T2w ?"),
        ("{{ subject.sex }} {{ subject.gone.deeper }} {{ file.info.nan }} {{ unread.x }} {{ t1[9] }}", "? ? ? ? ?"),
        ("{{ subject.sex | upper }} {{ subject.gone | join }} {{ unread | replace('a', 'b') }}", "? ? ?"),
        ("{{ subject.sex | default('none') }} {{ subject.gone | d(3) }} {{ subject.label | d('x') }}", "none 3 sub-01"),
        ("{{ subject.label.upper }} {{ missing.append }} {{ subject.items }} {{ when.year }}", "? ? ? ?"),
        ("{{ file.info.big }}", "?"),
        ("{% if missing %}yes{% elif empty %}no{% else %}none{% endif %}", "yes"),
        ("{% if file.info.snr < 1 and not empty %}low{% endif %}", "low"),
        ("{% if subject.gone < 1 %}low{% else %}?{% endif %}", "?"),
        ("{% if subject.label < 1 or when < 3 %}a{% else %}b{% endif %}", "b"),
        ("{{ 'T1w' in missing }} {{ 'x' not in missing }} {{ 'sub' in subject.label }} {{ 3 in file.info }}", "true true true false"),
        ("{{ 'a' if 0 < file.info.snr <= 1 else 'b' }} {{ 'a' if empty }}", "a ?"),
        ("{{ subject.sex is none }} {{ subject.gone is defined }} {{ subject.label is defined }}", "true false true"),
        ("{{ subject.info == subject.info }} {{ 1 == '1' }} {{ 1 != 2 }} {{ 2 > 1 }} {{ 2 >= 3 }}", "true false true true false"),
        ("{% for f in t1 %}{{ loop.index }}={{ f.name }}{% if not loop.last %}, {% endif %}{% endfor %}", "1=a.nii, 2=b.nii, 3=?"),
        ("{% for f in t1 if f.size > 1 %}{{ f.size }}{% else %}none{% endfor %}", "23"),
        ("{% for f in subject.gone %}x{% else %}none{% endfor %}", "none"),
        ("{% for c in subject.label %}x{% endfor %}", ""),
        ("{# a comment #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{{ row[subject.gone] }} {{ row[missing[0]] }}", "? ?"),
        ("{{ none }} {{ true }} {{ 3 }}", "? true 3"),
    ],
)  # fmt: skip
def test_what_is_rendered(text: str, expected: str) -> None:
    """Values are filled in as people read them; what is not there is a question mark."""
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("{{ subjet.label }}", "unknown name `subjet`; did you mean `subject`?", 1),
        ("a\n\n{{ zzzzzz }}", "unknown name `zzzzzz`; names here: empty, file", 3),
        ("{{ missing | joined }}", "unknown filter `joined`; did you mean `join`?", 1),
        ("{{ missing | xmlattr }}", "unknown filter `xmlattr`", 1),
        ("{{ missing | join(1, 2, 3) }}", "`join`: too many positional arguments", 1),
        ("{{ missing | join(seperator=1) }}", "`join`: got an unexpected keyword argument 'seperator'", 1),
        ("{{ missing | map }}", "`map`: missing a required argument: 'attribute'", 1),
        ("{{ missing | join(*t1) }}", "`join` takes its arguments one by one", 1),
        ("{{ subject.label.upper() }}", "nothing can be called in a template", 1),
        ("{{ range(9) }}", "nothing can be called in a template", 1),
        ("{{ 2 * 3 }}", "arithmetic is not allowed in a template", 1),
        ("{{ 'a' * 1000000000 }}", "arithmetic is not allowed in a template", 1),
        ("{{ 9 ** 9 ** 9 }}", "arithmetic is not allowed in a template", 1),
        ("{{ -subject.age }}", "arithmetic is not allowed in a template", 1),
        ("{{ 'a' ~ 'b' }}", "`~` is not allowed", 1),
        ("{{ missing[1:] }}", "a slice is not allowed in a template", 1),
        ("{{ {'a': 1} }}", "an object in braces is not allowed", 1),
        ("{{ (1, 2) }}", "write a list in [ ]", 1),
        ("{{ subject.__class__ }}", "`subject.__class__`: only fields of the documents can be read", 1),
        ("{{ subject['__class__'] }}", "`subject.__class__`: only fields", 1),
        ("{{ (missing | first).__class__ }}", "`__class__`: only fields", 1),
        ("{{ ''.__class__.__mro__ }}", "`__mro__`: only fields", 1),
        ("{{ loop.index }}", "unknown name `loop`", 1),
        ("{% for f in t1 %}{{ loop.cycle('a') }}{% endfor %}", "nothing can be called", 1),
        ("{% for f in t1 %}{{ loop.previtem }}{% endfor %}", "`loop.previtem` is not allowed", 1),
        ("{% for f in t1 %}{{ loop }}{% endfor %}", "`loop` is not allowed", 1),
        ("{% for a, b in t1 %}{% endfor %}", "a loop binds one name", 1),
        ("{% for f in t1 recursive %}{% endfor %}", "a loop binds one name", 1),
        ("{% for f in t1 %}" * 4 + "{% endfor %}" * 4, "loops are nested more than 3 deep", 1),
        ("{% set x = 1 %}", "`set` is not allowed", 1),
        ("{% set x %}a{% endset %}", "`set` is not allowed", 1),
        ("{% macro m() %}{% endmacro %}", "`macro` is not allowed in a template", 1),
        ("{% include 'x' %}", "`include` is not allowed in a template", 1),
        ("{% import 'x' as y %}", "`import` is not allowed in a template", 1),
        ("{% extends 'x' %}", "`extends` is not allowed in a template", 1),
        ("{% block b %}{% endblock %}", "`block` is not allowed in a template", 1),
        ("{% filter upper %}x{% endfilter %}", "`filterblock` is not allowed in a template", 1),
        ("{% with x = 1 %}{% endwith %}", "`with` is not allowed in a template", 1),
        ("{{ 3 is even }}", "unknown test `even`; there are defined, none, undefined", 1),
        ("{{ subject.label", "unexpected end of template", 1),
        ("{% if missing %}", "Unexpected end of template", 1),
        ("{% nonsense %}", "Encountered unknown tag 'nonsense'", 1),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "the template is nested too deep", 1),
        ("{{ " + "not " * 3000 + "1 }}", "the template is nested too deep", 1),
        ("{{ subject" + ".a" * 40 + " | upper" * 40 + " }}", "the template is nested more than 30 deep", 1),
        ("x" * 20_001, "the text has more than 20,000 characters", 1),
    ],
)
def test_refused(text: str, message: str, line: int) -> None:
    """Calls, arithmetic, blocks and ways to Python's inside are refused with the line and a remedy."""
    start = time.thread_time()
    with pytest.raises(TemplateError) as caught:
        compile_template(text, names=NAMES)
    assert caught.value.message.startswith(message)
    assert caught.value.line == line
    assert isinstance(caught.value, ConfigError)
    assert time.thread_time() - start < 1


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("plain", set()),
        ("{{ subject.label }}{% if missing %}{{ row['Subject ID'] }}{% endif %}",
         {("subject", "label"), ("missing",), ("row", "Subject ID")}),
        ("{{ t1[0].name }}{% for f in subject.files %}{{ f.name }}{{ session.label }}{% endfor %}",
         {("t1",), ("subject", "files"), ("session", "label")}),
        ("{{ row[session.label].x }}", {("row",), ("session", "label")}),
    ],
)  # fmt: skip
def test_reads(text: str, reads: set[tuple[str, ...]]) -> None:
    """The paths that a template reads; loop variables are none."""
    assert compile_template(text, names=NAMES).reads == reads


def test_filling_in_names() -> None:
    """A text that names something is unknown as soon as one value is missing, or it is too long."""

    def fill(text: str) -> str | Unknown:
        return compile_template(text, names=NAMES).fill(NAMES)

    assert fill("plain") == "plain"
    assert fill("{{ subject.label }}/{{ subject.sex | default('x') }}") == "sub-01/x"
    for text in ("{{ subject.label }}/{{ subject.sex }}", "{{ t1 | join(attribute='name') }}", "{{ unread }}"):
        hole = fill(text)
        assert isinstance(hole, Unknown)
        assert "is missing" in hole.reason
    long = compile_template("{{ x }}{{ x }}", names=["x"]).fill({"x": "a" * 3000})
    assert isinstance(long, Unknown)
    assert long.reason.startswith("stopped")


def test_what_stands_for_a_missing_value_can_be_chosen() -> None:
    """A report may rather have an empty cell."""
    assert compile_template("[{{ subject.sex }}]", names=NAMES, missing="").render(NAMES) == "[]"
    assert compile_template("[{{ subject.sex }}]", names=["subject"]).render({}) == "[?]"
    assert repr(compile_template("x", names=())) == "Template('x')"


def test_a_template_can_be_used_again() -> None:
    """Nothing of one rendering is left for the next."""
    template = compile_template("{% for f in t1 %}{{ f.name }}{% endfor %}", names=["t1"])
    assert [template.render({"t1": [{"name": n}]}) for n in ("a", "b")] == ["a", "b"]


DEEP: Any = []
for _ in range(900):
    DEEP = [DEEP]
TANGLED: Any = {}
for _ in range(900):
    TANGLED = {"a": TANGLED}
HOSTILE: dict[str, Any] = {
    "n": list(range(100_000)),
    "text": "ab" * 5_000_000,
    "texts": ["x" * 100_000] * 10_000,
    "deep": DEEP,
    "tangled": TANGLED,
    "mixed": [
        1,
        "a",
        None,
        True,
        [1],
        {"a": 1},
        float("nan"),
        datetime(2026, 1, 1),  # noqa: DTZ001 - a date without a zone is one of the cases
        datetime(2026, 1, 1, tzinfo=UTC),
        10**5000,
        {1},
    ],
}


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in n %}{% for b in n %}{% for c in n %}{% if false %}x{% endif %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in n %}{% for b in n %}{{ a }}{% endfor %}{% endfor %}",
        "{{ text }}{{ text | upper }}{{ text | replace('a', text) | replace('b', text) | replace('a', text) }}",
        "{{ texts | join(text) }}{{ texts }}",
        "{% for a in texts %}{{ texts | join(text) | upper }}{% endfor %}",
        "{% for a in n %}{{ n | sort | join | upper | lower | title }}{% endfor %}",
        "{% for a in n if a in n and 'x' in text %}{% endfor %}",
        "{{ deep }}{{ deep | join }}{{ deep | sort }}{{ deep | unique }}{{ deep == deep }}{{ [deep] == [deep] }}",
        "{{ tangled }}{{ tangled == tangled }}{{ tangled | length }}{{ tangled | join }}{{ tangled | upper }}",
        "{{ mixed }}{{ mixed | sort }}{{ mixed | unique }}{{ mixed | join('') }}{{ mixed | first | upper }}{{ mixed | map('a') }}",
        "{% for a in mixed %}{% for b in mixed %}{{ a < b }}{{ a == b }}{{ a in mixed }}{{ a >= b }}{{ a | round(b) }}{% endfor %}{% endfor %}",
        "{% for a in mixed %}{{ a | truncate(a) }}{{ a | replace(a, a) }}{{ a | join(a, a) }}{{ a | default(a) }}{{ a[a] }}{{ a.x }}{% endfor %}",
        "{% for a in mixed %}{{ a | length }}{{ a | first }}{{ a | last }}{{ a | sort }}{{ a | trim }}{{ not a }}{{ a and a or a }}{% endfor %}",
    ],
)  # fmt: skip
def test_hostile_templates_and_values_end_in_time(text: str) -> None:
    """Loops, filters and odd values give a text of bounded length within a second and 100 MB, and never raise."""
    template = compile_template(text, names=HOSTILE)
    start = time.thread_time()
    tracemalloc.start()
    out = template.render(HOSTILE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.thread_time() - start < 1
    assert peak < 100e6
    assert len(out) <= OUTPUT
