"""Settings: file, environment, secrets, and what is said of mistakes."""

from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic import ValidationError

from flyball.configfile.yaml import read_yaml
from flyball.model.errors import ConfigError
from flyball.settings import FlywheelSite, NeuroscoutSite, Settings, load_settings, settings_schema
from unit.checker import complaints
from unit.settings_kit import KEY, LOCAL, load, wrong


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An empty config folder."""
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


EXAMPLE = """
    sites:
      main:  {kind: flywheel, api_key: "env:FLYWHEEL_API_KEY", poll: {every: 30s, overlap: 2m, sweep: 24h}, limits: {concurrency: 16, per_second: 50}}
      scout: {kind: neuroscout, url: "https://neuroscout.org/api", email: "env:NEUROSCOUT_EMAIL", password: "env:NEUROSCOUT_PASSWORD"}
    store: embedded            # or postgresql://…
    data: var                  # ledger (embedded), downloads, reports
    http: {host: 127.0.0.1, port: 8080, token: "env:FLYBALL_TOKEN"}
    hooks: {lab: {secret: "env:FLYBALL_HOOK_LAB"}}
    channels: {lab: {kind: slack, url: "env:SLACK_URL", digest: "07:30"}, ops: {kind: email, to: [ops@example.org], smtp: "env:SMTP_URL", min_severity: error}}
    fields_out: [subject.label, session.label, acquisition.label]   # what may leave in messages
    heartbeat: {url: "env:HEARTBEAT_URL", every: 5m}
"""
EXAMPLE_ENVIRONMENT = {
    "FLYWHEEL_API_KEY": "lab.example.org:the-flywheel-key",
    "NEUROSCOUT_EMAIL": "me@example.org",
    "NEUROSCOUT_PASSWORD": "the-scout-password",
    "FLYBALL_TOKEN": "the-token",
    "FLYBALL_HOOK_LAB": "the-hook-secret",
    "SLACK_URL": "https://hooks.slack.example/services/T0/B0/the-slack-part",
    "SMTP_URL": "smtps://bot:the-mail-password@mail.example.org:465",
    "HEARTBEAT_URL": "https://hc.example.org/the-heartbeat-part",
}


def test_the_example_of_the_manual(config: Path) -> None:
    """The settings file that people begin with."""
    settings = load(config, EXAMPLE, EXAMPLE_ENVIRONMENT)
    main, scout = settings.sites["main"], settings.sites["scout"]
    assert isinstance(main, FlywheelSite)
    assert main.api_key is not None
    assert main.api_key.get_secret_value() == "lab.example.org:the-flywheel-key"
    assert (main.poll.every, main.poll.overlap, main.poll.sweep) == (
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(hours=24),
    )
    assert (main.limits.concurrency, main.limits.rate) == (16, 50)
    assert isinstance(scout, NeuroscoutSite)
    assert (scout.url, scout.email) == ("https://neuroscout.org/api", "me@example.org")
    assert settings.embedded
    assert settings.hooks["lab"].secret.get_secret_value() == "the-hook-secret"
    assert settings.site_kinds == {"main": "flywheel", "scout": "neuroscout"}
    assert settings.channel_kinds == {"log": "log", "lab": "slack", "ops": "email"}
    assert settings.fields_out == ("subject.label", "session.label", "acquisition.label")
    assert settings.heartbeat is not None
    assert settings.heartbeat.every == timedelta(minutes=5)


def test_no_secret_shows(config: Path) -> None:
    """Neither `repr` nor `str` nor a JSON dump of the settings tells a secret; the list for masking has them all."""
    settings = load(config, EXAMPLE, EXAMPLE_ENVIRONMENT)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    parts = ("the-flywheel-key", "the-scout-password", "the-token", "the-hook-secret", "the-slack-part")
    for part in (*parts, "the-mail-password", "the-heartbeat-part"):
        assert part not in shown
        assert any(part in value for value in settings.secret_values())
    assert {"the-flywheel-key", "the-mail-password", "/services/T0/B0/the-slack-part"} <= set(settings.secret_values())
    assert "embedded" not in settings.secret_values()


def test_defaults(config: Path) -> None:
    """One key is enough."""
    settings = load(config)
    site = settings.sites["main"]
    assert site.kind == "flywheel"
    assert site.poll.every == timedelta(seconds=30)
    assert (site.unclear_wait.reset, site.unclear_wait.timeout) == (timedelta(seconds=2), timedelta(seconds=60))
    assert (settings.http.host, settings.http.port, settings.http.token) == ("127.0.0.1", 8080, None)
    assert (settings.log.format, settings.log.level) == ("auto", "info")
    assert (settings.hooks, settings.heartbeat) == ({}, None)


def test_folders(config: Path, tmp_path: Path) -> None:
    """`data` is beside the config folder, `rules` inside of it; absolute paths stay."""
    settings = load(config)
    assert settings.data_dir == tmp_path / "var"
    assert settings.rules_dir == config / "rules"
    assert settings.config_dir == config
    moved = load(config, LOCAL + "data: /srv/flyball\nrules: ../lab-rules\n")
    assert moved.data_dir == Path("/srv/flyball")
    assert moved.rules_dir.resolve() == tmp_path / "lab-rules"


def test_settings_cannot_be_changed(config: Path) -> None:
    """What was read stays."""
    settings = load(config)
    with pytest.raises(ValidationError):
        settings.data = "elsewhere"


def test_environment_alone(config: Path) -> None:
    """No file is needed where the environment says all."""
    settings = load(config, None, {"FLYBALL_SITES__MAIN__API_KEY": KEY, "PATH": "/bin"})
    assert settings.site_kinds == {"main": "flywheel"}


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("FLYBALL_HTTP__PORT", "8081", "http.port", 8081),
        ("flyball_http__port", "8081", "http.port", 8081),
        ("FLYBALL_Http__Host", "0.0.0.0", "http.host", "0.0.0.0"),  # noqa: S104 - a container's usual value
        ("FLYBALL_SITES__MAIN__POLL__EVERY", "200ms", "sites.main.poll.every", timedelta(milliseconds=200)),
        ("FLYBALL_SITES__main__LIMITS__PER_SECOND", "0", "sites.main.limits.rate", None),
        ("FLYBALL_SITES__MAIN__UNCLEAR_WAIT", "3s", "sites.main.unclear_wait.timeout", timedelta(seconds=3)),
        ("FLYBALL_SITES__MAIN__UNCLEAR_WAIT__TIMEOUT", "3s", "sites.main.unclear_wait.reset", timedelta(seconds=2)),
        ("FLYBALL_FIELDS_OUT", "subject.label, session.label", "fields_out", ("subject.label", "session.label")),
        ("FLYBALL_FIELDS_OUT", '["subject.label"]', "fields_out", ("subject.label",)),
        ("FLYBALL_LOG", "{format: json, level: debug}", "log.level", "debug"),
        ("FLYBALL_DATA", "", "data", "var"),  # set to nothing is not set
        ("FLYBALL_DATA", "1234", "data", "1234"),
    ],
)
def test_environment_beats_the_file(config: Path, name: str, text: str, path: str, value: Any) -> None:
    """Every key is also a variable, whatever the case of its name."""
    file = LOCAL + "http: {port: 1, host: localhost}\nfields_out: [subject.code]\n"
    found: Any = load(config, file, {name: text})
    for part in path.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == value


def test_case_makes_no_second_entry(config: Path) -> None:
    """`MAIN` in a variable is the file's `main`."""
    assert set(load(config, LOCAL, {"FLYBALL_SITES__MAIN__POLL__EVERY": "5s"}).sites) == {"main"}


def test_channels_from_the_environment(config: Path) -> None:
    """Whole entries can come from variables, with secrets by reference."""
    environment = {
        "FLYBALL_CHANNELS__LAB__KIND": "webhook",
        "FLYBALL_CHANNELS__LAB__URL": "https://example.org/in",
        "FLYBALL_CHANNELS__LAB__SECRET": "env:LAB_SECRET",
        "LAB_SECRET": "signing",
    }
    channel = load(config, LOCAL, environment).channels["lab"]
    assert channel.kind == "webhook"
    assert channel.secret is not None
    assert channel.secret.get_secret_value() == "signing"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"FLYBALL_HTTP_PORT": "80"},
            "FLYBALL_HTTP_PORT: there is no such setting; did you mean `FLYBALL_HTTP__PORT`?",
        ),
        (
            {"FLYBALL_SITES__MAIN__POL__EVERY": "1s"},
            "FLYBALL_SITES__MAIN__POL__EVERY: there is no such setting; did you mean `FLYBALL_SITES__MAIN__POLL__EVERY`?",
        ),
        ({"FLYBALL_TOKEN": "x"}, "FLYBALL_TOKEN: there is no such setting; did you mean"),
        ({"flyball_dta": "x"}, "flyball_dta: there is no such setting; did you mean `FLYBALL_DATA`?"),
        ({"FLYBALL_HTTP__PORT": "x"}, "FLYBALL_HTTP__PORT: `port` must be a whole number, not the text 'x'"),
        (
            {"FLYBALL_HTTP__PORT": "1", "Flyball_http__port": "2"},
            "Flyball_http__port: FLYBALL_HTTP__PORT sets the same; keep one of the two",
        ),
        (
            {"FLYBALL_FIELDS_OUT": "[a"},
            "FLYBALL_FIELDS_OUT: the value is no YAML; this is no YAML: expected ',' or ']'",
        ),
        ({"FLYBALL_SITES__Main!__KIND": "flywheel"}, "FLYBALL_SITES__Main!__KIND: the name `main!` must look like"),
    ],
)
def test_misspelt_variables(config: Path, environment: dict[str, str], message: str) -> None:
    """A variable that means nothing is an error, never passed over."""
    told = wrong(config, LOCAL, environment)
    assert len(told) == 1
    assert told[0].startswith(f"environment variable {message}")


def test_variables_that_are_no_settings(config: Path) -> None:
    """Names that some `env:` refers to, that the caller knows, or that Kubernetes makes for a service."""
    (config / "rules").mkdir()
    (config / "rules" / "a.yaml").write_text("secrets: {k: env:FLYBALL_LICENCE}\n")
    environment = {
        "FLYBALL_LICENCE": "x",
        "FLYBALL_MY_KEY": KEY,
        "FLYBALL_CONFIG": "/etc/flyball",
        "FLYBALL_SERVICE_HOST": "10.0.0.1",
        "FLYBALL_SERVICE_PORT_HTTP": "8080",
        "FLYBALL_PORT": "tcp://10.0.0.1:8080",
        "FLYBALL_PORT_8080_TCP_ADDR": "10.0.0.1",
        "FLYBALL_DB_PORT_5432_TCP": "tcp://10.0.0.2:5432",
    }
    assert load(config, "sites: {main: {api_key: env:FLYBALL_MY_KEY}}", environment, excepted=["FLYBALL_CONFIG"]).sites


def test_kubernetes_names_excuse_nothing_else(config: Path) -> None:
    """`FLYBALL_PORT=8080` is a slip, not a service."""
    assert "FLYBALL_PORT: there is no such setting" in wrong(config, LOCAL, {"FLYBALL_PORT": "8080"})[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sites: {}", "flyball.yaml:1:8: `sites` must not be empty"),
        ("data: x", "flyball.yaml:1:1: the key `sites` is missing (The servers to watch, by name)"),
        ("- a", "flyball.yaml:1:1: the settings are a mapping: write `sites:` and the like"),
        ("sites: [", "flyball.yaml:1:9: this is no YAML:"),
        (LOCAL + "htp: {}", "flyball.yaml:2:1: unknown key `htp`; did you mean `http`?"),
        (LOCAL + "http: {port: 70000}", "flyball.yaml:2:14: `port` must be at most 65535, not the number 70000"),
        (LOCAL + "hooks: {lab: {}}", "flyball.yaml:2:14: the key `secret` is missing (Key of the HMAC-SHA256"),
        (LOCAL + "hooks: {Lab: {secret: x}}", "flyball.yaml:2:9: the name `Lab` must look like ^[a-z][a-z0-9]*$"),
        (LOCAL + "channels: {a: {kind: slck}}", "flyball.yaml:2:22: `kind`: 'slck' is not one of log, webhook, slack,"),
        (LOCAL + "channels: {a: {}}", "flyball.yaml:2:15: `a`: the key `kind` is missing"),
        (LOCAL + "channels: {a: {kind: webhook, url: nowhere}}", "flyball.yaml:2:36: `url`: this is no address: write"),
        (LOCAL + "channels: {a: {kind: log, digest: 7:30}}", "flyball.yaml:2:35: `digest` must look like"),
        (LOCAL + "fields_out: [a b]", "flyball.yaml:2:14: entry 1 of `fields_out` must look like"),
        (
            LOCAL + "heartbeat: {url: 'http://localhost/x', every: 0}",
            "flyball.yaml:2:47: `every`: it must be at least 1s",
        ),
        (LOCAL + "log: {level: verbose}", "flyball.yaml:2:14: `level`: 'verbose' is not one of debug, info, warning,"),
        (LOCAL + "store: mysql://x", "flyball.yaml:2:8: `store`: there is no such store; write `embedded`"),
        (
            LOCAL + "store: postgresql://localhost",
            "flyball.yaml:2:8: `store`: the address names no database; write postgresql://USER:PASSWORD@HOST:PORT/",
        ),
        ("sites: {m: {kind: neuroscut}}", "flyball.yaml:1:19: `kind`: 'neuroscut' is not one of flywheel, neuroscout;"),
        ("sites: {m: {poll: {every: 30}}}", "flyball.yaml:1:27: `every`: 30 is no duration; write a number with s,"),
        (
            "sites: {m: {kind: neuroscout, email: a@b}}",
            "flyball.yaml:1:12: `m`: `email` and `password` belong together",
        ),
        ("sites: {m: {api_key: env:NOT_SET}}", "flyball.yaml:1:22: `api_key`: the environment variable NOT_SET is not"),
        ("sites: {m: {api_key: file:/no/such/file}}", "flyball.yaml:1:22: `api_key`: the file /no/such/file cannot be"),
    ],
)
def test_mistakes(config: Path, text: str, message: str) -> None:
    """Each mistake has its place and its remedy."""
    told = wrong(config, text)
    assert len(told) == 1
    assert told[0].startswith(message)


def test_all_mistakes_at_once(config: Path) -> None:
    """File and environment are told together."""
    told = wrong(config, LOCAL + "http: {port: x}\nhooks: {lab: {secret: env:NOPE}}\n", {"FLYBALL_DTA": "x"})
    assert [line.split(": ")[0] for line in told] == [
        "flyball.yaml:3:23",
        "environment variable FLYBALL_DTA",
        "flyball.yaml:2:14",
    ]


def test_wrong_folder(tmp_path: Path) -> None:
    """A config folder that is not there says how to name another."""
    with pytest.raises(ConfigError, match="there is no such config folder; name it with --config DIR"):
        load_settings(tmp_path / "conf", {})


def test_schema(config: Path) -> None:
    """The example fits the schema for editors, a slip does not; references fit where values do."""
    schema = settings_schema()
    assert complaints(read_yaml(dedent(EXAMPLE), "f").root, schema) == []
    assert complaints({"sites": {"main": {"unclear_wait": "2s", "limits": {"concurrency": "env:N"}}}}, schema) == []
    odd: Any
    for odd in (
        {},
        {"sites": {"main": {"pol": {}}}},
        {"sites": {}, "htp": 1},
        {"sites": {"m": {"poll": {"every": 3}}}},
    ):
        assert complaints(odd, schema)
    explained = {name: part for name, part in schema["$defs"].items() if "properties" in part}
    for name, part in explained.items():
        for key, entry in part["properties"].items():
            assert entry.get("description"), f"{name}.{key} is not explained"


def test_plain_construction_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings made by hand, as tests do, take nothing from the process."""
    monkeypatch.setenv("DATA", "elsewhere")
    monkeypatch.setenv("FLYBALL_DATA", "elsewhere")
    assert Settings(sites={"main": FlywheelSite()}).data == "var"
