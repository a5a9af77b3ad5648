"""Requests and replies as values, and the table of addresses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from flyball.sandbox.access import User, require
from flyball.sandbox.errors import Refusal, invalid, not_found
from flyball.sandbox.query import Query
from flyball.sandbox.shapes import Look
from flyball.sandbox.state import PLURALS, SINGULARS, Site
from flyball.sandbox.tables import Doc


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body."""

    name: str
    filename: str | None
    content_type: str | None
    content: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A request below `/api`; path segments are percent-decoded, header names in lower case."""

    method: str
    segments: list[str]
    query: Query = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: list[Part] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `chunks` win over `raw` bytes, and these over the JSON `body`."""

    status: int = 200
    body: Any = None
    raw: bytes | None = None
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    chunks: Iterable[bytes] | None = None
    """A body too large to be held at once."""
    length: int = 0
    """How many bytes the chunks have."""


EMPTY = Reply(raw=b"", content_type="text/html; charset=utf-8")
"""What the site answers where it has nothing to say (live19)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request with its user and the values of its address."""

    site: Site
    user: User
    request: Request
    args: dict[str, str]

    @property
    def query(self) -> Query:
        """The query parameters, each a list."""
        return self.request.query

    def flag(self, name: str) -> bool:
        """Whether a boolean query parameter is true."""
        return self.query.get(name, [""])[-1].lower() in {"true", "1"}

    def feature(self, name: str) -> bool:
        """Whether the client accepts a feature (any letter case, found as a part of the list; K19)."""
        return name in self.request.headers.get("x-accept-feature", "").lower()

    def json(self) -> Any:
        """The body as JSON; None without one.

        Raises:
            Refusal: 400.
        """
        if not self.request.body:
            return None
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            raise invalid(400, f"Body is no JSON: {error}") from error

    def json_map(self) -> Doc:
        """The body as a JSON object.

        Raises:
            Refusal: 400.
        """
        body = self.json()
        if not isinstance(body, dict):
            raise invalid(400, f"{body!r} is not of type 'object'")
        return body

    def target(self) -> tuple[str, Doc]:
        """The container of the address, if the user may do this to it.

        Raises:
            Refusal: 403 or 404.
        """
        plural, own = self.args["c"], self.args["id"]
        if plural == "containers":
            found = self.site.find(own)
            if found is None:
                raise Refusal(404, f"No container {own} found")
            level, doc = found
        else:
            level = SINGULARS[plural]
            doc = self.site.get(level, own)
        require(self.site, self.user, level, doc, self.request.method)
        return level, doc

    def require_reason(self) -> None:
        """A site with an audit trail wants to know why something is deleted.

        Raises:
            Refusal: 400 without one of its reasons.
        """
        if self.site.speech.audit_trail and self.query.get("delete_reason", [""])[-1] not in REASONS:
            raise invalid(400, f"Need to have delete reason, one of: {', '.join(REASONS)}")

    def refuse_patch(self) -> None:
        """The site of 2019 takes changes of info by POST alone (live19).

        Raises:
            Refusal: 501 for PATCH, where the site has none.
        """
        if self.request.method == "PATCH" and not self.site.speech.info_patch:
            raise Refusal(501, "The request method PATCH is not implemented for this server.")

    def look(self, *, single: bool) -> Look:
        """How the answer is to look."""
        return Look(
            single=single,
            info=self.flag("include_all_info") and self.site.speech.include_all_info,
            inflate_job=self.flag("inflate_job"),
            slim=self.feature("slim-containers"),
            exclude_files=self.feature("exclude-files"),
        )


REASONS = (
    "duplicate_data",
    "data_is_not_part_of_study",
    "data_incomplete_or_corrupt",
    "data_structured_incorrectly",
    "data_has_been_exported_or_moved",
    "container_is_empty",
    "analysis_or_processing_failed_or_cancelled",
    "compliance_consent_withdrawn",
    "compliance_phi",
    "compliance_data_policy",
    "test_data",
    "packfile_cleanup",
)
"""Why something may be deleted on a site with an audit trail."""

Handler = Callable[[Call], Reply]


class Addresses:
    """Patterns such as `/{c}/{id}/tags/{tag}`; `{c}` stands for the containers' plural names."""

    def __init__(self) -> None:
        """No addresses yet."""
        self._root: dict[str, Any] = {}

    def add(self, method: str, pattern: str, handler: Handler, only: tuple[str, ...] = ()) -> None:
        """Register a handler; `only` limits what `{c}` stands for."""
        parts = pattern.strip("/").split("/")
        if "{c}" in parts:
            for name in only or (*PLURALS.values(), "containers"):
                fixed = [name if part == "{c}" else part for part in parts]
                self._put(method, fixed, handler, {"c": name})
        else:
            self._put(method, parts, handler, {})

    def _put(self, method: str, parts: list[str], handler: Handler, fixed: dict[str, str]) -> None:
        node = self._root
        names: list[str] = []
        for part in parts:
            if part.startswith("{"):
                names.append(part[1:-1])
                node = node.setdefault("*", {})
            else:
                node = node.setdefault(part, {})
        node.setdefault("/", {})[method] = (handler, names, fixed)

    def find(self, method: str, segments: list[str]) -> tuple[Handler, dict[str, str]]:
        """The handler of an address with the values found in it.

        Raises:
            Refusal: 404, or 501 for a method that the address does not have (live19).
        """
        leaf, values = self._walk(self._root, segments, 0, ())
        if leaf is None:
            raise not_found()
        if method not in leaf:
            raise Refusal(501, f"The request method {method} is not implemented for this server.")
        handler, names, fixed = leaf[method]
        return handler, {**fixed, **dict(zip(names, values, strict=True))}

    def _walk(
        self, node: dict[str, Any], segments: list[str], at: int, values: tuple[str, ...]
    ) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        if at == len(segments):
            return node.get("/"), values
        segment = segments[at]
        if segment in node and segment not in {"*", "/"}:
            leaf, found = self._walk(node[segment], segments, at + 1, values)
            if leaf is not None:
                return leaf, found
        if "*" in node:
            return self._walk(node["*"], segments, at + 1, (*values, segment))
        return None, values
