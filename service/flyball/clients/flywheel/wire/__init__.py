"""The Flywheel core API as functions: a purpose becomes a `Request`, an answer becomes values. Pure.

Nothing here knows a socket, a clock or the error tree of answers; it can be read beside the API's own description.
"""
