"""YAML to values with places: strict, bounded, version 1.2."""

import pytest

from flyball.configfile.tree import Map
from flyball.configfile.yaml import MAX_BYTES, MAX_DEPTH, NotReadable, read_yaml


def wrong(text: str | bytes) -> str:
    with pytest.raises(NotReadable) as caught:
        read_yaml(text, "f.yaml")
    return str(caught.value)


def test_words_of_yaml_1_1_stay_texts() -> None:
    """`on`, `no`, dates, times of day and underscored numbers are no booleans, dates or numbers."""
    text = "on: no\nyes: [off, y, 2026-01-31, 12:30, 1_000, 0o8]\n"
    assert read_yaml(text, "f").root == {"on": "no", "yes": ["off", "y", "2026-01-31", "12:30", "1_000", "0o8"]}


def test_core_schema() -> None:
    """Null, booleans, whole and real numbers are read as YAML 1.2 says."""
    text = "[null, ~, true, False, 0x1f, 0o17, 007, -3, 1e3, .5, 1., .inf, -.INF, '1', \"true\"]"
    expected = [None, None, True, False, 31, 15, 7, -3, 1000.0, 0.5, 1.0, float("inf"), -float("inf"), "1", "true"]
    assert read_yaml(text, "f").root == expected


def test_not_a_number_is_read() -> None:
    """`.nan` is a number that is none."""
    value = read_yaml("a: .nan", "f").root["a"]
    assert value != value  # noqa: PLR0124 - that is what NaN is


def test_keys_are_texts() -> None:
    """A key is the text that is written, whatever it looks like."""
    assert list(read_yaml("1: a\ntrue: b\n~: c\n", "f").root) == ["1", "true", "~"]


def test_places_of_keys_values_and_items() -> None:
    """Each key, value and list entry knows its line and column."""
    written = read_yaml("a:\n  - b\n  - {c: 'text here'}\n", "f.yaml")
    assert str(written.place(("a",), key=True)) == "f.yaml:1:1"
    assert str(written.place(("a", 1))) == "f.yaml:3:5"
    assert str(written.place(("a", 1, "c"))) == "f.yaml:3:9"
    assert str(written.place(("a", 1, "c"), offset=5)) == "f.yaml:3:15"
    assert str(written.place(("a", 1, "union member", "c"))) == "f.yaml:3:9"


@pytest.mark.parametrize("text", ["a: |\n  x y\n", 'a: "x\\ty"\n', "a: x\n  y\n", "a: >-\n  x y\n"])
def test_columns_inside_of_folded_texts_are_not_made_up(text: str) -> None:
    """Where a text is not written as it reads, a mistake inside of it is placed at its beginning."""
    assert str(read_yaml(text, "f").place(("a",), offset=2)) == "f:1:4"


def test_a_file_of_comments_holds_nothing() -> None:
    """A file that is commented out is no mistake, and has no line to point to."""
    written = read_yaml("# nothing\n", "f.yaml")
    assert written.root is None
    assert str(written.place(("a",))) == "f.yaml"


def test_merges() -> None:
    """`<<` takes over what the mapping does not have itself; of several sources the first wins."""
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 0}\nd:\n  <<: *b\n  '<<': kept\n"
    root = read_yaml(text, "f").root
    assert root["c"] == {"x": 0, "y": 1, "z": 2}
    assert root["d"] == {"y": 2, "z": 2, "<<": "kept"}


def test_byte_order_mark() -> None:
    """A byte order mark, as some editors write, is passed over."""
    assert read_yaml("\ufeffa: é".encode(), "f").root == {"a": "é"}
    assert read_yaml("\ufeffa: 1", "f").root == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: the key `a` stands here twice, first in line 1; keep one of the two"),
        ("x: !scien/y", "f.yaml:1:4: `!scien/y` is read as a YAML tag; a text that begins with ! needs quotes"),
        ("x: *mriqc", "f.yaml:1:4: `*mriqc` is read as a YAML alias, and there is no `&mriqc` before it"),
        ("x: *.qa*", "f.yaml:1:4: `*.qa*` is read as a YAML alias, and there is no `&.qa*` before it"),
        ("x: {{ y }}", "f.yaml:1:5: a key must be a plain text; a template such as {{ x }} needs quotes around it"),
        ("a: b: c", "f.yaml:1:5: this is no YAML: mapping values are not allowed here; a text that holds `: ` needs"),
        ("a:\n\t- b", "f.yaml:2:1: this is no YAML: found character '\\t' that cannot start any token; YAML indents"),
        ("a: [1", "f.yaml:1:6: this is no YAML: expected ',' or ']'"),
        ("a: @b", "f.yaml:1:4: this is no YAML: found character '@' that cannot start any token; a text that begins"),
        ('a: "\\d"', "f.yaml:1:6: this is no YAML: found unknown escape character 'd'; in double quotes a backslash"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second YAML document begins here; put it into a file of its own"),
        ("%YAML 1.1\n---\na: on", "f.yaml:2:1: the file asks for another YAML version; only 1.2 is read"),
        ("a: !!python/name:os.system", "f.yaml:1:4: `!!python/name:os.system` is read as a YAML tag"),
        ("a: !!int x", "f.yaml:1:4: 'x' does not fit its tag !!int; remove the tag"),
        ("? [1]\n: 2", "f.yaml:1:3: a key must be a plain text"),
        ("&a [*a]", "f.yaml:1:5: `*a` stands inside of what it names"),
        ("a: &x 1\n*x : 2", "f.yaml:2:1: an alias cannot be a key; write the key out"),
        ("a: &x 1\nb: {<<: *x}", "f.yaml:2:9: `<<` merges a mapping, or a list of mappings: write `<<: *name`"),
        ("a: " + "9" * 200, "f.yaml:1:4: the number is too long; write it in quotes if it is a text"),
        ("a: \x07", "f.yaml:1:4: the character #x0007 cannot stand in YAML; remove it"),
        (b"a: b\nc: \xff", "f.yaml:2:1: the file is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_mistakes_have_place_and_remedy(text: str | bytes, message: str) -> None:
    """Every mistake is told with file, line, column and what would be right."""
    assert wrong(text).startswith(message)


def test_nesting_is_bounded() -> None:
    """Thousands of brackets are refused at once, without recursion."""
    assert f"nested deeper than {MAX_DEPTH} levels" in wrong("[" * 200_000)


def test_aliases_cannot_blow_up() -> None:
    """A few lines of aliases of aliases are refused before they become a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "with its aliases this is larger than" in wrong("\n".join(lines))


def test_size_is_bounded() -> None:
    """A file beyond the limit is refused unread."""
    assert wrong("#" * (MAX_BYTES + 1)) == "f.yaml: the file is larger than 2048 KiB; split it"


def test_values_are_plain_json_to_others() -> None:
    """Mappings and lists with places are dicts and lists to whoever takes JSON."""
    root = read_yaml("a: [{b: 1}]", "f").root
    assert isinstance(root, Map)
    assert isinstance(root, dict)
    assert root == {"a": [{"b": 1}]}
