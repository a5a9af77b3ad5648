"""One request to the emulated Neuroscout server with what its handlers ask of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from flyball.sandbox.api.call import Part, Reply, Request
from flyball.sandbox.scout.errors import Dropped, Page, Refusal, TokenRefusal, invalid, not_owner
from flyball.sandbox.scout.fields import Spec, read_body, read_query
from flyball.sandbox.scout.records import Analysis, User
from flyball.sandbox.scout.state import Scout
from flyball.sandbox.scout.tokens import read_header

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
_OPEN = {"Access-Control-Allow-Origin": "*"}
_HTML = "text/html; charset=utf-8"
APP = b'<!doctype html><html><head><title>Neuroscout</title></head><body><div id="root"></div></body></html>\n'
"""The web page, which answers wherever no address of the API does."""

_PAGES = {
    400: ("Bad Request", "The browser (or proxy) sent a request that this server could not understand."),
    405: ("Method Not Allowed", "The method is not allowed for the requested URL."),
}


def json_reply(body: Any, status: int = 200) -> Reply:
    """JSON as the server writes it: keys sorted, a newline at the end, no charset in the type."""
    return Reply(status, raw=orjson.dumps(body, option=_OPTIONS), content_type="application/json", headers=dict(_OPEN))


def web_page() -> Reply:
    """The single-page application, with 200."""
    return Reply(raw=APP, content_type=_HTML, headers={**_OPEN, "Cache-Control": "public, max-age=43200"})


def error_page(status: int) -> Reply:
    """The web framework's own page for an error."""
    title, text = _PAGES[status]
    start = '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">'
    page = f"{start}\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    return Reply(status, raw=page.encode(), content_type=_HTML, headers=dict(_OPEN))


@dataclass(frozen=True, slots=True)
class Call:
    """A request with the server and the values of its address."""

    scout: Scout
    request: Request
    args: dict[str, str]

    def user(self) -> User:
        """Who is signed in.

        Raises:
            TokenRefusal: 401 for anything about the token.
            Refusal: 401 for an account that is not confirmed or disabled.
        """
        own = read_header(self.scout.secret, self.request.headers.get("authorization"), self.scout.now)
        user = self.scout.users.get(own)
        if user is None:
            raise TokenRefusal("Invalid JWT", "User does not exist")
        if user.disabled:
            raise Refusal(401, "Your account has been disabled.")
        if not user.confirmed:
            raise Refusal(401, "Your account has not been confirmed.")
        return user

    def number(self, name: str = "id") -> int:
        """A number in the address."""
        return int(self.args[name])

    def query(self, spec: Spec) -> dict[str, Any]:
        """The query's values.

        Raises:
            Refusal: 422.
        """
        return read_query(self.request.query, spec)

    @property
    def declares_json(self) -> bool:
        """Whether the body is said to be JSON."""
        return "application/json" in self.request.headers.get("content-type", "")

    def body(self) -> dict[str, Any]:
        """The JSON body; empty for none, and for a body that is not declared as JSON.

        Raises:
            Page: 400 for broken JSON.
        """
        if not self.declares_json or not self.request.body:
            return {}
        try:
            value = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            raise Page(400) from error
        if not isinstance(value, dict):
            raise invalid("json", {"_schema": ["Invalid input type."]})
        return value

    def json(self, spec: Spec) -> dict[str, Any]:
        """The values of a JSON body.

        Raises:
            Page: 400 for broken JSON.
            Refusal: 422.
        """
        return read_body(self.body(), spec)

    def parts(self, name: str) -> list[Part]:
        """The parts of a multipart body under a name."""
        return [part for part in self.request.parts or [] if part.name == name]

    def form(self, name: str) -> list[str]:
        """The text fields of a form under a name."""
        return [p.content.decode("utf-8", "replace") for p in self.parts(name) if p.filename is None]

    def analysis(self) -> Analysis:
        """The analysis of the address.

        Raises:
            Refusal: 404.
        """
        return self.scout.analysis(self.args["hash"])

    def own_analysis(self) -> Analysis:
        """The analysis of the address, if it is the user's.

        Raises:
            TokenRefusal: 401.
            Refusal: 404, with another shape if it belongs to somebody else.
        """
        user = self.user()
        row = self.analysis()
        if row.owner != user.id:
            raise not_owner()
        return row


Handler = Callable[[Call], Reply]


class Addresses:
    """Patterns such as `/analyses/{hash}/compile`; `{id}` takes digits only, other names any text."""

    def __init__(self) -> None:
        """No addresses yet."""
        self._by_length: dict[int, list[tuple[list[str], dict[str, Handler]]]] = {}

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Register a handler; patterns are tried in the order in which they came."""
        parts = pattern.strip("/").split("/")
        known = self._by_length.setdefault(len(parts), [])
        for other, handlers in known:
            if other == parts:
                handlers[method] = handler
                return
        known.append((parts, {method: handler}))

    def find(self, method: str, segments: list[str]) -> tuple[Handler, dict[str, str]] | None:
        """The handler of an address, for HEAD that of GET; None where the web page answers.

        Raises:
            Page: 405 for a method that nothing takes there.
        """
        method = "GET" if method == "HEAD" else method
        for parts, handlers in self._by_length.get(len(segments), []):
            args = _match(parts, segments)
            if args is not None and method in handlers:
                return handlers[method], args
        if method == "GET":
            return None
        raise Page(405)


def _match(parts: list[str], segments: list[str]) -> dict[str, str] | None:
    args: dict[str, str] = {}
    for part, segment in zip(parts, segments, strict=True):
        if part.startswith("{"):
            if not segment or (part == "{id}" and not segment.isdecimal()):
                return None
            args[part[1:-1]] = segment
        elif part != segment:
            return None
    return args


def crash() -> Dropped:
    """The handler meets something that it does not expect."""
    return Dropped()
