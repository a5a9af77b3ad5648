"""What gears leave behind when their job completes."""

import io
import zipfile
from typing import Any

from flyball.sandbox.dice import Dice
from flyball.sandbox.files import find_file, put_file
from flyball.sandbox.iqm import iqms
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

_MIX = {"good": 0.72, "low_snr": 0.1, "high_fd": 0.08, "missing": 0.05, "null": 0.05}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def produce(site: Site, job: Doc) -> list[Doc]:
    """Make the output files of a job; nothing when its destination is gone."""
    destination = job["destination"]
    doc = site.table(destination["type"]).rows.get(destination["id"])
    if doc is None:
        return []
    name = job["gear_info"]["name"]
    origin = {"type": "job", "id": str(job["_id"])}
    described = site.options.get("outputs", {}).get(name)
    if described is not None:
        return _described(site, job, destination["type"], doc, described)
    if destination["type"] == "analysis":
        content = _archive(name, doc)
        return [put_file(site, "analysis", doc, f"{name}_{doc['_id']}.zip", content=content, origin=origin)]
    if name == "mriqc":
        return _quality(site, job, doc, origin)
    if name == "dcm2niix":
        return _converted(site, job, doc, origin)
    text = f"{name} has run\n".encode()
    return [put_file(site, destination["type"], doc, f"{name}.log.txt", content=text, origin=origin)]


def _described(site: Site, job: Doc, level: str, doc: Doc, specs: list[Doc]) -> list[Doc]:
    """The outputs that the scenario gives a gear: `{name, text | members, type, info}` with names filled in."""
    words = {"gear": job["gear_info"]["name"], "destination": str(doc["_id"])}
    for above, own in job["parents"].items():
        holder = site.table(above).rows.get(own)
        words[above] = str(holder["label"]).replace("/", "_") if holder is not None else own

    def filled(text: Any) -> str:
        for word, value in words.items():
            text = str(text).replace(f"{{{word}}}", value)
        return str(text)

    made = []
    for spec in specs:
        content = filled(spec.get("text", "")).encode()
        if "members" in spec:
            content = archive_of({filled(name): filled(text) for name, text in spec["members"].items()})
        meta = {k: spec[k] for k in ("type", "info", "classification", "modality", "tags") if k in spec}
        origin = {"type": "job", "id": str(job["_id"])}
        made.append(put_file(site, level, doc, filled(spec["name"]), content=content, origin=origin, **meta))
    return made


def _archive(gear: str, analysis: Doc) -> bytes:
    """A zip with the table that readers of FreeSurfer outputs look for."""
    folder = f"{analysis['_id']}/{gear}"
    members = {
        f"{folder}/stats/aseg.stats": "# Measure BrainSeg, BrainSegVol, 1164204.0, mm^3\n",
        f"{folder}/scripts/recon-all.done": "done\n",
    }
    return archive_of(members)


def archive_of(members: dict[str, str]) -> bytes:
    """A zip of texts, the same bytes for the same members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member, _EPOCH), text)
    return buffer.getvalue()


def _input(site: Site, job: Doc) -> Doc | None:
    """The record of the job's first input file."""
    for ref in job["inputs"]:
        doc = site.table(ref["type"]).rows.get(ref["id"])
        file = None if doc is None else find_file(site, doc, ref["name"])
        if file is not None:
            return file
    return None


def _quality(site: Site, job: Doc, doc: Doc, origin: Doc) -> list[Doc]:
    source = _input(site, job)
    if source is None:
        return []
    classification: dict[str, list[str]] = source["classification"]
    measurement = next(iter(classification.get("Measurement", [])), "T1")
    dice = Dice.of(site.seed, "iqm", doc["_id"], source["name"])
    quality = draw(dice, site.options.get("quality", _MIX))
    name = source["name"].removesuffix(".nii.gz") + "_mriqc.qa.html"
    meta: Doc = {"modality": "MR", "classification": classification, "info": iqms(dice, measurement, quality)}
    level = job["destination"]["type"]
    return [put_file(site, level, doc, name, content=b"<html>MRIQC</html>", origin=origin, **meta)]


def draw(dice: Dice, mix: dict[str, float]) -> str:
    """One of the names, as often as their shares say."""
    at = dice.random() * sum(mix.values())
    for name, share in mix.items():
        at -= share
        if at < 0:
            return name
    return next(iter(mix))


def _converted(site: Site, job: Doc, doc: Doc, origin: Doc) -> list[Doc]:
    source = _input(site, job)
    if source is None:
        return []
    name = source["name"].split(".")[0] + ".nii.gz"
    meta: Doc = {"modality": source["modality"], "classification": source["classification"]}
    return [put_file(site, job["destination"]["type"], doc, name, origin=origin, size=2048, **meta)]
