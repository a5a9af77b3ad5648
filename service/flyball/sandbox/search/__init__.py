"""Structured search as the site answers it: the query language, the index behind it, and its lag."""

from flyball.sandbox.search.index import Entry, SearchIndex
from flyball.sandbox.search.language import QueryError, parse
from flyball.sandbox.search.matching import compile_query

__all__ = ["Entry", "QueryError", "SearchIndex", "compile_query", "parse"]
