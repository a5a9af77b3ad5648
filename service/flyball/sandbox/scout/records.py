"""What the emulated Neuroscout server keeps: its rows as plain records."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Doc = dict[str, Any]


@dataclass(slots=True)
class User:
    """An account."""

    id: int
    email: str
    password: str
    name: str
    user_name: str
    institution: str | None = None
    orcid: str | None = None
    personal_site: str | None = None
    picture: str | None = None
    twitter_handle: str | None = None
    public_email: bool = True
    confirmed: bool = True
    disabled: bool = False
    logins: int = 0


@dataclass(slots=True)
class Task:
    """A task of a dataset; repetition time in seconds."""

    id: int
    dataset_id: int
    name: str
    TR: float
    summary: str | None = None


@dataclass(slots=True)
class Run:
    """One run of one subject; duration in seconds. `number` may be absent."""

    id: int
    dataset_id: int
    task_id: int
    subject: str
    number: int | None
    session: str | None
    acquisition: str | None
    duration: float


@dataclass(slots=True)
class Dataset:
    """A dataset, with the fields that only describe it in `about`."""

    id: int
    name: str
    active: bool
    about: Doc


@dataclass(slots=True)
class Event:
    """One event of a predictor in one run; onset and duration in seconds, the value always text."""

    onset: float
    duration: float
    value: str
    stimulus: int | None = None


@dataclass(slots=True)
class Predictor:
    """A predictor: a named time course on some runs of a dataset."""

    id: int
    name: str
    dataset_id: int
    source: str
    description: str | None = None
    runs: set[int] = field(default_factory=set)
    active: bool = True
    private: bool = False
    owner: int | None = None
    stats: Doc = field(default_factory=dict)
    feature: Doc | None = None
    events: dict[int, list[Event]] = field(default_factory=dict)
    """Run id to events that were uploaded; the scenario's own predictors make theirs when asked."""


@dataclass(slots=True)
class Collection:
    """An upload of custom predictors."""

    id: int
    name: str
    owner: int
    uploaded: datetime
    predictors: list[int] = field(default_factory=list)
    status: str = "PENDING"
    traceback: str | None = None


@dataclass(slots=True)
class Report:
    """A report on an analysis: its design matrix, run by run."""

    generated: datetime
    runs: list[int] | None
    sampling_rate: float | None
    scale: bool
    status: str = "PENDING"
    traceback: str | None = None
    tables: dict[str, str] = field(default_factory=dict)
    """File name to the table's text."""


@dataclass(slots=True)
class Images:
    """A collection of result images that went to NeuroVault."""

    collection_id: int
    uploaded: datetime
    about: Doc
    files: list[Doc] = field(default_factory=list)


@dataclass(slots=True)
class Analysis:
    """An analysis; `predictors` and `runs` hold ids."""

    hash_id: str
    owner: int
    dataset_id: int
    created: datetime
    modified: datetime
    name: str | None = None
    description: str | None = None
    predictions: str = ""
    model: Doc = field(default_factory=dict)
    predictors: list[int] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    private: bool = True
    status: str = "DRAFT"
    traceback: str = ""
    locked: bool = False
    parent_id: str | None = None
    compiled: int = 0
    """How often compiling was started."""
    passed: datetime | None = None
    """When it last passed: the time of its bundle."""
    reports: list[Report] = field(default_factory=list)
    images: list[Images] = field(default_factory=list)

    @property
    def editable(self) -> bool:
        """Whether its content may change."""
        return self.status in {"DRAFT", "FAILED"} and not self.locked
