"""How ids, dates and operators are spelled in this site's filters, shown on one object that is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from flyball.clients.flywheel import filters
from flyball.clients.flywheel.client import Row
from flyball.clients.flywheel.dialect import DateForm, Dialect, Spelling
from flyball.clients.flywheel.filters import Condition
from flyball.clients.flywheel.probe.asking import Asking, parent_of, time_of
from flyball.clients.flywheel.wire.levels import FIRST_ID

_SECOND = timedelta(seconds=1)


async def spelling(asking: Asking, level: str, row: Row) -> None:
    """Ids, dates and operators: all at once, and one by one only where that fails. The row has both times."""
    created, modified = time_of(row, "created"), time_of(row, "modified")
    if created is None or modified is None:
        return
    own = Condition(f"_id={row['id']}", "_id")
    project = parent_of(row, "project")
    above = [Condition(f"parents.project={project}", "parents.project")] if project else []
    conditions = [
        filters.compared("created", "=", created, DateForm.NAIVE),
        filters.compared("modified", ">=", modified, DateForm.NAIVE),
        filters.compared("created", "<", created + _SECOND, DateForm.NAIVE),
        filters.matches("label", "."),
    ]
    if await asking.finds(level, row, own, *above, *conditions):
        asking.found |= {"object_ids": Spelling.BARE, "date_form": DateForm.NAIVE}
        asking.operators |= dict.fromkeys(("=", ">=", "<", "=~"), True)
    else:
        await _one_by_one(asking, level, row, created, modified)
    if asking.found.get("date_form") and asking.found.get("object_ids"):
        await _controls(asking, level, row, created)


async def _controls(asking: Asking, level: str, row: Row, created: datetime) -> None:
    """A condition that must find nothing, and a list of values."""
    own = filters.identified("_id", row["id"], Dialect(object_ids=asking.found["object_ids"]))
    if await asking.finds(level, row, own, filters.compared("created", "<", created, asking.found["date_form"])):
        asking.operators["<"] = False
        asking.found["date_form"] = None
        asking.say("a filter `created<T` also returns what was created at T: dates in filters are not to be relied on")
    label = str(row.get("label") or "")
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", label) and label not in ("null", "true", "false")
    either = f"label=|[{label},fb-no-such-label]" if plain else f"_id=|[{row['id']},{FIRST_ID}]"
    asking.operators["=|"] = await asking.finds(level, row, own, Condition(either, "label"))
    if not asking.operators["=|"]:
        asking.say("lists of values in filters (`=|[a,b]`) do not work; one request per value is made instead")


async def _one_by_one(asking: Asking, level: str, row: Row, created: datetime, modified: datetime) -> None:
    for chosen in Spelling:
        own = filters.identified("_id", row["id"], Dialect(object_ids=chosen))
        if await asking.finds(level, row, own):
            break
    else:
        asking.say("an object that is there cannot be found by `_id`, quoted or not: filters are not to be relied on")
        return
    asking.found["object_ids"] = chosen
    if chosen is not Spelling.BARE:
        asking.say("ids in filters must be quoted on this site")
    project = parent_of(row, "project")
    if project is not None:
        above = filters.identified("parents.project", project, Dialect(object_ids=chosen))
        if not await asking.finds(level, row, own, above):
            asking.say("`parents.project` does not find an object by its project")
    form = await _date_form(asking, level, row, own, created)
    if form is None:
        asking.say("no spelling of dates finds an object by its time of creation: changes cannot be polled")
        return
    asking.found["date_form"] = form
    if form is not DateForm.NAIVE:
        asking.say(f"dates in filters must be written as {filters.date(created, form)}")
    tried = {
        ">=": filters.compared("modified", ">=", modified, form),
        "<": filters.compared("created", "<", created + _SECOND, form),
        "=~": filters.matches("label", "."),
    }
    for operator, condition in tried.items():
        asking.operators[operator] = await asking.finds(level, row, own, condition)
        if not asking.operators[operator]:
            asking.say(f"the filter operator {operator} does not find what it should")


async def _date_form(asking: Asking, level: str, row: Row, own: Condition, created: datetime) -> DateForm | None:
    """The first spelling that finds the row: to the microsecond, or within a second (times may be shown cut off)."""
    for form in DateForm:
        exactly = filters.compared("created", "=", created, form)
        if await asking.finds(level, row, own, exactly):
            return form
        if await asking.finds(level, row, own, *filters.same_second("created", created, form)):
            return form
    return None


async def order(asking: Asking, sessions: Sequence[Row]) -> None:
    """One poll as the daemon makes it: `modified>=T` sorted by it must begin with the row changed at T."""
    form = asking.found.get("date_form")
    times = sorted({time for row in sessions if (time := time_of(row, "modified"))})
    if form is None or len(times) < 2:
        return
    since = times[1]
    condition = filters.where(filters.compared("modified", ">=", since, form))
    rows = await asking.rows("session", filter=condition, sort="modified:asc", limit=2)
    got = [time for row in rows or () if (time := time_of(row, "modified"))]
    if got and got[0] < since - timedelta(milliseconds=1):
        asking.operators[">="] = False
        asking.say("a filter `modified>=T` also returns older rows: the site does not understand it")
    elif rows is None or got != sorted(got) or (got and got[0] > max(times)):
        asking.found["sort"] = False
        asking.say("lists cannot be sorted by `modified` on this site")
    elif got:
        # another first row: that one was changed just now, or the site shows times cut off
        asking.found["sort"] = True if abs(got[0] - since) < timedelta(milliseconds=1) else None
