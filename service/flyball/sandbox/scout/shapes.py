"""The JSON forms of what the server keeps, as recorded from it.

Time stamps are cut to 15 characters, so they tell tens of minutes only.
"""

from datetime import UTC, datetime
from statistics import fmean

from flyball.sandbox.scout.records import Analysis, Collection, Dataset, Doc, Images, Predictor, Report, Run, Task, User
from flyball.sandbox.scout.state import Scout

_STAMP = 15
_ABOUT = (
    "dataset_address",
    "description",
    "long_description",
    "mean_age",
    "mimetypes",
    "percent_female",
    "preproc_address",
    "summary",
    "url",
)
_PROFILE = (
    "email",
    "institution",
    "name",
    "orcid",
    "personal_site",
    "picture",
    "public_email",
    "twitter_handle",
    "user_name",
)


def stamp(moment: datetime) -> str:
    """`2023-10-05T20:3`: UTC, cut after the tens of minutes."""
    return moment.astimezone(UTC).isoformat()[:_STAMP]


# People


def own_profile(user: User) -> Doc:
    """What a user sees of the own account."""
    return {**{name: getattr(user, name) for name in _PROFILE}, "first_login": user.logins <= 1}


def public_profile(user: User) -> Doc:
    """What everybody sees of an account."""
    shown = {name: getattr(user, name) for name in _PROFILE}
    return shown if user.public_email else {**shown, "email": "HIDDEN"}


# Datasets


def dataset(scout: Scout, row: Dataset, *, runs: bool = False, brief: bool = False) -> Doc:
    """A dataset; `runs` adds the ids of its runs, `brief` leaves out what related datasets do not show."""
    shown: Doc = {name: row.about.get(name) for name in _ABOUT}
    shown |= {"id": row.id, "name": row.name, "active": row.active}
    tasks = [task(scout, t) for t in scout.tasks_of(row.id)]
    for entry in tasks:
        del entry["dataset_id"]
    if brief:
        for entry in tasks:
            del entry["n_runs_subject"]
        del shown["dataset_address"], shown["preproc_address"]
    if runs:
        shown["runs"] = [r.id for r in scout.runs_of(row.id)]
    return {**shown, "tasks": tasks}


def task(scout: Scout, row: Task) -> Doc:
    """A task with the counts over its runs."""
    runs = [r for r in scout.runs_of(row.dataset_id) if r.task_id == row.id]
    subjects = {r.subject for r in runs}
    return {
        "id": row.id,
        "dataset_id": row.dataset_id,
        "name": row.name,
        "summary": row.summary,
        "TR": row.TR,
        "n_subjects": len(subjects),
        "n_runs_subject": len(runs) // len(subjects) if subjects else 0,
        "avg_run_duration": round(fmean(r.duration for r in runs)) if runs else None,
    }


def run(scout: Scout, row: Run) -> Doc:
    """A run; `task` is the task's id."""
    return {**run_in_analysis(scout, row), "dataset_id": row.dataset_id, "task": row.task_id}


def run_in_analysis(scout: Scout, row: Run) -> Doc:
    """A run as the full form of an analysis shows it."""
    return {
        "id": row.id,
        "subject": row.subject,
        "number": row.number,
        "session": row.session,
        "acquisition": row.acquisition,
        "duration": row.duration,
        "task_name": scout.tasks[row.task_id].name,
    }


# Predictors


def predictor(row: Predictor) -> Doc:
    """A predictor; `extracted_feature` is absent, not null, when there is none."""
    shown: Doc = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "dataset_id": row.dataset_id,
        "source": row.source,
        "private": row.private,
        **{name: row.stats.get(name) for name in ("max", "min", "mean", "num_na")},
    }
    return shown if row.feature is None else {**shown, "extracted_feature": row.feature}


def collection(scout: Scout, row: Collection) -> Doc:
    """An upload of predictors with what has become of it so far."""
    return {
        "id": row.id,
        "collection_name": row.name,
        "status": row.status,
        "traceback": row.traceback,
        "predictors": [predictor(scout.predictors[p]) for p in row.predictors],
        "uploaded_at": stamp(row.uploaded),
    }


# Analyses


def summary(scout: Scout, row: Analysis) -> Doc:
    """An analysis as lists show it."""
    return {
        "hash_id": row.hash_id,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "dataset_id": row.dataset_id,
        "modified_at": stamp(row.modified),
        "user": scout.users[row.owner].user_name,
        "nv_count": len(row.images),
    }


def analysis(scout: Scout, row: Analysis) -> Doc:
    """An analysis by itself."""
    return {
        **summary(scout, row),
        "predictions": row.predictions,
        "model": row.model,
        "predictors": row.predictors,
        "runs": row.runs,
        "private": row.private,
        "locked": row.locked,
        "parent_id": row.parent_id,
        "created_at": stamp(row.created),
        "submitted_at": None,
    }


def full(scout: Scout, row: Analysis) -> Doc:
    """An analysis with its runs and predictors as objects."""
    return {
        **analysis(scout, row),
        "runs": [run_in_analysis(scout, scout.runs[r]) for r in row.runs],
        "predictors": [{"id": p, "name": scout.predictors[p].name} for p in row.predictors],
        "neurovault_collections": [images(i) for i in row.images],
    }


def resources(scout: Scout, row: Analysis) -> Doc:
    """Where the data of an analysis lie."""
    about = scout.datasets[row.dataset_id]
    return {
        "dataset_name": about.name,
        "dataset_address": about.about.get("dataset_address"),
        "preproc_address": about.about.get("preproc_address"),
        "predictors": [predictor(scout.predictors[p]) for p in row.predictors],
    }


def images(row: Images) -> Doc:
    """Result images that were uploaded together."""
    return {**row.about, "collection_id": row.collection_id, "files": row.files, "uploaded_at": stamp(row.uploaded)}


def report(row: Report, base: str) -> Doc:
    """A report; `base` is the address below which its tables are served."""
    result: Doc | None = None
    if row.status == "OK":
        addresses = [f"{base}/{name}" for name in row.tables]
        result = {
            "design_matrix": addresses,
            "design_matrix_plot": [_plot(address, "rect") for address in addresses],
            "design_matrix_corrplot": [_plot(address, "square") for address in addresses],
        }
    return {
        "generated_at": stamp(row.generated),
        "result": result,
        "sampling_rate": row.sampling_rate,
        "scale": row.scale,
        "status": row.status,
        "traceback": row.traceback,
        "warnings": [],
    }


def _plot(address: str, mark: str) -> Doc:
    """A Vega-Lite description of a table."""
    schema = "https://vega.github.io/schema/vega-lite/v3.4.0.json"
    return {"$schema": schema, "data": {"url": address, "format": {"type": "tsv"}}, "mark": mark, "encoding": {}}
