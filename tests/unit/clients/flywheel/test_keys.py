"""API keys in every spelling, and errors that give nothing away."""

from __future__ import annotations

import copy
import pickle

import pytest

from flyball.clients.flywheel.keys import Secret, parse_key
from flyball.model.errors import ConfigError

BEARER = "a" * 57


@pytest.mark.parametrize(
    ("text", "base_url"),
    [
        ("site.example.org:KEY9", "https://site.example.org/api"),
        ("site.example.org:443:KEY9", "https://site.example.org/api"),
        ("site.example.org:8443:KEY9", "https://site.example.org:8443/api"),
        ("127.0.0.1:8080:__force_insecure:KEY9", "http://127.0.0.1:8080/api"),
        ("127.0.0.1:80:__force_insecure:KEY9", "http://127.0.0.1/api"),
        ("site.example.org:8443:whatever:KEY9", "https://site.example.org:8443/api"),
        ("site.example.org:8443:whatever:__force_insecure:KEY9", "http://site.example.org:8443/api"),
        ("https://site.example.org:KEY9", "https://site.example.org/api"),
        ("http://site.example.org:KEY9", "http://site.example.org/api"),
        ("http://site.example.org:8080:KEY9", "http://site.example.org:8080/api"),
        ("HTTPS://Site.Example.org:KEY9", "https://site.example.org/api"),
        ("https://site.example.org/api:KEY9", "https://site.example.org/api"),
        ("https://site.example.org/:KEY9", "https://site.example.org/api"),
        ("https://site.example.org:8443/api:KEY9", "https://site.example.org:8443/api"),
        ("bearer site.example.org:KEY9", "https://site.example.org/api"),
        ("Bearer https://site.example.org:KEY9", "https://site.example.org/api"),
        ("scitran-user site.example.org:KEY9", "https://site.example.org/api"),
        ("  site.example.org:KEY9\n", "https://site.example.org/api"),
        ("localhost:8080:__force_insecure:KEY9", "http://localhost:8080/api"),
        ("[::1]:8080:__force_insecure:KEY9", "http://[::1]:8080/api"),
        ("https://[fe80::1]:KEY9", "https://[fe80::1]/api"),
    ],
)
def test_every_spelling_gives_the_address_and_the_key(text: str, base_url: str) -> None:
    """The official SDK's grammar and the laxer one."""
    credentials = parse_key(text)
    assert credentials.base_url == base_url
    assert credentials.secret.reveal() == "KEY9"
    assert credentials.authorization() == "scitran-user KEY9"


@pytest.mark.parametrize(("length", "scheme"), [(57, "Bearer"), (56, "scitran-user"), (58, "scitran-user")])
def test_only_a_key_of_57_characters_is_a_bearer_token(length: int, scheme: str) -> None:
    """As the official SDK decides it."""
    credentials = parse_key(f"scitran-user site.example.org:{'a' * length}")
    assert credentials.authorization() == f"{scheme} {'a' * length}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("bearer ", "is empty|names no host"),
        ("SECRETSECRET", "names no host"),
        ("https://SECRETSECRET", "names no host"),
        ("site.example.org:", "is empty"),
        (":SECRETSECRET", "does not begin with a host"),
        ("site.example.org:8080", "ends after the port"),
        ("site.example.org:notaport:SECRETSECRET", "port is not a number"),
        ("site.example.org:70000:SECRETSECRET", "port is not a number"),
        ("site.example.org:0:SECRETSECRET", "port is not a number"),
        ("site.example.org::SECRETSECRET", "port is not a number"),
        ("site.example.org:__force_insecure:SECRETSECRET", "lacks the port"),
        ("site example:SECRETSECRET", "does not begin with a host"),
        ("user@site.example.org:SECRETSECRET", "does not begin with a host"),
        ("site.example.org/other:SECRETSECRET", "does not begin with a host"),
        ("site.example.org:SECRET SECRET", "blanks"),
        ("site.example.org:SECRET\r\nX-Evil: 1", "blanks|port"),
        ("site.example.org:443:SECRÉT", "blanks or unprintable"),
        ("[::1:SECRETSECRET", "no IPv6"),
        ("[SECRET]:1:SECRETSECRET", "no IPv6"),
    ],
)
def test_a_broken_key_is_refused_and_no_part_of_it_repeated(text: str, complaint: str) -> None:
    """Whoever swaps host and key must not find the key in a log."""
    with pytest.raises(ConfigError, match=complaint) as caught:
        parse_key(text)
    shown = str(caught.value) + repr(caught.value)
    assert "SECR" not in shown
    assert "site.example" not in shown
    assert caught.value.__cause__ is None or "SECR" not in str(caught.value.__cause__)


def test_a_secret_does_not_show_itself() -> None:
    """Not in text, formatting, containers, credentials or pickles; equality still works."""
    credentials = parse_key(f"site.example.org:{BEARER}")
    shown = [
        repr(credentials),
        str(credentials),
        f"{credentials.secret}",
        f"{credentials.secret!r}",
        format(credentials.secret),
    ]
    assert all(BEARER not in text for text in shown)
    assert BEARER not in repr({"x": [credentials]})
    assert credentials.secret == Secret(BEARER)
    assert len({Secret("x"), Secret("x")}) == 1
    with pytest.raises(TypeError):
        pickle.dumps(credentials.secret)
    assert copy.deepcopy(credentials) == credentials


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("localhost.org", False),
    ],
)
def test_loopback_is_told_from_the_network(host: str, loopback: bool) -> None:
    """Only there may a key stand in a file."""
    assert parse_key(f"{host}:8080:__force_insecure:KEY9").is_loopback is loopback
