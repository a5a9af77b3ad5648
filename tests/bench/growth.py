"""What a change costs as rules grow, where ten of them are about it, and where all of them are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.processes import folder
from bench.result import Options, Result, short
from bench.rules import NOW, document, each, read
from flyball.events.routing import Router
from flyball.ledger.mirror import Change
from flyball.rules.engine import Standing, judge
from flyball.rules.rule import Rule

MATCHING = 10
MOST = 1000
SIZES = (10, 100, 1000, 10_000)
RULE = """
  - id: rule-{n}
    since: all
    each: file
    scope: {{file: "{name}", project: "{project}"}}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {{on: acquisition, set: {{LOW_SNR: file.info.snr < 1.0, HIGH_FD: file.info.fd_mean > 2.5}}}}
"""


def run(options: Options) -> Result:
    """Routing and judging with more and more rules."""
    most = options.size or MOST
    rows = []
    for count in [size for size in SIZES if size < most] + [most]:
        some, every = rules(count, MATCHING), rules(count, count)
        few, many = costs(some), costs(every)
        rows.append([f"{count:,}", f"{MATCHING}", f"{short(few[0] * 1e6)} µs", f"{short(few[1] * 1e6)} µs", few[2]])
        if count > MATCHING:
            rows.append([f"{count:,}", "all", f"{short(many[0] * 1e6)} µs", f"{short(many[1] * 1e6)} µs", many[2]])
    return Result(
        ("rules", "that are about the change", "who must look", "their decisions", "decisions a second"),
        rows,
        (
            "One changed MRIQC report. Half of the other rules are about other projects, half about other files.",
            "A decision: two conditions with their explanation, and the wishes for tags. Without the ledger.",
        ),
    )


def rules(count: int, about: int) -> Sequence[Rule]:
    """So many rules, and so many of them about the document."""
    text = "version: 1\nrules:"
    for number in range(count):
        mine = number < about
        name = "*mriqc.qa*" if mine or number % 2 else f"*.image-{number}"
        project = "scien/*" if mine or not number % 2 else f"other/study-{number}"
        text += RULE.format(n=number, name=name, project=project)
    with folder() as work:
        (work / "rules.yaml").write_text(text)
        return read(work).rules


def costs(some: Sequence[Rule]) -> tuple[float, float, str]:
    """Seconds to find who must look, seconds to judge for all of them, and judgements a second."""
    found = document()
    change = replace(Change(found.node, None), project="scien/project 1")
    router = Router(some, {})
    looks = list(router.route(change))
    routing = each(lambda: list(router.route(change)), least=20, seconds=0.2)
    by_id = {rule.id: rule for rule in some}
    mine = [by_id[look.rule] for look in looks]
    standing = Standing(NOW)

    def decide() -> None:
        for rule in mine:
            judge(rule, found, standing, NOW)

    deciding = each(decide, least=3, seconds=0.2)
    return routing, deciding, f"{short(len(mine) / deciding)}/s"
