"""What may leave the lab in messages unless the settings say otherwise: nothing that is about a person.

Labels, ids, states and MRIQC's metrics (its own names, as its documentation lists them); no names of people, no dates,
no ages, and of `info` nothing else, since header fields of scans stand there.
"""

from __future__ import annotations

from typing import Final

_CONTAINERS: Final = ("project", "subject", "session", "acquisition")
_METRICS: Final = (
    *("snr", "snr_total", "snr_gm", "snr_wm", "snr_csf", "snrd_total", "cnr", "cjv", "efc", "fber", "qi_1", "qi_2"),
    *("inu_med", "inu_range", "wm2max", "fwhm_avg", "fd_mean", "fd_num", "fd_perc", "fd_max", "tsnr", "dvars_std"),
    *("dvars_vstd", "dvars_nstd", "gcor", "gsr_x", "gsr_y", "aor", "aqi", "dummy_trs", "size_t", "spacing_tr"),
)

FIELDS_OUT: Final = (
    *(f"{level}.{field}" for level in _CONTAINERS for field in ("label", "id", "tags")),
    *(f"file.{field}" for field in ("name", "id", "type", "modality", "classification", "size", "tags", "version")),
    *(f"file.info.{metric}" for metric in _METRICS),
    "file.info.IQM",
    *(f"gear.{field}" for field in ("name", "version")),
    *(f"job.{field}" for field in ("id", "label", "state", "failure_reason", "gear_info", "tags")),
    *(f"analysis.{field}" for field in ("id", "label", "name", "status", "description", "hash_id", "dataset_id")),
    *(f"analysis.{field}" for field in ("predictors", "runs", "gear_info", "tags")),
)
