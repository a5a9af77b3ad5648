"""`post`: sends signed JSON to an address of the lab's, once for what it says.

At least once: an attempt is stored before the message leaves, and after an unclear end it is sent again with the same
`X-Flyball-Once-Key`, so that the receiver can tell. The address is the rule's or comes from the environment; no label
of the site has a say in it, and redirects are not followed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import Field

from flyball.effects.common import Entry, Params, reads_of
from flyball.effects.lending import lent
from flyball.effects.port import Hands
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Permanent
from flyball.rules.catalog import Compiler, Fault, PathInFile
from flyball.rules.expression import Expression
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

DEEPEST: Final = 8
Body = Mapping[str, Any]


class PostParams(Params):
    """Parameters of `post`."""

    url: str = Field(min_length=1, description="`env:NAME`, or an address; no template.")
    secret: str | None = Field(default=None, description="`env:NAME`: signs the body (`X-Hub-Signature-256`).")
    body: dict[str, Any] = Field(default_factory=dict, description="JSON; its texts are templates.")


@dataclass(frozen=True, slots=True)
class PostEntry(Entry):
    """A compiled `post` entry.

    Attributes:
        secret_names: variables whose values must not appear anywhere.
    """

    url: str
    secret: str | None
    body: Body
    secret_names: tuple[str, ...]

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`."""
        return Entry.because(self, moment)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One message for the target and what it says."""
        target = moment.document.target
        want = self.want(moment)
        body = _filled(self.body, moment.context.names) if want is Verdict.YES else {}
        key = once_key("post", moment.rule_id, target.id, self.index, body, moment.generation)
        params = {"url": self.url, "secret": self.secret, "body": body}
        yield Wish(self.kind, want, params, key, f"post to {_shown(self.url)}  {target.path}", f"{self.index}.post")


class Post:
    """The effect kind."""

    name = "post"
    params = PostParams
    over = WhenOver.LEAVE

    def compile(self, params: PostParams, when: Expression | None, index: int, compiler: Compiler) -> PostEntry:
        """Check the address and compile the body."""
        if "{{" in params.url or "{%" in params.url:
            raise Fault(("url",), "no template here: the address must not depend on what a label says")
        if not params.url.startswith("env:") and not _is_address(params.url):
            raise Fault(("url",), "an address begins with http:// or https://; or write env:NAME")
        if params.secret is not None and not params.secret.startswith("env:"):
            raise Fault(("secret",), "a secret is never written here: use env:NAME")
        names = []
        for key, text in (("url", params.url), ("secret", params.secret or "")):
            name = text.removeprefix("env:") if text.startswith("env:") else ""
            names += [name.removesuffix("?")] if name else []
            if name and not name.endswith("?") and name not in compiler.environment:
                raise Fault((key,), f"the environment has no {name}; set it, or write env:{name}?")
        templates: list[Template] = []
        body = _compiled(params.body, compiler, ("body",), templates)
        reads = reads_of(when, *templates)
        return PostEntry(self.name, index, when, reads, params.url, params.secret, body, tuple(names))

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Send it. An unclear end is cleared up by sending it again, with the same key."""
        poster, params = lent(hands.poster, "addresses of the lab's"), effect.params
        if not params.get("wanted", True):
            return Report(Outcome.SUPERSEDED, error="no longer wanted")
        url = hands.secret(params["url"]) if params["url"].startswith("env:") else params["url"]
        if not _is_address(url):
            raise Permanent(f"{_shown(params['url'])} holds no http:// or https:// address")
        message = {"id": effect.once_key, "rule": effect.rule, "target": effect.target.as_json(), **params["body"]}
        content = orjson.dumps(message, option=orjson.OPT_NON_STR_KEYS)
        headers = {"Content-Type": "application/json", "X-Flyball-Once-Key": effect.once_key}
        secret = hands.secret(params["secret"]) if params["secret"] else ""
        if secret:
            digest = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
            headers["X-Hub-Signature-256"] = f"sha256={digest}"
        return Report(Outcome.DONE, {"status": await poster.post(url, content, headers)})


def _is_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _shown(url: str) -> str:
    """An address for people: without what may be a secret in it."""
    return url if url.startswith("env:") else str(urlsplit(url).hostname)


def _compiled(value: Any, compiler: Compiler, path: PathInFile, templates: list[Template]) -> Any:
    if len(path) > DEEPEST:
        raise Fault(path, f"the body is nested more than {DEEPEST} levels deep")
    if isinstance(value, str):
        templates.append(compiler.template(value, path))
        return templates[-1]
    if isinstance(value, Mapping):
        return {str(key): _compiled(item, compiler, (*path, str(key)), templates) for key, item in value.items()}
    if isinstance(value, list):
        return [_compiled(item, compiler, (*path, place), templates) for place, item in enumerate(value)]
    return value


def _filled(value: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(value, Template):
        return value.render(names)
    if isinstance(value, Mapping):
        return {key: _filled(item, names) for key, item in value.items()}
    return [_filled(item, names) for item in value] if isinstance(value, list) else value
