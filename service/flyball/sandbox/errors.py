"""Refusals in the site's own words: an HTTP status and the fields of the error body."""

from typing import Any


class Refusal(Exception):  # noqa: N818 -- an answer of the site, not a fault of the program
    """The site answers with an error status.

    The body is `{"message", "status_code", "request_id", **extra}` (live19); with `detail` it is the
    newer `{"detail": [...]}` that has no message.
    """

    def __init__(self, status: int, message: str, *, detail: list[Any] | None = None, **extra: Any) -> None:
        """Keep what the body will say."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail
        self.extra = extra


def invalid(status: int, message: str, **extra: Any) -> Refusal:
    """A refused input, marked with the site's `core_status_code`."""
    return Refusal(status, message, core_status_code="input_validation_error", **extra)


def schema(key: str, error: str) -> Refusal:
    """A body that does not fit its schema (400, live19)."""
    reason = "Object does not match schema"
    return invalid(400, f"{reason} on key '{key}': {error}.", key=key, error=error, reason=reason)


def unexpected(name: str, key: str = "none") -> Refusal:
    """A body with a property that its schema does not have (400, live19)."""
    return schema(key, f"Additional properties are not allowed ({name!r} was unexpected)")


def listed(key: str, value: Any, kind: type = str) -> list[Any]:
    """A value that has to be a list of one type; an absent one is empty.

    Raises:
        Refusal: 400.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
        raise schema(key, f"{value!r} is not a list of {kind.__name__}")
    return value


def mapped(key: str, value: Any) -> dict[str, Any]:
    """A value that has to be a map; an absent one is empty.

    Raises:
        Refusal: 400.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise schema(key, f"{value!r} is not of type 'object'")
    return value


def absent(collection: str, container_id: str) -> Refusal:
    """No such container (404, live19)."""
    return Refusal(404, f"Could not find {collection} {container_id}")


def not_found() -> Refusal:
    """No such address, or an id of the wrong form (404, live19)."""
    return Refusal(404, "The resource could not be found.")
