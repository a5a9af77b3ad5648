"""Reads the settings: file, environment, secrets, checks that need several of them. All problems are told at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from flyball.configfile.addresses import fault_of, is_address
from flyball.configfile.problems import annotation_at, problems_of
from flyball.configfile.references import mentioned
from flyball.configfile.tree import Map, Written
from flyball.configfile.tree import Path as Keys
from flyball.configfile.yaml import NotReadable, read_yaml
from flyball.model.errors import ConfigError
from flyball.model.place import Place, Problem
from flyball.settings.literals import literal_secrets
from flyball.settings.login import login_key
from flyball.settings.model import EMBEDDED, Settings
from flyball.settings.sites import FlywheelSite
from flyball.settings.sources import PREFIX, Given, Source, from_environment, from_file

FILE = "flyball.yaml"


class SettingsError(ConfigError):
    """The settings cannot be used. `problems` has them one by one; the text has them all."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load_settings(
    config_dir: Path,
    environment: Mapping[str, str],
    *,
    excepted: Collection[str] = (),
    check_key: Callable[[str], object] | None = None,
    stand_in: bool = False,
) -> Settings:
    """The settings of `config_dir`/flyball.yaml and of the environment, which wins.

    Args:
        config_dir: the config folder. The file may be missing when the environment says all that is needed.
        environment: usually `os.environ`. `FLYBALL_A__B=x` sets `a.b`.
        excepted: further `FLYBALL_…` names that are no settings.
        check_key: raises ConfigError for a Flywheel API key in no known form.
        stand_in: secrets that are not set are no problem; nothing may be asked of a site or a channel then.

    Raises:
        SettingsError: with every problem, each with its place and remedy, none with a secret.
    """
    if not config_dir.is_dir():
        raise SettingsError(
            [Problem(Place(str(config_dir)), "there is no such config folder; name it with --config DIR")]
        )
    written = _read(config_dir / FILE)
    file = from_file(written, environment, config_dir, stand_in=stand_in)
    rules = environment.get(f"{PREFIX}RULES") or file.values.get("rules")
    referred = set(excepted).union(*(mentioned(text) for text in _texts(config_dir, str(rules or "rules"))))
    given = from_environment(environment, Settings, config_dir, names=file.values, excepted=referred)
    beaten = _beaten(file, given)
    problems = [*(one for one in file.problems if one.place not in beaten), *given.problems]
    places = _Places(written, file, given)
    hidden = file.referred | given.referred
    broken = (file.broken - beaten) | given.broken
    make: Callable[[], Settings] = _bound(given.values, file.values)
    try:
        settings = make()
    except ValidationError as error:
        found = problems_of(error, places, Settings, shown=lambda path: path not in hidden and not _secret(path))
        raise SettingsError([*problems, *(one for one in found if one.place not in broken)]) from None
    problems += literal_secrets(settings, file, given)
    settings, more = (settings, []) if stand_in else _completed(settings, environment, places, check_key)
    problems += (one for one in more if one.place not in broken)
    if problems:
        raise SettingsError(problems)
    settings._config_dir = config_dir  # noqa: SLF001 - the loader is the class's own
    return settings


def _beaten(file: Source, given: Source) -> set[Place]:
    """Where the file says something that a variable says otherwise: what it refers to need not be there."""
    return {
        place
        for path, place in file.places.items()
        if any(path[:length] in given.places for length in range(1, len(path) + 1))
    }


def _read(path: Path) -> Written:
    try:
        written = read_yaml(path.read_bytes(), str(path))
    except FileNotFoundError:
        return Written(str(path), None)
    except OSError as error:
        raise SettingsError([Problem(Place(str(path)), f"the file cannot be read ({error.strerror})")]) from None
    except NotReadable as error:
        raise SettingsError([error.problem]) from None
    if written.root is not None and not isinstance(written.root, Map):
        raise SettingsError([Problem(written.place(), "the settings are a mapping: write `sites:` and the like")])
    return written


def _texts(config_dir: Path, rules: str) -> list[str]:
    """The texts that may refer to environment variables: the settings and all rule files."""
    folder = config_dir / rules
    paths = [config_dir / FILE, *sorted(folder.rglob("*.yaml")), *sorted(folder.rglob("*.yml"))]
    texts = []
    for path in paths:
        try:
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue  # reading the rules will say so
    return texts


def _bound(*values: dict[str, Any]) -> type[Settings]:
    """The settings' class with these sources, the first of which wins."""

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
            env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(Given(settings_cls, one) for one in values)

    Loaded.__name__ = Loaded.__qualname__ = Settings.__name__
    return Loaded


class _Places(Written):
    """Where a setting stands: in the environment, else in the file."""

    __slots__ = ("environment", "values")

    def __init__(self, written: Written, file: Source, given: Source) -> None:
        super().__init__(written.file, written.root)
        self.environment = given.places
        self.values = (given.values, file.values)

    def place(self, path: Keys = (), *, key: bool = False, offset: int | None = None) -> Place:
        there = self.present(path)
        for length in range(len(there), 0, -1):
            if there[:length] in self.environment:
                return self.environment[there[:length]]
        below = [place for one, place in self.environment.items() if there and one[: len(there)] == there]
        if below and super().present(there) != there:
            return below[0]
        return super().place(path, key=key, offset=offset)

    def present(self, path: Keys) -> Keys:
        return max((_there(values, path) for values in self.values), key=len)


def _there(node: Any, path: Keys) -> Keys:
    there: list[str | int] = []
    for part in path:
        inside = isinstance(node, dict) and part in node
        if inside or (isinstance(node, list) and isinstance(part, int) and part < len(node)):
            node = node[part]
            there.append(part)
    return tuple(there)


def _secret(path: Keys) -> bool:
    """Whether the value at a path, or one below it, may be a secret."""
    types = annotation_at(Settings, tuple(part for part in path if part not in ("flywheel", "neuroscout")))
    return not types or SecretStr in types or any(isinstance(one, type) and one not in _PLAIN for one in types)


_PLAIN = (str, int, float, bool)


def _completed(
    settings: Settings,
    environment: Mapping[str, str],
    places: _Places,
    check_key: Callable[[str], object] | None,
) -> tuple[Settings, list[Problem]]:
    """The settings with the login of Flywheel's command line program where a site has no key; and what is wrong."""
    problems: list[Problem] = []
    sites = dict(settings.sites)
    for name, site in settings.sites.items():
        if not isinstance(site, FlywheelSite):
            continue
        path: Keys = ("sites", name, "api_key")
        if site.api_key is None:
            try:
                key = login_key(environment)
            except ValueError as error:
                problems.append(Problem(places.place(path), f"the site `{name}` has no `api_key`, and {error}"))
                continue
            site = site.model_copy(update={"api_key": SecretStr(key)})  # noqa: PLW2901 - the site as it will be used
            sites[name] = site
        if check_key is not None and site.api_key is not None:
            try:
                check_key(site.api_key.get_secret_value())
            except ConfigError as error:
                problems.append(Problem(places.place(path), f"`api_key`: {error}"))
    store = settings.store.get_secret_value()
    if store != EMBEDDED:
        fault = "there is no such store; write `embedded` or postgresql://…"
        if is_address(store):
            fault = fault_of(store) or ""
        if fault:
            problems.append(Problem(places.place(("store",)), f"`store`: {fault}"))
    return settings.model_copy(update={"sites": sites}), problems
