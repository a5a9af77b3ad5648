"""Addresses of databases, `postgresql://…`: how they are shown, what they may say, what is secret in them. Pure."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

SCHEMES = ("postgresql", "postgres")


def is_address(text: str) -> bool:
    """Whether a text is the address of a PostgreSQL database, as far as its beginning shows it."""
    return text.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def shown(address: str) -> str:
    """The address for people: without its password, and without the parameters behind it."""
    parts = urlsplit(address)
    host = parts.netloc.rsplit("@", 1)[-1]
    user = (parts.username or "") + "@" if parts.username else ""
    elsewhere = parse_qs(parts.query).get("host", [])
    if not host and elsewhere:
        host = quote(elsewhere[0], safe="/:.,[]")
        return f"postgresql://{user}{parts.path}?host={host}"
    return urlunsplit(("postgresql", user + host, parts.path, "", ""))


def fault_of(address: str) -> str | None:
    """What is wrong with the form of an address, without repeating it; None when nothing is."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return "the address has no proper form; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    if not parts.path.strip("/"):
        return "the address names no database; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    return None


def passwords_in(address: str) -> list[str]:
    """What must not be shown of an address: its password, as it stands and as it is meant, and the whole with it."""
    parts = urlsplit(address)
    found = parse_qs(parts.query).get("password", [])
    if parts.password:
        found += [parts.password, unquote(parts.password)]
    return [address, *found] if found else []
