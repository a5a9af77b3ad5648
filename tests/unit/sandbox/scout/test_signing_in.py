"""Tokens and accounts beyond what the recording shows."""

from typing import Any

import orjson
import pytest

from flyball.sandbox.scout.errors import TokenRefusal
from flyball.sandbox.scout.tokens import make_token, read_header
from unit.sandbox.scout.lab import NOW, ScoutLab, read


def sign_in(lab: ScoutLab, name: str = "ada") -> str:
    """The header after signing in over the API."""
    body = {"email": f"{name}@example.org", "password": f"scout-{name}"}
    return f"JWT {lab.done('POST', '/auth', body, user=None)['access_token']}"


def test_a_token_lives_as_long_as_the_habits_say(lab: ScoutLab) -> None:
    """It is good until its last second, and then refused in the words that tell a client to sign in again."""
    lab.scout.habits.change({"token_s": 5})
    header = sign_in(lab)
    lab.later(4.5)
    assert lab.get("/user", user=None, header=header)["user_name"] == "ada"
    lab.later(1)
    reply = lab.ask("GET", "/user", header=header)
    assert (reply.status, read(reply)) == (
        401,
        {"description": "Signature has expired", "error": "Invalid token", "status_code": 401},
    )
    assert lab.get("/user", user=None, header=sign_in(lab))["user_name"] == "ada"


@pytest.mark.parametrize(
    ("header", "description"),
    [
        (None, "Request does not contain an access token"),
        ("Basic x", "Unsupported authorization type"),
        ("JWT", "Token missing"),
        ("JWT a b", "Token contains spaces"),
        ("JWT a.b", "Not enough segments"),
        ("JWT a.b.c.d", "Too many segments"),
        ("JWT e30.e30.e30", "The specified alg value is not allowed"),
        ("JWT W10.e30.e30", "Invalid header string: must be a json object"),
        ("JWT a.e30.e30", "Invalid header padding"),
    ],
)
def test_refused_headers(header: str | None, description: str) -> None:
    """Every way to be wrong has its own words."""
    with pytest.raises(TokenRefusal) as refused:
        read_header("secret", header, NOW)
    assert refused.value.description == description


def test_a_token_of_another_server() -> None:
    """The signature is checked."""
    with pytest.raises(TokenRefusal, match="Signature verification failed"):
        read_header("mine", f"JWT {make_token('theirs', 1, NOW, 60)}", NOW)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 401),
        (b"nonsense", "application/json", 400),
        (b'{"email": "ada@example.org", "password": "scout-ada"}', "application/octet-stream", 0),
        (b"", "", 0),
    ],
    ids=["empty", "broken", "undeclared", "none"],
)
def test_strange_credentials(lab: ScoutLab, body: bytes, kind: str, status: int) -> None:
    """Nothing in them is refused, broken JSON is answered with a page, and what is not said to be JSON crashes."""
    assert lab.ask("POST", "/auth", body, user=None, content_type=kind).status == status


def test_accounts_that_are_not_open(lab: ScoutLab) -> None:
    """They get a token; what it opens is refused with a message, which a new token will not change."""
    header = sign_in(lab, "new")
    assert lab.refused("GET", "/user", header=header) == (401, "Your account has not been confirmed.")
    next(u for u in lab.scout.users.values() if u.user_name == "ada").disabled = True
    assert lab.refused("GET", "/user") == (401, "Your account has been disabled.")


def test_hidden_addresses(lab: ScoutLab) -> None:
    """Who does not want to be written to shows no address."""
    assert lab.get("/user/adelavega", user=None)["email"] == "HIDDEN"
    assert {user["email"] for user in lab.get("/users", user=None)} >= {"HIDDEN", "ada@example.org"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/analyses"),
        ("PUT", "/analyses/ncfxs"),
        ("DELETE", "/analyses/ncfxs"),
        ("POST", "/analyses/ncfxs/fill"),
        ("POST", "/analyses/ncfxs/clone"),
        ("POST", "/analyses/ncfxs/compile"),
        ("POST", "/predictors/collection"),
        ("GET", "/user/myanalyses"),
        ("GET", "/user/predictors"),
        ("GET", "/user/collections"),
        ("PUT", "/user"),
    ],
)
def test_what_needs_a_token(lab: ScoutLab, method: str, path: str) -> None:
    """Changing needs one, and so does everything of one's own."""
    reply = lab.ask(method, path, {"dataset_id": 9}, user=None)
    assert (reply.status, read(reply)["error"]) == (401, "Authorization Required")


@pytest.mark.parametrize("path", ["", "/full", "/resources", "/compile", "/upload", "/bibliography"])
def test_what_everybody_can_read(lab: ScoutLab, path: str) -> None:
    """Private drafts are open to whoever knows the id, but in no list."""
    assert lab.ask("GET", f"/analyses/ncfxs{path}", user=None).status == 200
    listed: list[Any] = lab.get("/analyses", user=None)
    assert "ncfxs" not in {row["hash_id"] for row in listed}
    assert orjson.dumps(listed).count(b'"PASSED"') == len(listed)
