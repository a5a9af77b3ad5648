"""What is wrong with an expression, said to the person who wrote it."""

from __future__ import annotations

from flyball.model.errors import ConfigError


class ExpressionError(ConfigError):
    """An expression that cannot be accepted.

    Args:
        message: what is wrong, in one sentence without a full stop.
        column: where, as a 0-based count of characters from the start of the expression's text.
        remedy: what would be right; may be empty.
    """

    def __init__(self, message: str, column: int = 0, remedy: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.message = message
        self.column = column
        self.remedy = remedy
