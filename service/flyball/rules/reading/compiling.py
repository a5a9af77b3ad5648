"""Compiles the expressions and templates of one rule, and keeps what its text tells: reads, profiles, remarks."""

from __future__ import annotations

from flyball.configfile.tree import Path, Written
from flyball.model.place import Problem
from flyball.rules.catalog import Fault, PathInFile
from flyball.rules.expression import Expression, ExpressionError, compile_expression
from flyball.rules.profiles import Profile
from flyball.rules.reading.names import a
from flyball.rules.reading.profile import Profiles
from flyball.rules.templates import Template, TemplateError, compile_template

FUNCTIONS = {"qc": (1, 1)}
"""The environment's functions, with the least and most number of their arguments."""


class Texts:
    """The expressions and templates of one rule.

    Attributes:
        problems: what is wrong with them.
        warnings: what is accepted and can hardly be meant.
        expressions: all that were compiled.
        texts: of all of them, templates included.
        reads: all paths that they say they read.
        profiles: those that some expression uses.
        cuts: those whose cut-offs an effect takes as they stand.
    """

    def __init__(self, written: Written, profiles: Profiles) -> None:
        self._written = written
        self._profiles = profiles
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.expressions: list[Expression] = []
        self.texts: list[str] = []
        self.reads: set[tuple[str, ...]] = set()
        self.profiles: dict[str, Profile] = {}
        self.cuts: dict[str, Profile] = {}

    def expression(self, text: str, names: frozenset[str], path: Path) -> Expression | None:
        """The compiled expression, or None after noting what is wrong at `path` of the file."""
        try:
            return self._compiled(text, names, path, ())
        except Fault as fault:
            place = self._written.place((*path, *fault.path), offset=fault.offset)
            self.problems.append(Problem(place, f"{_key(path)}: {fault}"))
            return None

    def parameter(self, text: str, names: frozenset[str], base: Path, path: PathInFile) -> Expression:
        """The compiled expression of an effect's parameter at `path` below `base`.

        Raises:
            Fault: when it is wrong.
        """
        return self._compiled(text, names, (*base, *path), path)

    def profile(self, name: str, path: PathInFile) -> Profile:
        """The profile whose cut-offs an effect's parameter at `path` names.

        Raises:
            Fault: when there is none.
        """
        profile = self._profiles.find(self._written.file, name)
        if isinstance(profile, str):
            raise Fault(path, profile)
        self.cuts[name] = profile
        return profile

    def template(self, text: str, names: frozenset[str], path: PathInFile) -> Template:
        """The compiled template of an effect's parameter.

        Raises:
            Fault: when it is wrong.
        """
        try:
            template = compile_template(text, names=names)
        except TemplateError as error:
            where = f" (line {error.line} of the text)" if error.line > 1 else ""
            raise Fault(path, f"{error.message}{where}") from None
        self.texts.append(text)
        self.reads |= template.reads
        return template

    def _compiled(self, text: str, names: frozenset[str], path: Path, fault_path: PathInFile) -> Expression:
        try:
            expression = compile_expression(text, names=names, functions=FUNCTIONS)
        except ExpressionError as error:
            raise Fault(fault_path, str(error), offset=error.column) from None
        for name, arguments in expression.calls:
            if name == "qc":
                self._use(arguments[0], names, fault_path)
        place = self._written.place(path)
        self.warnings += [Problem(place, warning) for warning in expression.warnings]
        self.expressions.append(expression)
        self.texts.append(text)
        self.reads |= expression.reads | expression.reads_below
        return expression

    def _use(self, name: object, names: frozenset[str], path: PathInFile) -> None:
        """Note that the profile is used; it must exist, and the document have one of its places."""
        if not isinstance(name, str):
            raise Fault(path, "`qc` takes the name of a profile in quotes: qc('bold-rest')")
        profile = self._profiles.find(self._written.file, name)
        if isinstance(profile, str):
            raise Fault(path, profile)
        roots = {place[0] for place in profile.places}
        if not roots & names:
            root = min(roots)
            raise Fault(path, f"qc({name!r}) reads `{root}`, which there is not here; use it where {a(root)} is known")
        self.profiles[name] = profile
        self.reads |= profile.reads


def _key(path: Path) -> str:
    return f"`{next((part for part in reversed(path) if isinstance(part, str)), 'this')}`"
