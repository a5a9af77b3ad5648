"""How the site speaks: what differs between a recent release and the server of 2019.

`live19` facts were recorded from the public 2019 source; `v23` is what the official SDK 23 expects.
Every difference is a switch of its own, so that a test or a scenario can mix them.
"""

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Dialect:
    """The switches; the defaults are those of a v23 site."""

    name: str = "v23"
    include_all_info: bool = True
    """Lists show `info` when asked with include_all_info=true; otherwise the parameter is ignored."""
    tags_in_lists: bool = True
    """Sessions and acquisitions show tags (and age, sex) in lists; otherwise tags read `[]`."""
    files_endpoint: bool = True
    """`/files` exists; otherwise 404."""
    files_in_filters: bool = False
    """`files.type=…` on containers finds something (2019); recent sites keep files apart."""
    file_fields: bool = True
    """Files carry file_id, version, parents and revision; containers carry revision."""
    info_patch: bool = True
    """`PATCH …/info` works; otherwise 501, and POST on the same path does."""
    analysis_extras: bool = True
    """A launch may carry `info` and `job.priority`; otherwise 400."""
    gears_after_id: bool = True
    """`/gears` can be paged by after_id; otherwise 500."""
    jobs_admin_only: bool = False
    """`GET /jobs` answers 403 to everyone but site admins."""
    jobs_as_maps: bool = False
    """Session jobs show inputs as a map and own jobs as a list (2019); otherwise the other way round."""
    in_operator: bool = True
    """`=|[a,b]` works; otherwise two elements are a 422 and one finds nothing."""
    comparison_operators: bool = True
    """`< <= > >=` compare; otherwise they find nothing."""
    escaped_commas: bool = True
    """A backslash keeps a comma inside a value."""
    id_typing: str = "shape"
    """`shape`: the spelling must fit how an id is stored; `loose`: both spellings match."""
    iso_dates: bool = True
    """Dates with a zone or three digits of fraction are dates; otherwise they compare as text."""
    limit_zero: bool = True
    """`limit=0` means all; otherwise 422."""
    detail_errors: bool = True
    """Wrong numbers in the query are reported as `{"detail": […]}`."""
    hidden_status: int = 404
    """The status for an object that the user may not see."""
    bearer_keys: bool = True
    """`Bearer` takes 57-character keys; otherwise 401."""
    anonymous_lists: bool = False
    """Lists without any key answer 200 and nothing (2019)."""
    scheduled_state: bool = True
    """Jobs pass through `scheduled`."""
    notes_returned: bool = True
    """A new note is returned; otherwise only `{"modified": 1}`."""
    subject_paths: bool = True
    """Paths always have a subject; otherwise only with the feature `subject-container`."""
    empty_fields: bool = True
    """Unset lists of an analysis are `[]`; otherwise they are absent."""
    role_permissions: bool = True
    """Permissions list role ids; otherwise an access level."""
    bulk_tags: bool = True
    """`/bulk/add/tags` and PATCH on tags exist."""
    project_jobs: bool = True
    """`/projects/{id}/jobs` exists for members."""
    or_first: bool = True
    """In structured queries OR binds tighter than AND, as the manual says; otherwise AND does, as the
    parser of 2019 had it. Parentheses make them agree."""
    all_data_admin_only: bool = False
    """A search with `all_data` answers 403 to everyone but site admins."""
    signed_urls: str = ""
    """How the object storage behind signed addresses speaks: `plain`, `s3`, `gcs` or `azure`; empty: the
    site tells clients to do without."""
    upload_tickets: bool = True
    """Uploads by ticket and signed address; otherwise a ticket request is answered with nothing."""
    audit_trail: bool = False
    """Deleting needs a `delete_reason`."""
    queued_views: bool = True
    """Data views are queued and fetched; otherwise they are only run at once (2019)."""
    page_limit: int | None = None
    """At most this many rows a page, whatever `limit` says; None: as many as asked for."""


V23 = Dialect()
LIVE19 = Dialect(
    name="live19",
    include_all_info=False,
    tags_in_lists=False,
    files_endpoint=False,
    files_in_filters=True,
    file_fields=False,
    info_patch=False,
    analysis_extras=False,
    gears_after_id=False,
    jobs_admin_only=True,
    jobs_as_maps=True,
    in_operator=False,
    escaped_commas=False,
    iso_dates=False,
    limit_zero=False,
    detail_errors=False,
    hidden_status=403,
    bearer_keys=False,
    anonymous_lists=True,
    scheduled_state=False,
    notes_returned=False,
    subject_paths=False,
    empty_fields=False,
    role_permissions=False,
    bulk_tags=False,
    all_data_admin_only=True,
    queued_views=False,
    upload_tickets=False,
)
DIALECTS = {"v23": V23, "live19": LIVE19}


def dialect(name: str, **switches: Any) -> Dialect:
    """The named dialect with some switches set otherwise.

    Raises:
        ValueError: no such dialect or switch.
    """
    if name not in DIALECTS:
        raise ValueError(f"unknown dialect {name!r}; there are {', '.join(DIALECTS)}")
    known = {field.name for field in fields(Dialect)} - {"name"}
    for switch in switches:
        if switch not in known:
            raise ValueError(f"unknown dialect switch {switch!r}; there are {', '.join(sorted(known))}")
    return replace(DIALECTS[name], **switches)
