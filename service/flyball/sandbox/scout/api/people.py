"""Signing in, and accounts: `/auth`, `/user`, `/users`."""

from flyball.sandbox.api.call import Reply
from flyball.sandbox.scout import shapes
from flyball.sandbox.scout.api.call import Addresses, Call, crash, json_reply
from flyball.sandbox.scout.errors import Page, Refusal, TokenRefusal, invalid, not_found
from flyball.sandbox.scout.fields import Field, Unfit, boolean, integer, text
from flyball.sandbox.scout.records import User
from flyball.sandbox.scout.searching import visible_predictors
from flyball.sandbox.scout.tokens import make_token

_SHORTEST = 6


def _auth(call: Call) -> Reply:
    """A token for an e-mail address and a password; accounts that are not confirmed get one, too.

    A body that is not declared as JSON crashes the handler.
    """
    if not call.declares_json:
        raise crash()
    if not call.request.body:
        raise Page(400)
    given = call.body()
    user = next((u for u in call.scout.users.values() if u.email == given.get("email")), None)
    if user is None or user.password != given.get("password"):
        raise TokenRefusal("Bad Request", "Invalid credentials")
    user.logins += 1
    token = make_token(call.scout.secret, user.id, call.scout.now, call.scout.habits.token_s)
    return json_reply({"access_token": token})


def _own(call: Call) -> Reply:
    return json_reply(shapes.own_profile(call.user()))


def _password(value: object) -> str:
    password = text(value)
    if len(password) < _SHORTEST:
        raise Unfit(f"Shorter than minimum length {_SHORTEST}.")
    return password


def _email(value: object) -> str:
    email = text(value)
    if "@" not in email:
        raise Unfit("Not a valid email address.")
    return email


def _register(call: Call) -> Reply:
    """A new account; it is not confirmed until somebody does so."""
    spec = {
        "name": Field(text, required=True),
        "email": Field(_email, required=True),
        "password": Field(_password, required=True),
    }
    values = call.json(spec)
    users = call.scout.users
    if any(u.email == values["email"] for u in users.values()):
        raise invalid("json", {"email": ["Email already in use."]})
    name = ".".join(values["name"].lower().split())
    taken = {u.user_name for u in users.values()}
    user_name = next(n for n in (name, *(f"{name}{k}" for k in range(1, len(taken) + 2))) if n not in taken)
    user = User(max(users, default=0) + 1, values["email"], values["password"], values["name"], user_name)
    user.confirmed = False
    users[user.id] = user
    return json_reply(shapes.own_profile(user))


_PROFILE = {
    "name": Field(text, required=True),
    **{n: Field(text) for n in ("institution", "orcid", "personal_site", "picture", "twitter_handle", "user_name")},
    "public_email": Field(boolean),
}


def _edit(call: Call) -> Reply:
    user = call.user()
    values = call.json(_PROFILE)
    if any(u.user_name == values.get("user_name") and u is not user for u in call.scout.users.values()):
        raise Refusal(422, {"user_name": "User name is already in use"})
    for name, value in values.items():
        setattr(user, name, value)
    return json_reply(shapes.own_profile(user))


def _resend(call: Call) -> Reply:
    call.user()
    return json_reply({"message": "User is already confirmed"})


def _users(call: Call) -> Reply:
    return json_reply([shapes.public_profile(u) for u in call.scout.users.values()])


def _by_name(call: Call) -> User:
    row = next((u for u in call.scout.users.values() if u.user_name == call.args["name"]), None)
    if row is None:
        raise not_found()
    return row


def _user(call: Call) -> Reply:
    row = _by_name(call)
    return json_reply({**shapes.public_profile(row), "first_login": row.logins <= 1})


def _own_analyses(call: Call) -> Reply:
    """All own analyses in every status."""
    user = call.user()
    rows = [a for a in call.scout.analyses.values() if a.owner == user.id]
    return json_reply([shapes.summary(call.scout, row) for row in rows])


def _public_analyses(call: Call) -> Reply:
    user = _by_name(call)
    rows = [a for a in call.scout.analyses.values() if a.owner == user.id and a.status == "PASSED" and not a.private]
    return json_reply([shapes.summary(call.scout, row) for row in rows])


def _own_predictors(call: Call) -> Reply:
    user = call.user()
    values = call.query({"run_id": Field(integer, many=True), "name": Field(text, many=True), "newest": Field(boolean)})
    rows = visible_predictors(
        call.scout,
        run_ids=values.get("run_id"),
        names=values.get("name"),
        newest=values.get("newest", True),
        owner=user.id,
    )
    return json_reply([shapes.predictor(row) for row in rows])


def _own_collections(call: Call) -> Reply:
    user = call.user()
    rows = [c for c in call.scout.collections.values() if c.owner == user.id]
    return json_reply([shapes.collection(call.scout, row) for row in rows])


def routes(addresses: Addresses) -> None:
    """Register the addresses."""
    addresses.add("POST", "/auth", _auth)
    addresses.add("GET", "/user", _own)
    addresses.add("POST", "/user", _register)
    addresses.add("PUT", "/user", _edit)
    addresses.add("GET", "/users", _users)
    addresses.add("GET", "/user/myanalyses", _own_analyses)
    addresses.add("GET", "/user/predictors", _own_predictors)
    addresses.add("GET", "/user/collections", _own_collections)
    addresses.add("POST", "/user/resend_confirmation", _resend)
    addresses.add("GET", "/user/{name}", _user)
    addresses.add("GET", "/user/{name}/analyses", _public_analyses)
