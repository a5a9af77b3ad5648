"""Reports: the design matrix of an analysis, one table for each run."""

from flyball.sandbox.scout.bundle import entities
from flyball.sandbox.scout.modelcheck import problem_of
from flyball.sandbox.scout.records import Analysis, Report
from flyball.sandbox.scout.state import Scout

_ROWS = 20


def start_report(scout: Scout, analysis: Analysis, report: Report) -> bool:
    """Queue a report; False if the queue is down."""
    if not scout.submit(scout.habits.report_s, [lambda: _write(scout, analysis, report)]):
        return False
    analysis.reports.append(report)
    return True


def report_of(analysis: Analysis, runs: list[int] | None, rate: float | None, *, scale: bool | None) -> list[Report]:
    """The reports that fit what is given, the newest last."""
    return [
        r
        for r in analysis.reports
        if (runs is None or r.runs == runs)
        and (rate is None or r.sampling_rate == rate)
        and (scale is None or r.scale == scale)
    ]


def _write(scout: Scout, analysis: Analysis, report: Report) -> None:
    runs = report.runs if report.runs is not None else analysis.runs
    if not set(runs) <= set(analysis.runs):
        report.status, report.traceback = "FAILED", "Error deserializing analysis.\nIncorrect run id specified"
        return
    problem = problem_of(scout, analysis, build=True)
    if problem is not None:
        report.status, report.traceback = "FAILED", f"Error validating analysis.\n{problem}"
        return
    for run_id in runs:
        run = scout.runs[run_id]
        report.tables[f"{entities(scout, run)}_design_matrix.tsv"] = _table(scout, analysis, run_id)
    report.status = "OK"


def _table(scout: Scout, analysis: Analysis, run_id: int) -> str:
    """Volumes by predictors; a short one, for what the columns hold matters to nobody here."""
    predictors = [scout.predictors[p] for p in analysis.predictors]
    columns = [[e.value for e in scout.events_of(p, run_id)] or ["0"] for p in predictors]
    lines = ["\t".join(p.name for p in predictors)]
    lines += ["\t".join(column[row % len(column)] for column in columns) for row in range(_ROWS)]
    return "\n".join(lines) + "\n"
