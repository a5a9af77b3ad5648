"""The front door of the emulated Neuroscout server: which handler answers, errors included."""

from flyball.sandbox.api.call import Reply, Request
from flyball.sandbox.scout.api import analyses, catalogue, people, predictors, work
from flyball.sandbox.scout.api.call import Addresses, Call, error_page, json_reply, web_page
from flyball.sandbox.scout.errors import Dropped, Page, Refusal, TokenRefusal
from flyball.sandbox.scout.state import Scout

DROPPED = Reply(status=0)
"""No answer: the connection is closed."""


def _all_addresses() -> Addresses:
    addresses = Addresses()
    for module in (people, catalogue, predictors, analyses, work):
        module.routes(addresses)
    return addresses


ADDRESSES = _all_addresses()


def answer(scout: Scout, request: Request) -> Reply:
    """Carry out a request below `/api` as of `scout.now`; status 0 stands for a closed connection."""
    try:
        found = ADDRESSES.find(request.method, request.segments)
        if found is None:
            return web_page()
        handler, args = found
        return handler(Call(scout, request, args))
    except Refusal as refusal:
        return json_reply({"message": refusal.message}, refusal.status)
    except TokenRefusal as refusal:
        return json_reply({"description": refusal.description, "error": refusal.error, "status_code": 401}, 401)
    except Page as page:
        return error_page(page.status)
    except Dropped:
        return DROPPED


def table(scout: Scout, segments: list[str]) -> Reply:
    """`/reports/HASH/NAME.tsv`, public: a report's table; the web page where there is none."""
    if len(segments) == 2 and segments[0] in scout.analyses:
        for report in reversed(scout.analyses[segments[0]].reports):
            if segments[1] in report.tables:
                content = report.tables[segments[1]].encode()
                return Reply(raw=content, content_type="text/tab-separated-values; charset=utf-8")
    return web_page()
