"""All settings together, as one pydantic-settings class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, PrivateAttr, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from flyball.configfile.addresses import passwords_in
from flyball.settings.keeping import Keep
from flyball.settings.outgoing import FIELDS_OUT
from flyball.settings.parts import Channel, Heartbeat, Hook, Http, Log, LogChannel, Name
from flyball.settings.sites import FlywheelSite, Site

EMBEDDED = "embedded"
BUILT_IN = {"log": LogChannel(kind="log")}


class Settings(BaseSettings):
    """What `config/flyball.yaml` and the environment say. Made by `load_settings`; nothing changes afterwards."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    sites: Annotated[dict[Name, Site], Field(min_length=1)] = Field(
        description="The servers to watch, by name. Rules name them with `site`, unless there is only one."
    )
    store: SecretStr = Field(
        default=SecretStr(EMBEDDED),
        description="Where the ledger is: `embedded` (a file under `data`, one process), or "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE (13 or newer) for any number of equal processes; with a "
        "password in it, as `env:NAME` or `file:/path`. Needs the extra `replicas`. Another schema than the user's "
        "own: `?options=-csearch_path%3DNAME`.",
    )
    data: str = Field(
        default="var",
        min_length=1,
        description="Folder for what the daemon writes: ledger, downloads, reports. A relative path is beside the "
        "config folder. Not on a network file system.",
    )
    rules: str = Field(
        default="rules", min_length=1, description="Folder with the rule files, relative to the config folder."
    )
    http: Http = Field(default=Http(), description="The daemon's own HTTP server.")
    hooks: dict[Name, Hook] = Field(default={}, description="Incoming webhooks by name: POST /hooks/NAME.")
    channels: dict[Name, Channel] = Field(
        default={}, description="Where alerts go, by name. The channel `log` is always there."
    )
    fields_out: tuple[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_-]+)*$")], ...
    ] = Field(
        default=FIELDS_OUT,
        description="Fields of documents that may leave the lab in messages, each with all that is below it: "
        "`file.info.snr`, `file.info`; a name without a dot is one of the rule's own (`let`). What is not listed is "
        "written as `?`. By default labels, states and MRIQC's metrics: no names of people, no dates, no other info.",
    )
    heartbeat: Heartbeat | None = Field(default=None, description="A sign of life to a dead man's switch.")
    keep: Keep = Field(default=Keep(), description="How long history is kept, and how large the ledger may grow.")
    log: Log = Field(default=Log(), description="The daemon's own log.")

    _config_dir: Path = PrivateAttr(default=Path("config"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by ours, which refuses misspelt names
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env files
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by `file:` references
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given; `load_settings` puts its own sources in this place."""
        return (init_settings,)

    @property
    def config_dir(self) -> Path:
        """The config folder."""
        return self._config_dir

    @property
    def data_dir(self) -> Path:
        """The folder to write to, absolute."""
        return (self._config_dir.resolve().parent / self.data).resolve()

    @property
    def rules_dir(self) -> Path:
        """The folder with the rule files, as it is shown to people."""
        return self._config_dir / self.rules

    @property
    def embedded(self) -> bool:
        """The ledger is a file of ours."""
        return self.store.get_secret_value() == EMBEDDED

    @property
    def ledger(self) -> str:
        """`embedded`, or the address of the database, with its password."""
        return self.store.get_secret_value()

    @property
    def site_kinds(self) -> dict[str, str]:
        """Site name → `flywheel` or `neuroscout`, for reading rules."""
        return {name: site.kind for name, site in self.sites.items()}

    @property
    def all_channels(self) -> dict[str, Channel]:
        """The channels, the built-in `log` included."""
        return {**BUILT_IN, **self.channels}

    @property
    def channel_kinds(self) -> dict[str, str]:
        """Channel name → kind, the built-in `log` included, for reading rules."""
        return {name: channel.kind for name, channel in self.all_channels.items()}

    def secret_values(self) -> tuple[str, ...]:
        """Every secret in these settings, and the parts of them that may show up alone, for masking."""
        values: dict[str, None] = {}
        for secret in _secrets_in(self):
            text = secret.get_secret_value()
            if text == EMBEDDED:
                continue
            if secret is self.store:
                values.update(dict.fromkeys(passwords_in(text)))
                continue
            values.update(dict.fromkeys(_parts_of(text)))
        for site in self.sites.values():
            if isinstance(site, FlywheelSite) and site.api_key is not None:
                values[site.api_key.get_secret_value().rsplit(":", 1)[-1]] = None
        return tuple(value for value in values if value)


def _secrets_in(value: Any) -> Iterator[SecretStr]:
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _secrets_in(one)


def _parts_of(text: str) -> Iterator[str]:
    """The secret itself; of an address also its password, and its path (Slack's and a heartbeat's secret)."""
    yield text
    if "://" not in text:
        return
    address = urlsplit(text)
    if address.password:
        yield address.password
        yield unquote(address.password)
    if address.scheme in ("http", "https") and len(address.path) > _SHORT_PATH:
        yield address.path


_SHORT_PATH = 12  # `/hooks/lab` is no secret, and masking it would hide every mention of it
