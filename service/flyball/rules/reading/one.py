"""One rule: from its entry in a file to a compiled `Rule`, or to everything that is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import ValidationError

from flyball.configfile.problems import problems_of
from flyball.configfile.suggest import instead
from flyball.configfile.tree import Map, Path, Written
from flyball.model.levels import HIERARCHY, Level, above, below
from flyball.model.place import Place, Problem
from flyball.model.search import Search
from flyball.rules.defaults import with_defaults
from flyball.rules.matrix import Cell, cell_rule_id
from flyball.rules.reading import scouting
from flyball.rules.reading.compiling import Texts
from flyball.rules.reading.doing import Doing
from flyball.rules.reading.matrix import read_matrix
from flyball.rules.reading.meaning import meaning_of, version_of
from flyball.rules.reading.models import DefaultsForm, ExpectedForm, RuleForm, SelectForm
from flyball.rules.reading.names import a, in_order, names_at, names_below, wrong_name
from flyball.rules.reading.profile import Profiles
from flyball.rules.reading.result import RuleTest
from flyball.rules.reading.siting import site_of
from flyball.rules.reading.static import levels_below, own_needs, reads_of, rests_on_of, sources_of, with_runs
from flyball.rules.reading.surroundings import Surroundings
from flyball.rules.rule import (
    Expected,
    JobTrigger,
    Limits,
    Mode,
    Retry,
    Rule,
    ScheduleTrigger,
    Selection,
    Since,
    Triggers,
    WhenOver,
)
from flyball.rules.scope import Scope, compile_globs

NOT_FOR_CELLS = frozenset(("scope", "settle", "since"))  # of `defaults`: what is about containers and their data


class RuleReader:
    """Reads one entry of `rules`.

    Attributes:
        ident: the rule's id as written, None where there is none.
        problems, warnings, tests: after `read`.
    """

    def __init__(
        self,
        written: Written,
        index: int,
        defaults: DefaultsForm | None,
        surroundings: Surroundings,
        profiles: Profiles,
    ) -> None:
        self._written = written
        self._base: Path = ("rules", index)
        self._entry = written.root["rules"][index]
        self._defaults = defaults
        self._around = surroundings
        self._texts = Texts(written, profiles)
        ident = self._entry.get("id") if isinstance(self._entry, Map) else None
        self.ident: str | None = ident if isinstance(ident, str) else None
        self.problems: list[Problem] = self._texts.problems
        self.warnings: list[Problem] = self._texts.warnings
        self.tests: list[RuleTest] = []

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Where something of the rule stands."""
        return self._written.place((*self._base, *path), key=key)

    def read(self) -> list[Rule]:
        """The rule, or one for each cell of its matrix; none when there are problems."""
        if not isinstance(self._entry, Map):
            self._wrong("a rule is a mapping that begins with `id:`")
            return []
        doing = Doing(self._written, (*self._base, "do"), self._texts, self._around)
        doing.check(self._entry.get("do"))
        form = self._form()
        if form is None:
            return []
        scouting.check(form, self._around.site_kinds, doing.kinds, self._wrong)
        if self.problems:
            return []
        each = Level(form.each)
        cells = self._cells(form, each)
        site = site_of(form, self._around.site_kinds, doing.kinds, self._wrong)
        scope = self._scope(form, each)
        trigger = self._triggers(form)
        let, select, order = self._own_names(form, each)
        names = self._names(form, each) | frozenset(order)
        condition = (
            None if form.condition is None else self._texts.expression(form.condition, names, (*self._base, "if"))
        )
        expected = self._expected(form, each)
        notify = self._defaults.notify if self._defaults is not None else None
        self._check_notify(notify)
        do = doing.compile(each, names, notify, site, sources_of(let, select))
        trigger = with_runs(trigger, do)
        if self.problems or site is None:
            return []
        since, texts = form.since, self._texts
        used = {**texts.profiles, **texts.cuts}
        meaning = meaning_of(form, site, doing.meaning, notify if doing.uses_notify else None, used)
        known = frozenset(str(level) for level in Level) | {"group", "gear", "event"}
        reads = reads_of(texts.reads, texts.texts, select, known)
        self.tests = self._own_tests(form)
        rests_on = rests_on_of(do)
        needed = partial(
            levels_below,
            each,
            select=select,
            expect=expected,
            expressions=texts.expressions,
            reads=reads,
            texts=texts.texts,
        )
        whole = Rule(
            id=form.id,
            title=form.title or form.id,
            site=site,
            each=each,
            place=self.place(),
            version=version_of(meaning, cells if each is Level.MATRIX else None),
            do=do,
            trigger=trigger,
            scope=scope,
            settle=form.settle,
            let=let,
            select=select,
            order=order,
            expect=expected,
            condition=condition,
            when_over=None if form.when_over is None else WhenOver(form.when_over),
            since=since,
            mode=Mode(form.mode),
            limits=Limits(form.limits.running, form.limits.per_day, form.limits.canary),
            retry=None if form.retry is None else Retry(form.retry.attempts, *form.retry.backoff),
            below=needed(settle=form.settle, since=since),
            reads=reads,
            profiles=frozenset(texts.profiles),
            peers=frozenset(name for name, profile in texts.profiles.items() if profile.peered),
            cells={cell.id: cell for cell in cells} if each is Level.MATRIX else {},
            rests_on=rests_on,
            summed=bool(rests_on) and not needed(settle=timedelta(0), since=Since(everything=True)),
        )
        if each is Level.MATRIX or form.matrix is None:
            return [whole]
        return [
            replace(
                whole,
                id=cell_rule_id(whole.id, cell),
                title=f"{whole.title} ({cell.path})",
                version=version_of(meaning, [cell]),
                matrix=cell.values,
                parent=whole.id,
            )
            for cell in cells
        ]

    def _form(self) -> RuleForm | None:
        raw = self._written.root.get("defaults") or {}
        if self._entry.get("each") == Level.MATRIX:
            raw = {key: value for key, value in raw.items() if key not in NOT_FOR_CELLS}
        try:
            return RuleForm.model_validate(with_defaults(self._entry, raw))
        except ValidationError as error:
            self.problems += problems_of(error, self._written, RuleForm, self._base)
            return None

    def _names(self, form: RuleForm, each: Level) -> frozenset[str]:
        return names_at(each, expects=form.expect is not None, matrix=form.matrix or ())

    def _cells(self, form: RuleForm, each: Level) -> list[Cell]:
        names = names_at(each, expects=form.expect is not None)
        cells = read_matrix(form.matrix, own=(*form.let, *form.select), names=names, wrong=self._wrong)
        if each is Level.MATRIX and form.settle:
            self._wrong("a cell has nothing below it that could be quiet; leave `settle` out", "settle")
        if each is Level.MATRIX and "since" in self._entry:
            self.warnings.append(Problem(self.place("since"), "a cell is no data, so `since` changes nothing here"))
        for index, trigger in enumerate(form.trigger):
            if each is Level.MATRIX and not isinstance(trigger, str) and trigger.job is not None:
                self._wrong("a gear job belongs to no cell; look with changed, startup, schedule", "trigger", index)
        return cells

    def _wrong(self, message: str, *path: str | int, key: bool = False) -> None:
        self.problems.append(Problem(self.place(*path, key=key), message))

    def _scope(self, form: RuleForm, each: Level) -> Scope:
        """The compiled globs; a level that the target cannot have would leave everything out."""
        levels = {}
        own = {str(level) for level in (*above(each), each)}
        for name in type(form.scope).model_fields:
            globs = getattr(form.scope, name)
            if not globs:
                continue
            fits = each in (Level.JOB, Level.ANALYSIS) if name == "gear" else name in own
            if not fits:
                self._wrong(f"a rule on each {each} has no {name}, so `scope.{name}` fits nothing", "scope", name)
            levels[name] = compile_globs(name, globs)
        return Scope(levels)

    def _triggers(self, form: RuleForm) -> Triggers:
        words = {entry for entry in form.trigger if isinstance(entry, str)}
        jobs: list[JobTrigger] = []
        schedules: list[ScheduleTrigger] = []
        webhooks: list[str] = []
        analyses: list[str] = []
        for index, entry in enumerate(form.trigger):
            if isinstance(entry, str):
                continue
            analyses += entry.analysis or ()
            if entry.job is not None:
                jobs.append(JobTrigger(frozenset(entry.job), entry.gear or ("*",)))
            if entry.schedule is not None:
                schedules.append(ScheduleTrigger(entry.schedule, entry.zone or "UTC"))
            if entry.webhook is not None:
                webhooks.append(entry.webhook)
                hooks = self._around.hooks
                if hooks is not None and entry.webhook not in hooks:
                    message = f"there is no hook `{entry.webhook}` in the settings; {instead(entry.webhook, hooks)}"
                    self._wrong(message, "trigger", index, "webhook")
        return Triggers(
            "changed" in words, "startup" in words, tuple(jobs), tuple(schedules), tuple(webhooks), frozenset(analyses)
        )

    def _own_names(
        self, form: RuleForm, each: Level
    ) -> tuple[tuple[tuple[str, Any], ...], tuple[Selection, ...], tuple[str, ...]]:
        """`let` and `select`, compiled, and the order in which they are worked out."""
        for key, given in (("let", list(form.let)), ("select", list(form.select))):
            for name in given:
                message = wrong_name(name, form.let if key == "select" else ())
                if message:
                    self._wrong(message, key, name, key=True)
        own = {**form.let, **form.select}
        names = self._names(form, each) | frozenset(own)
        let: dict[str, Any] = {}
        for name, text in form.let.items():
            expression = self._texts.expression(text, names, (*self._base, "let", name))
            if expression is not None:
                let[name] = expression
        select = {
            name: selection
            for name, entry in form.select.items()
            if (selection := self._selection(name, entry, each, names)) is not None
        }
        needs = {name: own_needs([expression], own) for name, expression in let.items()}
        needs |= {name: own_needs([one.condition, *one.order], own) for name, one in select.items()}
        # As written where nothing forces another order: `let` and `select` in the order in which the rule has them.
        keys = [key for key in self._entry if key in ("let", "select")]
        written = [name for key in keys for name in (form.let if key == "let" else form.select) if name in needs]
        order, cycle = in_order({name: needs[name] for name in written})
        if cycle:
            key = "let" if cycle[0] in form.let else "select"
            self._wrong(f"{' needs '.join(f'`{name}`' for name in cycle)}; break the circle", key, cycle[0], key=True)
        return tuple(let.items()), tuple(select.values()), order

    def _selection(self, name: str, form: SelectForm, each: Level, names: frozenset[str]) -> Selection | None:
        word, text = ("files", form.files) if form.files is not None else ("acquisitions", form.acquisitions)
        level = Level.FILE if word == "files" else Level.ACQUISITION
        search: Search | None = None
        if form.search is not None:
            word, text, level = "returns", "true", Level(str(form.returns))
            search = Search(form.search.strip(), level)
        path = (*self._base, "select", name)
        if level not in below(each):
            message = f"{a(each)} has no {level}s below it; `select` is for rules on levels above"
            self._wrong(message, "select", name, word)
            return None
        here = names | names_below(each, level)
        condition = self._texts.expression(text or "", here, (*path, word))
        order = [
            self._texts.expression(key, here, (*path, "order", index)) for index, key in enumerate(form.order or ())
        ]
        if condition is None or None in order:
            return None
        return Selection(name, level, condition, tuple(key for key in order if key is not None), form.max, search)

    def _expected(self, form: RuleForm, each: Level) -> tuple[Expected, ...] | None:
        if form.expect is None:
            return None
        if each not in HIERARCHY or Level.ACQUISITION not in below(each):
            self._wrong(f"{a(each)} has no acquisitions below it; `expect` is for levels above", "expect")
        return tuple(_expected(entry) for entry in form.expect.acquisitions)

    def _check_notify(self, notify: str | None) -> None:
        channels = self._around.channels
        if notify is not None and channels is not None and notify not in channels:
            message = f"there is no channel `{notify}` in the settings; {instead(notify, channels)}"
            self.problems.append(Problem(self._written.place(("defaults", "notify")), message))

    def _own_tests(self, form: RuleForm) -> list[RuleTest]:
        return [
            RuleTest(form.id, self.place("tests", index), test.given, test.expect, test.name)
            for index, test in enumerate(form.tests)
        ]


def _expected(form: ExpectedForm) -> Expected:
    """The entry with its numbers: a bare label means at least one; `at_most` alone says nothing about least."""
    if form.count is not None:
        least, most = form.count, form.count
    else:
        least = form.at_least if form.at_least is not None else 0 if form.at_most is not None else 1
        most = form.at_most  # type: ignore[assignment] # None: no bound
    title = form.title or form.label or form.match or ""
    return Expected(title, form.label, form.match, least, most)
