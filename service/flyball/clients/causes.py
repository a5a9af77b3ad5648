"""What went wrong with an exchange, in words for people that hold no secrets. Part of aiohttp's client door."""

from __future__ import annotations

import aiohttp

from flyball.clients.exchange import trimmed


def cause_of(error: Exception) -> str:
    """What happened, in words that hold no secrets."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted ({trimmed(str(error.certificate_error), limit=120)})"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no secure connection could be made (does the site speak https on this port?)"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection within the time limit"
    if isinstance(error, TimeoutError):
        return "no answer within the time limit"
    if isinstance(error, aiohttp.ClientConnectorError):
        return trimmed(error.os_error.strerror or type(error.os_error).__name__, limit=120)
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed before an answer"
    if isinstance(error, OSError):
        return trimmed(error.strerror or type(error).__name__, limit=120)
    return f"the answer is no proper HTTP ({type(error).__name__})"
