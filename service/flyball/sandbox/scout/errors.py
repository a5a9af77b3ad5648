"""Refusals in Neuroscout's words: five shapes of errors.

Refusal                  {"message": …}: not found, not editable, invalid fields
  (fields)               {"message": {"json" | "query" | "form" | "files": {field: [texts]}}}
  (owner)                {"message": {"message": "Resource not found."}}
TokenRefusal             {"description", "error", "status_code"}: anything about the token
Page                     an HTML page: bad JSON, wrong method
Dropped                  no answer at all: the handler crashed and the connection is closed
"""

from typing import Any

Problems = dict[str, Any]


class Refusal(Exception):  # noqa: N818 -- an answer of the server, not a fault of the program
    """The server answers with an error status and `{"message": …}`."""

    def __init__(self, status: int, message: Any) -> None:
        """Keep what the answer will say."""
        super().__init__(str(message))
        self.status = status
        self.message = message


class TokenRefusal(Exception):  # noqa: N818 -- as above
    """401 in the words of the token library; there is no `message`."""

    def __init__(self, error: str, description: str) -> None:
        """Keep what the answer will say."""
        super().__init__(description)
        self.error = error
        self.description = description


class Page(Exception):  # noqa: N818 -- as above
    """An HTML page with an error status: 400 or 405."""

    def __init__(self, status: int) -> None:
        """Keep the status."""
        super().__init__(str(status))
        self.status = status


class Dropped(Exception):  # noqa: N818 -- as above
    """The handler crashed: the connection is closed without an answer."""


def not_found() -> Refusal:
    """No such thing."""
    return Refusal(404, "Resource not found")


def not_owner() -> Refusal:
    """Signed in, but it belongs to somebody else: 404, not 403."""
    return Refusal(404, {"message": "Resource not found."})


def invalid(place: str, problems: Problems) -> Refusal:
    """Fields that do not fit; `place` is `json`, `query`, `form` or `files`."""
    return Refusal(422, {place: problems})
