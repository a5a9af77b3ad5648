"""`demographics`: how many subjects, how old, of which sex; what is missing or absurd is named. Pure.

The age of a subject is that of the first visit that has a usable one. Flywheel keeps ages in seconds on the session
(`session.age`) and sex on the subject; a year is 365.25 days, as the SDK's `age_years` has it.
"""

from __future__ import annotations

from typing import Final

from flyball.reports.cells import Cell
from flyball.reports.content import Bars, Content, Entry, Fact, Figure, Histogram, Table
from flyball.reports.rows import Project, Row, counted, doubled, label_of, named, time_key
from flyball.reports.statistics import Summary, finite, summary

YEAR: Final = 31_557_600  # seconds
OLDEST: Final = 120.0  # years; above it is a mistake
YOUNGEST: Final = 86_400  # seconds; below a day it is zero, or was written in years or days
MISSING: Final = "missing"
SEXES: Final = ("female", "male", "other", "unknown")


def age_of(session: Row) -> tuple[float | None, str]:
    """A session's age in years, and what is wrong with it; None: not usable."""
    value = session.get("age")
    if value is None:
        return None, "age missing"
    number = finite(value)
    if number is None:
        return None, "age is no number"
    if number < 0:
        return None, "age below zero"
    if number < YOUNGEST:
        return None, "age is zero" if number == 0 else "age below one day: written in years?"
    if number > OLDEST * YEAR:
        return None, f"age above {OLDEST:.0f} years"
    return number / YEAR, ""


def sex_of(subject: Row | None) -> str:
    """A subject's sex as the site has it; `missing` where it has none."""
    value = None if subject is None else subject.get("sex")
    if isinstance(value, str) and value.strip():
        return value.strip().casefold()[:40]
    return MISSING


def demographics(project: Project, path: str) -> Content:
    """The report.

    Args:
        project: with subjects and sessions.
        path: `group/label`.
    """
    rows, ages, faults = _rows(project, path)
    sexes: dict[str, int] = {}
    for subject in project.subjects.values():
        sex = sex_of(subject)
        sexes[sex] = sexes.get(sex, 0) + 1
    order = sorted(sexes, key=lambda sex: (SEXES.index(sex) if sex in SEXES else 9, sex == MISSING, sex))
    sexes = {sex: sexes[sex] for sex in order}
    total, known = len(project.subjects), [age for age in ages.values() if age is not None]
    found = summary(known)
    without = total - len(known)
    return Content(
        title="Demographics",
        subtitle=path,
        columns=("subject", "session", "sex", "age_years", "remark", "project"),
        rows=rows,
        facts=_facts(total, len(project.sessions), found, sexes),
        notes=_notes(project, total, without, sexes),
        figures=_figures(project, ages, sexes, found, total),
        tables=[_sexes(project, ages, sexes, total), *_faults(faults)],
        numbers={
            "subjects": total,
            "sessions": len(project.sessions),
            "age": {
                "n": found.n,
                "missing": without,
                "mean": found.mean,
                "sd": found.sd,
                "sd_population": found.sd_population,
                "median": found.median,
                "q1": found.q1,
                "q3": found.q3,
                "min": found.low,
                "max": found.high,
            },
            "sex": {sex: {"n": count, "share": count / total} for sex, count in sexes.items()},
        },
    )


def _rows(project: Project, path: str) -> tuple[list[list[Cell]], dict[str, float | None], list[list[Cell | Entry]]]:
    """The CSV's rows, the age of each subject, and what is wrong, visit by visit."""
    rows: list[list[Cell]] = []
    faults: list[list[Cell | Entry]] = []
    ages: dict[str, float | None] = dict.fromkeys(project.subjects)
    firsts: dict[str, Row] = {}
    for subject, session in project.visits():
        age, remark = (None, "no session") if session is None else age_of(session)
        remarks = [remark] if remark else []
        if sex_of(subject) == MISSING:
            remarks.append("sex missing")
        shown = None if age is None else round(age, 4)
        sex = "" if sex_of(subject) == MISSING else sex_of(subject)
        rows.append([label_of(subject), label_of(session), sex, shown, "; ".join(remarks), path])
        if remarks:
            faults.append([label_of(subject), label_of(session), Entry("; ".join(remarks), "warn")])
        if subject is not None and session is not None and age is not None:
            first = firsts.get(subject["id"])
            if first is None or time_key(session) < time_key(first):
                firsts[subject["id"]], ages[subject["id"]] = session, age
    return rows, ages, faults


def _facts(total: int, sessions: int, found: Summary, sexes: dict[str, int]) -> list[Fact]:
    facts = [Fact("subjects", f"{total:,}"), Fact("sessions", f"{sessions:,}")]
    facts.append(Fact("mean age, years", years(found.mean)))
    facts.append(Fact("SD of age", years(found.sd)))
    if found.low is not None:
        facts.append(Fact("age range", f"{years(found.low)} to {years(found.high)}"))
    facts += [Fact(sex, share(sexes.get(sex, 0), total)) for sex in ("female", "male")]
    absent = sexes.get(MISSING, 0) + sexes.get("unknown", 0)
    if absent:
        facts.append(Fact("sex not known", share(absent, total), "warn"))
    if total - found.n:
        facts.append(Fact("age not known", share(total - found.n, total), "warn"))
    return facts


def _notes(project: Project, total: int, without: int, sexes: dict[str, int]) -> list[str]:
    notes = []
    if not total and not project.sessions:
        notes.append("The project has no subjects and no sessions.")
    if without:
        notes.append(f"{counted(without, 'subject')} without a usable age: left out of mean and spread, listed below.")
    if sexes.get(MISSING):
        notes.append(f"{counted(sexes[MISSING], 'subject')} without sex; shares are of all subjects.")
    same = doubled(project.sessions.values(), "subject")
    if same:
        notes.append(f"Some subjects have several sessions of one label: {named(same)}. Each counts as a visit.")
    if any(session is not None and subject is None for subject, session in project.visits()):
        notes.append("Some sessions have no subject that can be read.")
    return notes


def _figures(
    project: Project, ages: dict[str, float | None], sexes: dict[str, int], found: Summary, total: int
) -> list[Figure]:
    figures = []
    if found.n:
        groups: dict[str, list[float]] = {sex: [] for sex in sexes}
        for ident, age in ages.items():
            if age is not None:
                groups[sex_of(project.subjects[ident])].append(age)
        alt = (
            f"Histogram of the age of {counted(found.n, 'subject')} by sex: from {years(found.low)} to "
            f"{years(found.high)} years, median {years(found.median)}."
        )
        filled = {sex: values for sex, values in groups.items() if values}
        figures.append(Figure("Age at the first visit", alt, Histogram(filled, "years")))
    if total:
        alt = "Bars: " + ", ".join(f"{sex} {share(count, total)}" for sex, count in sexes.items()) + "."
        figures.append(Figure("Sex", alt, Bars(sexes, "subjects", most=total, grouped=True)))
    return figures


def _sexes(project: Project, ages: dict[str, float | None], sexes: dict[str, int], total: int) -> Table:
    by_sex: dict[str, list[float]] = {sex: [] for sex in sexes}
    for ident, age in ages.items():
        if age is not None:
            by_sex[sex_of(project.subjects[ident])].append(age)
    rows: list[list[Cell]] = []
    for sex, count in [*sexes.items(), ("all", total)]:
        found = summary([age for age in ages.values() if age is not None] if sex == "all" else by_sex[sex])
        low_high = "" if found.low is None else f"{years(found.low)} to {years(found.high)}"
        rows.append(
            [
                sex,
                count,
                percent(count, total),
                found.n,
                years(found.mean),
                years(found.sd),
                years(found.median),
                low_high,
            ]
        )
    columns = ("sex", "n", "share", "with age", "mean age", "SD", "median", "range")
    return Table("Subjects by sex", columns, rows, "Ages in years at the first visit; SD is that of a sample.")


def _faults(faults: list[list[Cell | Entry]]) -> list[Table]:
    if not faults:
        return []
    note = "What is missing or cannot be right. Nothing of it enters the figures."
    return [Table("Missing or implausible", ("subject", "session", "what"), faults, note)]


def years(value: float | None) -> str:
    """A number of years for people."""
    return "" if value is None else f"{value:.1f}"


def percent(count: int, total: int) -> str:
    """A number's share of all, for people."""
    return f"{100 * count / total:.0f} %" if total else ""


def share(count: int, total: int) -> str:
    """A number and its share of all, for people."""
    return f"{count:,} ({percent(count, total)})" if total else f"{count:,}"
