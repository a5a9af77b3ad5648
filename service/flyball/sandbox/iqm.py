"""Made-up image quality metrics as MRIQC writes them, good ones and all the bad kinds.

Typical values follow MRIQC's documentation and the Flywheel tutorial's samples; the bad kinds are
those that trip naive scripts: missing, null, `"NaN"` as text, wrong types, sentinels.
"""

from typing import Any

from flyball.sandbox.dice import Dice

QUALITIES = ("good", "low_snr", "high_fd", "missing", "null", "nan", "text", "sentinel", "empty")


def iqms(dice: Dice, measurement: str, quality: str = "good") -> dict[str, Any]:
    """Metrics for one image.

    Args:
        dice: chance.
        measurement: `T2*` for BOLD, anything else for anatomical images.
        quality: one of QUALITIES; `high_fd` means nothing for anatomical images.
    """
    metrics = _bold(dice, quality) if measurement == "T2*" else _anatomical(dice, quality)
    main = ["snr", "fd_mean"] if measurement == "T2*" else ["snr_total"]
    match quality:
        case "missing":
            for name in main:
                del metrics[name]
        case "null":
            metrics.update(dict.fromkeys(main))
        case "nan":
            metrics.update(dict.fromkeys(main, "NaN"))
        case "text":
            metrics.update({name: f"{metrics[name]} (estimated)" for name in main})
        case "sentinel":
            metrics |= {"fber": -1.0, "qi_2": 0.0} if measurement != "T2*" else {"fber": -1.0}
        case "empty":
            return {}
    return metrics


def _about(dice: Dice, mean: float, spread: float, digits: int = 4) -> float:
    return round(abs(dice.gauss(mean, spread)), digits)


def _anatomical(dice: Dice, quality: str) -> dict[str, Any]:
    snr = dice.uniform(3.2, 5.4) if quality == "low_snr" else max(7.5, dice.gauss(10.4, 0.8))
    return {
        "snr_total": round(snr, 6),
        "snr_gm": round(snr * 0.92, 6),
        "snr_wm": round(snr * 1.55, 6),
        "snr_csf": round(snr * 0.53, 6),
        "snrd_total": _about(dice, 9.2, 0.7),
        "cnr": _about(dice, 3.4, 0.25),
        "cjv": _about(dice, 0.55 if quality == "low_snr" else 0.37, 0.02),
        "efc": _about(dice, 0.52, 0.03),
        "fber": _about(dice, 3100.0, 400.0, 1),
        "qi_1": _about(dice, 0.0004, 0.0001, 6),
        "qi_2": _about(dice, 0.0041, 0.0006, 6),
        "inu_med": _about(dice, 0.61, 0.05),
        "inu_range": _about(dice, 0.15, 0.03),
        "wm2max": _about(dice, 0.66, 0.02),
        "fwhm_avg": _about(dice, 3.7, 0.2),
        "size_x": 176,
        "size_y": 256,
        "size_z": 256,
        "spacing_x": 1.0,
        "spacing_y": 1.0,
        "spacing_z": 1.0,
    }


def _bold(dice: Dice, quality: str) -> dict[str, Any]:
    snr = dice.uniform(0.4, 0.9) if quality == "low_snr" else max(1.6, dice.gauss(2.15, 0.12))
    fd = dice.uniform(2.7, 4.2) if quality == "high_fd" else min(0.3, max(0.06, dice.gauss(0.15, 0.03)))
    spikes = 96.5 if quality == "high_fd" else _about(dice, 9.0, 4.0, 2)
    return {
        "snr": round(snr, 6),
        "tsnr": _about(dice, 46.0, 5.0),
        "fd_mean": round(fd, 6),
        "fd_num": int(spikes * 2),
        "fd_perc": spikes,
        "dvars_std": _about(dice, 1.15, 0.06),
        "dvars_nstd": _about(dice, 24.0, 2.0),
        "dvars_vstd": _about(dice, 1.02, 0.02),
        "gcor": _about(dice, 0.012, 0.003),
        "gsr_x": _about(dice, 0.006, 0.002, 6),
        "gsr_y": _about(dice, 0.031, 0.004, 6),
        "aor": _about(dice, 0.0031, 0.0007, 6),
        "aqi": _about(dice, 0.0052, 0.0009, 6),
        "efc": _about(dice, 0.53, 0.03),
        "fber": _about(dice, 5200.0, 600.0, 1),
        "fwhm_avg": _about(dice, 2.4, 0.15),
        "dummy_trs": 0,
        "size_t": 240,
        "size_x": 64,
        "size_y": 64,
        "size_z": 36,
        "spacing_tr": 2.0,
    }
