"""What whoever runs the sandbox can do to the emulated server from outside: an administrator's hand, and trouble."""

from collections.abc import Mapping
from typing import Any

from flyball.sandbox.scout.records import Doc
from flyball.sandbox.scout.state import Scout

_ANALYSIS = {"locked": bool, "status": str, "traceback": str, "private": bool}
_USER = {"confirmed": bool, "disabled": bool, "password": str}


def overview(scout: Scout) -> Doc:
    """How many there are of what, and what the task queue has to do."""
    statuses = [a.status for a in scout.analyses.values()]
    return {
        "analyses": {status: statuses.count(status) for status in sorted(set(statuses))},
        "collections": len(scout.collections),
        "backlog": scout.backlog,
    }


def control(scout: Scout, values: Any) -> Doc:
    """`{"habits": {…}, "analyses": {hash_id: {"locked", "status", …}}, "users": {user_name: {"disabled", …}}}`.

    Raises:
        ValueError: an unknown key, name or a value of the wrong type.
    """
    if not isinstance(values, dict) or set(values) - {"habits", "analyses", "users"}:
        raise ValueError("expected an object with habits, analyses, users")
    scout.habits.change(values.get("habits") or {})
    _set(scout.analyses, values.get("analyses") or {}, _ANALYSIS)
    _set({user.user_name: user for user in scout.users.values()}, values.get("users") or {}, _USER)
    scout.work()
    return overview(scout)


def _set(rows: Mapping[str, Any], changes: dict[str, Doc], known: dict[str, type]) -> None:
    for key, values in changes.items():
        if key not in rows:
            raise ValueError(f"there is no {key!r}")
        for name, value in values.items():
            if name not in known or not isinstance(value, known[name]):
                raise ValueError(f"{name}: {value!r} cannot be set; there are {sorted(known)}")
            setattr(rows[key], name, value)
