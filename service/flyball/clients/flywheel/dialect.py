"""What one site was found to understand: the outcome of the start-up probe, as a value that can be stored.

Every finding has three states. `True` or `False` was shown by an object that is there; `None` means nothing was there
to show it on, and an empty answer that relies on it must not be read as "there is none".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any


class Spelling(StrEnum):
    """How an id stands in a filter."""

    BARE = "bare"
    QUOTED = "quoted"


class DateForm(StrEnum):
    """How a date stands in a filter; all in UTC, all with six digits of a second."""

    NAIVE = "naive"  # 2026-11-02T09:15:42.318000, the documented one
    OFFSET = "offset"  # 2026-11-02T09:15:42.318000+00:00
    ZULU = "zulu"  # 2026-11-02T09:15:42.318000Z


class JobsAccess(StrEnum):
    """Through which address this key sees jobs."""

    SITE = "site"  # GET /jobs
    PROJECTS = "projects"  # GET /projects/{id}/jobs
    SELF = "self"  # GET /users/self/jobs: the key's own jobs only
    NONE = "none"


@dataclass(frozen=True)
class Dialect:
    """How to speak to one site. The defaults are the documented spellings, all unproved.

    Attributes:
        user_id: who the key belongs to.
        admin: site administrator.
        roles: as `/auth/status` names them.
        release: `flywheel_release`, or the older `release`.
        config_tags_in_lists: what the site's own flag `features.tags_in_lists` claims; not a proof.
        info_in_lists: `include_all_info` puts real `info` into lists of containers, their files' included.
        info_in_files: the same for `GET /files`.
        tags_listed: level → lists carry the real tags. `file` is about `GET /files`, or where that is missing
            about the files inside listed acquisitions.
        files_endpoint: `GET /files` exists.
        file_names: it can be filtered by a pattern of names.
        object_ids: spelling for ids stored as object ids (`_id`, `parents.*`, `parent.id`).
        string_ids: spelling for ids stored as strings (job `destination.id`, `gear_id`, …).
        date_form: spelling of dates.
        operators: `=`, `<`, `>=`, `=~`, `=|` → works.
        job_tags: `tags="…"` finds a job on the route of `jobs`.
        page_size: the largest page the site gives, None while not proved.
        largest_limit: the largest `limit` the site accepts without an error.
        jobs: the route to jobs.
        sort: `sort=modified:…` is obeyed.
        after_id: level → keyset pages are taken.
        info_method: `PATCH` or `POST` to write info, None while not known.
        launch_info: `info` and `priority` are taken with a launch, None while not known.
        findings: what a person should know, one line each.
    """

    user_id: str | None = None
    admin: bool = False
    roles: tuple[str, ...] = ()
    release: str | None = None
    config_tags_in_lists: bool | None = None
    info_in_lists: bool | None = None
    info_in_files: bool | None = None
    tags_listed: Mapping[str, bool | None] = field(default_factory=dict)
    files_endpoint: bool | None = None
    file_names: bool | None = None
    object_ids: Spelling | None = None
    string_ids: Spelling | None = None
    date_form: DateForm | None = None
    operators: Mapping[str, bool | None] = field(default_factory=dict)
    job_tags: bool | None = None
    page_size: int | None = None
    largest_limit: int = 1000
    jobs: JobsAccess | None = None
    sort: bool | None = None
    after_id: Mapping[str, bool | None] = field(default_factory=dict)
    info_method: str | None = None
    launch_info: bool | None = None
    findings: tuple[str, ...] = ()

    @property
    def filters_proved(self) -> bool:
        """Ids and dates in filters were shown to be understood, so an empty answer means "none"."""
        return self.object_ids is not None and self.date_form is not None

    def proves_operator(self, operator: str) -> bool:
        """Whether the operator was shown to work. `=` is taken on trust."""
        return operator == "=" or self.operators.get(operator) is True

    def lists_tags(self, level: str) -> bool:
        """Whether the tags of listed rows of this level are real. Not proved counts as no."""
        return self.tags_listed.get(level) is True

    def pages_by_id(self, level: str) -> bool:
        """Whether keyset pages may be asked for. Not proved counts as yes, but for gears (K19: 500)."""
        proved = self.after_id.get(level)
        return level != "gear" if proved is None else proved

    @property
    def unproved(self) -> tuple[str, ...]:
        """Names of what could not be shown for lack of objects; the probe is worth repeating while there are any."""
        names = ("object_ids", "string_ids", "date_form", "info_in_lists", "sort", "job_tags")
        return tuple(name for name in names if getattr(self, name) is None)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` takes back."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Dialect:
        """The stored dialect. Unknown keys are ignored, missing ones unproved, so that a new version can read it."""
        known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        kinds = {"object_ids": Spelling, "string_ids": Spelling, "date_form": DateForm, "jobs": JobsAccess}
        for name, kind in kinds.items():
            if known.get(name) is not None:
                known[name] = kind(known[name])
        for name in ("roles", "findings"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)
