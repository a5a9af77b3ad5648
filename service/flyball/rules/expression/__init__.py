"""The language of conditions: Python's expression syntax, a closed subset, three-valued, explained and bounded.

`compile_expression` makes an `Expression`, a `Context` says what it may see, `test`, `value` and `explain` evaluate it,
and `next_flip` says when time alone may change the result.
"""

from flyball.rules.expression.context import Context, Flips
from flyball.rules.expression.errors import ExpressionError
from flyball.rules.expression.explain import Because, Explanation
from flyball.rules.expression.expression import Expression, compile_expression, next_flip
from flyball.rules.expression.values import UNKNOWN, Unknown, is_unknown

__all__ = [
    "UNKNOWN",
    "Because",
    "Context",
    "Explanation",
    "Expression",
    "ExpressionError",
    "Flips",
    "Unknown",
    "compile_expression",
    "is_unknown",
    "next_flip",
]
