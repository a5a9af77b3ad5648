"""What a message to people says: one alert, or several as one. Pure: from an effect's parameters to JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flyball.model.effect import Effect

Json = dict[str, Any]
TITLE: Final = 300
BODY: Final = 4_000
NAMED: Final = 20
"""Alerts that the text of one message names; the list beside it has all of them."""

_ORDER: Final = ("error", "warning", "info")
_WORDS: Final = {"open": "open", "repeat": "still open", "resolved": "over"}


def message_of(effect: Effect) -> Json:
    """The message that an effect of kind `alert` stands for.

    One alert gives `{"id", "rule", "target", "status", "severity", "title", "body", "since"}`. Several give the same,
    with a title that counts them, a body that names them, and besides `count` and `alerts`, the list of them.
    """
    params = effect.params
    items = params.get("items")
    if items:
        return _several(effect, items)
    return {
        "id": params.get("alert", effect.id),
        "rule": effect.rule,
        "target": {**effect.target.as_json(), "path": params.get("path", effect.target.path)},
        "status": params["status"],
        "severity": params["severity"],
        "title": one_line(params["title"], TITLE),
        "body": cut(params["body"], BODY),
        "since": params.get("since", effect.created.isoformat()),
    }


def _several(effect: Effect, items: Sequence[Mapping[str, Any]]) -> Json:
    group = effect.params.get("group")
    by = group.get("by") if isinstance(group, Mapping) else None
    about = ", ".join(str(value) for value in by.values()) if by else ""
    alike = len({item["status"] for item in items}) == 1 and len({item["rule"] for item in items}) == 1
    shown = [_shown(item) for item in items]
    return {
        "id": group.get("id", effect.id) if alike and isinstance(group, Mapping) else f"digest-{effect.id}",
        "rule": effect.rule,
        "target": shown[0]["target"],
        "status": _status([str(item["status"]) for item in items]),
        "severity": min((str(item["severity"]) for item in items), key=_badness),
        "title": one_line(_title(items, about if alike else ""), TITLE),
        "body": cut("\n".join(_lines(shown, alike=alike)), BODY),
        "since": min(str(item["since"]) for item in items),
        "count": len(items),
        "alerts": shown,
    }


def _shown(item: Mapping[str, Any]) -> Json:
    kept = {key: value for key, value in item.items() if key != "effect"}
    return {**kept, "title": one_line(str(item["title"]), TITLE), "body": cut(str(item["body"]), 500)}


def _title(items: Sequence[Mapping[str, Any]], about: str) -> str:
    counts = {word: sum(_WORDS[str(item["status"])] == word for item in items) for word in _WORDS.values()}
    counted = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    rules = sorted({str(item["rule"]) for item in items})
    whose = rules[0] if len(rules) == 1 else f"{len(rules)} rules"
    return f"{len(items)} alerts of {whose}{f' ({about})' if about else ''}: {counted}"


def _lines(items: Sequence[Json], *, alike: bool) -> list[str]:
    lines = []
    for item in items[:NAMED]:
        sign = "" if alike else f"[{_WORDS[item['status']]}] "
        lines.append(f"- {sign}{item['title']} ({item['target']['path']})")
    if len(items) > NAMED:
        lines.append(f"… and {len(items) - NAMED} more")
    return lines


def _status(found: Sequence[str]) -> str:
    """`open` if anything is new, else `repeat` if anything goes on, else `resolved`."""
    return next(status for status in ("open", "repeat", "resolved") if status in found)


def _badness(severity: str) -> int:
    return _ORDER.index(severity) if severity in _ORDER else 0


def one_line(text: str, most: int) -> str:
    """A text without line breaks and control characters, cut."""
    plain = "".join(character if character.isprintable() else " " for character in str(text))
    return cut(" ".join(plain.split()), most)


def cut(text: str, most: int) -> str:
    """A text of so many characters at the most; what is left out is marked."""
    text = str(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
