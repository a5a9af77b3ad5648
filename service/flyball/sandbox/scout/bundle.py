"""The bundle of an analysis that passed: a gzip tar of its model, its predictors' events and where the data lie."""

import gzip
import hashlib
import io
import tarfile

import orjson

from flyball.sandbox.scout import shapes
from flyball.sandbox.scout.records import Analysis, Run
from flyball.sandbox.scout.state import Scout


def validation_hash(scout: Scout, analysis: Analysis) -> str:
    """What an upload of result images has to show; it stands in the bundle's resources.json."""
    return hashlib.sha256(f"{scout.secret}/{analysis.hash_id}".encode()).hexdigest()


def bundle_of(scout: Scout, analysis: Analysis) -> bytes:
    """The archive's bytes, the same ones for the same analysis and moment."""
    files: dict[str, bytes] = {
        "analysis.json": _json(shapes.full(scout, analysis)),
        "model.json": _json(analysis.model),
        "resources.json": _json(
            {**shapes.resources(scout, analysis), "validation_hash": validation_hash(scout, analysis)}
        ),
        "dataset_description.json": _json(scout.datasets[analysis.dataset_id].about.get("description")),
    }
    runs = [scout.runs[r] for r in analysis.runs]
    for predictor_id in analysis.predictors:
        predictor = scout.predictors[predictor_id]
        for run in runs:
            lines = [f"onset\tduration\t{predictor.name}"]
            lines += [f"{e.onset}\t{e.duration}\t{e.value}" for e in scout.events_of(predictor, run.id)]
            if len(lines) > 1:
                name = f"events/{predictor.name}/{entities(scout, run)}_events.tsv"
                files[name] = ("\n".join(lines) + "\n").encode()
    for task in {scout.tasks[r.task_id].id: scout.tasks[r.task_id] for r in runs}.values():
        files[f"task-{task.name}_bold.json"] = _json({"RepetitionTime": task.TR, "TaskName": task.name})
    moment = (analysis.passed or scout.now).timestamp()
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), int(moment)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=int(moment))


def entities(scout: Scout, run: Run) -> str:
    """A run's name by its BIDS entities."""
    parts = [f"sub-{run.subject}"]
    if run.session:
        parts.append(f"ses-{run.session}")
    parts.append(f"task-{scout.tasks[run.task_id].name}")
    if run.acquisition:
        parts.append(f"acq-{run.acquisition}")
    if run.number is not None:
        parts.append(f"run-{run.number}")
    return "_".join(parts)


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)
