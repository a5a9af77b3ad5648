"""Templates in text fields: Jinja over the rule's names, cut down until nothing in it can hurt.

Every part of a template must be on a list of allowed parts, every filter is our own and bounded, loops and the text
have bounds, and attributes are keys of documents only. What is missing, null or unknown is written as `?`: a message
must go out even when a label is not there. Values are not escaped; whoever puts the text into HTML escapes it there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from jinja2 import ChainableUndefined, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from flyball.rules.expression.values import Unknown
from flyball.rules.template_checking import LOOP_FIELDS, TESTS, Checker, TemplateError
from flyball.rules.template_filters import FILTERS, OUTPUT, State, below, compare, seen, written

TEXT: Final = 20_000
"""Characters of a template."""

_STATE: Final = "__state"


class Template:
    """A compiled template. Made by `compile_template`; never changes.

    Attributes:
        text: what it was compiled from.
        reads: the paths that it reads, each as its root name and the literal keys below it.
    """

    __slots__ = ("_compiled", "_missing", "_tree", "reads", "text")

    def __init__(self, text: str, reads: frozenset[tuple[str, ...]], tree: nodes.Template | None, missing: str) -> None:
        self.text = text
        self.reads = reads
        self._tree = tree
        self._compiled: Any = None
        self._missing = missing

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def render(self, names: Mapping[str, Any]) -> str:
        """The text with the values filled in, at most 4,000 characters; what is missing is `?`. Never raises."""
        return self._filled(names)[0]

    def fill(self, names: Mapping[str, Any]) -> str | Unknown:
        """The same for texts that name something (a label, a folder): unknown as soon as one value is missing."""
        text, holes, whole = self._filled(names)
        if holes:
            return Unknown(f"a value that `{self.text[:80]}` needs is missing", "absent")
        return text if whole else Unknown(f"stopped: the text is longer than {OUTPUT:,} characters", "unusable")

    def _filled(self, names: Mapping[str, Any]) -> tuple[str, int, bool]:
        if self._compiled is None:
            if self._tree is None:
                return self.text, 0, True
            self._compiled = _compiled(self._tree)
            self._tree = None
        state = State(self._missing)
        known = {root: _offered(names[root]) for root in {path[0] for path in self.reads} if root in names}
        pieces: list[str] = []
        length = 0
        for piece in self._compiled.generate({**known, _STATE: state}):
            pieces.append(piece)
            length += len(piece)
            if length > OUTPUT:
                return "".join(pieces)[: OUTPUT - 1] + "…", state.holes, False
        return "".join(pieces), state.holes, True


def compile_template(text: str, *, names: Collection[str], missing: str = "?") -> Template:
    """Compiles a template.

    Args:
        text: the template; without `{{`, `{%` or `{#` it is taken as it is.
        names: the root names it may read.
        missing: what is written for a value that is missing, null or unknown.

    Raises:
        TemplateError: for what is not allowed, unknown names and filters, and texts that are too long.
    """
    if len(text) > TEXT:
        raise TemplateError(f"the text has more than {TEXT:,} characters")
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return Template(text, frozenset(), None, missing)
    try:
        tree = _ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateError((error.message or "this is no template").rstrip("."), error.lineno) from None
    except (RecursionError, MemoryError, ValueError):
        raise TemplateError("the template is nested too deep, or has forbidden characters") from None
    checker = Checker(frozenset(names))
    checker.check(tree)
    return Template(text, frozenset(checker.reads), tree, missing)


class _Hole(ChainableUndefined):
    """A value that is not there; whatever is asked of it is not there either."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("nothing can be called in a template")


class _Rebuild(NodeTransformer):
    """Turns loops and comparisons into calls of our own bounded and forgiving ones."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the visitor's own spelling
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "_each", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - the visitor's own spelling
        self.generic_visit(node)
        arguments: list[nodes.Expr] = []
        for operand in node.ops:
            arguments += [nodes.Const(operand.op, lineno=node.lineno), operand.expr]
        return nodes.Filter(node.expr, "_compare", arguments, [], None, None, lineno=node.lineno)


class _Environment(ImmutableSandboxedEnvironment):
    """Reaches keys of objects and elements of lists, nothing else."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, LoopContext):
            return getattr(obj, argument) if argument in LOOP_FIELDS else _Hole()
        return _offered(below(obj, argument))


@pass_context
def _finalize(context: Context, value: Any) -> str:
    state: State = context[_STATE]
    value = _given(value)
    if value is None:
        state.holes += 1
        return state.missing
    return written(value)


@pass_context
def _each(context: Context, value: Any) -> Iterator[Any]:
    state: State = context[_STATE]
    for element in value if isinstance(value, list | tuple) else ():
        if state.left <= 0:
            return
        state.left -= 1
        yield _offered(element)


def _given(value: Any) -> Any:
    """From the template to the filters: what is not there becomes None."""
    return None if isinstance(value, Undefined) else seen(value)


def _offered(value: Any) -> Any:
    """From the filters to the template: None becomes what is not there."""
    value = seen(value)
    return _Hole() if value is None else value


def _as_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def apply(context: Context, value: Any, *arguments: Any, **named: Any) -> Any:
        given = [_given(each) for each in arguments]
        return _offered(function(context[_STATE], _given(value), *given, **{key: _given(named[key]) for key in named}))

    return apply


def _compiled(tree: nodes.Template) -> Any:
    """Jinja's own template of a checked tree; done at first use, for it is what takes the time."""
    code = _ENVIRONMENT.compile(_Rebuild().visit(tree))
    return _ENVIRONMENT.template_class.from_code(_ENVIRONMENT, code, {})


def _environment() -> _Environment:
    environment = _Environment(undefined=_Hole, finalize=_finalize, optimized=False, autoescape=False, cache_size=0)
    environment.keep_trailing_newline = True
    environment.globals.clear()
    environment.filters.clear()
    environment.filters.update({name: _as_filter(function) for name, function in FILTERS.items()})
    environment.filters.update(_each=_each, _compare=_as_filter(compare))
    environment.tests = dict(TESTS)
    return environment


_ENVIRONMENT: Final = _environment()

__all__: Sequence[str] = ("Template", "TemplateError", "compile_template")
