"""Random expressions, and random documents as dirty as those of a real site."""

from __future__ import annotations

from hypothesis import strategies as st

ROOTS = ("doc", "items", "flag")
KEYS = ("x", "y", "z", "created", "k k")
TEXTS = ("", "a", "b", "ab", "A", "2026-11-01T00:00:00Z", "2026-11-01")
NUMBERS = (0, 1, -1, 2, 3, 0.5, -2.5, 7)

scalars = st.sampled_from(
    [None, float("nan"), float("inf"), True, False, *TEXTS, *NUMBERS, 1e200, 10**299]
)  # fmt: skip
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
worlds = st.fixed_dictionaries(
    {
        "doc": st.dictionaries(st.sampled_from(KEYS), documents, max_size=5) | documents,
        "items": st.lists(st.dictionaries(st.sampled_from(KEYS), documents, max_size=3) | documents, max_size=4)
        | documents,
    },
    optional={"flag": st.sampled_from([True, False, None, [], ["a"]])},
)


@st.composite
def paths(draw: st.DrawFn, variables: tuple[str, ...]) -> str:
    """A root or loop variable with some steps below it."""
    text = draw(st.sampled_from((*ROOTS, *variables)))
    for _ in range(draw(st.integers(0, 3))):
        text += draw(st.sampled_from((".x", ".y", ".z", ".created", "['k k']", "[0]", "[-1]", "[1:]", "[:-1]")))
    return text


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3, variables: tuple[str, ...] = ()) -> str:
    """Any expression; kinds are mixed on purpose, so that many parts are unknown."""

    def sub(more: tuple[str, ...] = ()) -> str:
        return draw(expressions(depth - 1, (*variables, *more)))

    def loop() -> str:
        name = f"v{len(variables)}"
        source = draw(paths(variables)) if draw(st.booleans()) else sub()
        test = f" if {sub((name,))}" if draw(st.booleans()) else ""
        return f"{sub((name,))} for {name} in {source}{test}"

    if depth <= 0 or draw(st.integers(0, 5)) == 0:
        literal = draw(st.sampled_from((*map(str, NUMBERS), *map(repr, TEXTS), "true", "false", "null", "now", "[]")))
        return draw(paths(variables)) if draw(st.integers(0, 2)) else literal
    match draw(st.integers(0, 14)):
        case 0:
            return f"({sub()} {draw(st.sampled_from(('and', 'or')))} {sub()} {draw(st.sampled_from(('and', 'or')))} {sub()})"
        case 1:
            return f"(not {sub()})"
        case 2 | 3:
            op = draw(st.sampled_from(("==", "!=", "<", "<=", ">", ">=")))
            return f"({sub()} {op} {sub()})"
        case 4:
            ops = [draw(st.sampled_from(("==", "<", ">=", "in", "not in"))) for _ in range(2)]
            return f"({sub()} {ops[0]} {sub()} {ops[1]} {sub()})"
        case 5:
            return f"({sub()} {draw(st.sampled_from(('in', 'not in')))} {sub()})"
        case 6:
            return f"({sub()} {draw(st.sampled_from('+-*/%'))} {sub()})"
        case 7:
            return f"({sub()} if {sub()} else {sub()})"
        case 8:
            return f"[{sub()}, {sub()}]"
        case 9:
            return f"{draw(st.sampled_from(('any', 'all')))}({loop()})"
        case 10:
            return f"{draw(st.sampled_from(('len', 'sum', 'min', 'max', 'sorted')))}({loop()})"
        case 11:
            return f"[{loop()}]"
        case 12:
            name = draw(
                st.sampled_from(
                    (
                        "len",
                        "sum",
                        "min",
                        "max",
                        "sorted",
                        "abs",
                        "round",
                        "lower",
                        "upper",
                        "days",
                        "date",
                        "any",
                        "all",
                    )
                )
            )
            return f"{name}({sub()})"
        case 13:
            return f"{draw(st.sampled_from(('coalesce', 'startswith', 'endswith', 'min', 'max')))}({sub()}, {sub()})"
        case _:
            path = draw(paths(variables))
            return draw(
                st.sampled_from(
                    (f"has({path})", f"matches({path}, '^a')", f"glob({path}, 'a*')", f"(-{path})", f"{path}[{sub()}]")
                )
            )


@st.composite
def moving_numbers(draw: st.DrawFn, depth: int = 2) -> str:
    """A number made of the present time by steps that keep it piecewise linear."""
    if depth == 0:
        return draw(
            st.sampled_from(("hours(now - doc.created)", "hours(now - doc.z.created)", "hours(doc.created - now)"))
        )
    inner = draw(moving_numbers(depth - 1))
    constant = draw(st.sampled_from(("1", "2.5", "-3", "0.125")))
    other = draw(moving_numbers(depth - 1)) if draw(st.booleans()) else constant
    form = draw(st.sampled_from(("({i} + {o})", "({i} - {o})", "({i} * {c})", "({c} * {i})", "({i} / {c})", "({i} % {c})",
        "(-{i})", "abs({i})", "round({i})", "round({i}, 1)", "min({i}, {o})", "max({i}, {o})", "sum([{i}, {o}])",
        "sorted([{i}, {o}])[0]", "({i} if {i} > {o} else {o})")))  # fmt: skip
    return form.format(i=inner, o=other, c=constant)


@st.composite
def moving_conditions(draw: st.DrawFn) -> str:
    """A condition on such numbers."""
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        limit = draw(st.sampled_from(("0", "3", "10.5", "-4", "flag", "doc.x")))
        op = draw(st.sampled_from(("<", "<=", ">", ">=")))
        parts.append(f"({draw(moving_numbers())} {op} {limit})")
    return draw(st.sampled_from((" and ", " or "))).join(parts)
