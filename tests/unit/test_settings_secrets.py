"""Secrets in the settings: where they may stand, where they come from, and that no message repeats them."""

from pathlib import Path

import pytest

from flyball.model.errors import ConfigError
from flyball.settings import FlywheelSite
from flyball.settings.literals import host_of_key
from unit.settings_kit import LOCAL, load, wrong


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An empty config folder."""
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "sites: {m: {api_key: 'lab.example.org:hunter2-key'}}",
        "sites: {m: {api_key: 'https://lab.example.org:443:hunter2-key'}}",
        "sites: {m: {kind: neuroscout, email: a@b, password: hunter2}}",
        LOCAL + "store: postgresql://u:hunter2@db.example.org/x",
        LOCAL + "http: {host: 0.0.0.0, token: hunter2}",
        LOCAL + "http: {host: 0.0.0.0}\nhooks: {lab: {secret: hunter2}}",
        LOCAL + "channels: {a: {kind: slack, url: 'https://hooks.example.org/hunter2'}}",
        LOCAL + "channels: {a: {kind: webhook, url: 'https://u:hunter2@example.org/x'}}",
        LOCAL + "channels: {a: {kind: webhook, url: 'https://example.org/x', secret: hunter2}}",
        LOCAL + "channels: {a: {kind: email, to: [a@b], smtp: 'smtp://u:hunter2@mail.example.org'}}",
        LOCAL + "heartbeat: {url: 'https://hc.example.org/hunter2'}",
    ],
)
def test_literal_secrets_are_refused(config: Path, text: str) -> None:
    """A secret in the file would end up in git. It is not repeated."""
    told = wrong(config, text)
    assert "a secret stands in the file; write env:NAME or file:/path instead" in told[0]
    assert "hunter2" not in "\n".join(told)


@pytest.mark.parametrize(
    "text",
    [
        "sites: {m: {api_key: 'localhost:80:__force_insecure:hunter2'}}",
        "sites: {m: {api_key: 'http://[::1]:8080:hunter2'}}",
        "sites: {m: {kind: neuroscout, url: 'http://127.0.0.1:9/api', email: a@b, password: hunter2}}",
        LOCAL + "http: {token: hunter2}\nhooks: {lab: {secret: hunter2}}",
        LOCAL + "channels: {a: {kind: webhook, url: 'http://127.0.0.1:9/x', secret: hunter2}}",
        LOCAL + "channels: {a: {kind: webhook, url: 'https://example.org/x'}}",
        LOCAL + "channels: {a: {kind: email, to: [a@b], smtp: 'smtp://mail.example.org'}}",
    ],
)
def test_literals_that_may_stand_in_the_file(config: Path, text: str) -> None:
    """What stays on this machine guards nothing, and an address without credentials is no secret."""
    assert load(config, text).sites


def test_literal_secrets_may_come_from_the_environment(config: Path) -> None:
    """The environment is not in git, also where the file has a value that it replaces."""
    environment = {"FLYBALL_SITES__MAIN__API_KEY": "lab.example.org:a-real-key"}
    assert load(config, LOCAL, environment).sites
    assert load(config, "sites: {main: {api_key: 'lab.example.org:old-key'}}", environment).sites


def test_secret_files(config: Path, tmp_path: Path) -> None:
    """A secret from a file, as Docker and Kubernetes mount them."""
    (tmp_path / "flywheel").write_text("lab.example.org:from-a-file\n")
    settings = load(config, f"sites: {{main: {{api_key: 'file:{tmp_path}/flywheel'}}}}")
    assert "from-a-file" in settings.secret_values()


def test_no_message_tells_what_a_reference_gave(config: Path) -> None:
    """A secret that lands in the wrong place is not printed for it."""
    told = wrong(config, LOCAL + "http: {port: env:KEY}\nlog: {level: env:KEY}\n", {"KEY": "hunter2"})
    assert [line.split(": ", 1)[1] for line in told] == [
        "`port` must be a whole number",
        "`level`: it is not one of debug, info, warning, error",
    ]
    told = wrong(config, LOCAL, {"FLYBALL_HTTP": "{port: 1, token: [hunter2]}"})
    assert "hunter2" not in "\n".join(told)


def test_optional_references(config: Path) -> None:
    """`env:NAME?` that is not set leaves the default; empty keys do the same."""
    settings = load(config, LOCAL + "store: env:STORE?\nhttp: {token: env:TOKEN?}\nhooks:\nlog:\n")
    assert settings.embedded
    assert settings.http.token is None


def test_login_of_the_command_line_program(config: Path, tmp_path: Path) -> None:
    """A site without a key uses Flywheel's own login file, whose key is masked like any other."""
    login = tmp_path / ".config" / "flywheel" / "user.json"
    login.parent.mkdir(parents=True)
    login.write_text('{"key": "lab.example.org:from-the-login"}')
    settings = load(config, "sites: {main: {kind: flywheel}}", {"HOME": str(tmp_path)})
    site = settings.sites["main"]
    assert isinstance(site, FlywheelSite)
    assert site.api_key is not None
    assert site.api_key.get_secret_value() == "lab.example.org:from-the-login"
    assert "from-the-login" in settings.secret_values()
    assert settings.config_dir == config


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the site `main` has no `api_key`, and there is no login in {home}/.config/flywheel/user.json either;"),
        ("nonsense", "{home}/.config/flywheel/user.json is no JSON; log in again with Flywheel's command line program"),
        ('{"key": ""}', "{home}/.config/flywheel/user.json holds no key; log in again"),
        ("[]", "{home}/.config/flywheel/user.json holds no key; log in again"),
    ],
)
def test_no_usable_login(config: Path, tmp_path: Path, content: str | None, message: str) -> None:
    """Neither key nor login: the site is named, and both remedies."""
    login = tmp_path / ".config" / "flywheel" / "user.json"
    login.parent.mkdir(parents=True)
    if content is not None:
        login.write_text(content)
    (told,) = wrong(config, "sites: {main: {kind: flywheel}}", {"HOME": str(tmp_path)})
    assert message.format(home=tmp_path) in told
    assert "no home folder" in wrong(config, "sites: {main: {kind: flywheel}}")[0]


def test_the_form_of_keys_is_checked_by_whoever_knows_it(config: Path) -> None:
    """The client's own check of a key is told at the key's place, without the key."""

    def check(key: str) -> None:
        raise ConfigError("this key names no host")

    told = wrong(config, "sites: {main: {api_key: env:KEY}}", {"KEY": "hunter2"}, check_key=check)
    assert told == ["flyball.yaml:1:25: `api_key`: this key names no host"]


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("host:key", "host"),
        ("host:443:key", "host"),
        ("host:80:__force_insecure:key", "host"),
        ("https://host:443:key", "host"),
        ("scitran-user http://host/api:80:key", "host"),
        ("[::1]:80:key", "::1"),
        ("", ""),
    ],
)
def test_hosts_of_keys(key: str, host: str) -> None:
    """The host in a key of any form."""
    assert host_of_key(key) == host


def test_what_a_variable_says_otherwise_need_not_be_there(config: Path) -> None:
    """A reference of the file that leads nowhere is no problem where the environment has the value."""
    text = "sites: {main: {api_key: env:KEY}}\nhttp: {token: file:/nowhere/at/all}"
    settings = load(config, text, {"FLYBALL_SITES__MAIN__API_KEY": "host:key", "FLYBALL_HTTP__TOKEN": "x" * 40})
    site = settings.sites["main"]
    assert isinstance(site, FlywheelSite)
    assert site.api_key is not None
    assert site.api_key.get_secret_value() == "host:key"
    assert "KEY" in wrong(config, text, {"FLYBALL_HTTP__TOKEN": "x" * 40})[0]
