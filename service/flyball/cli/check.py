"""`flyball check`: settings and rules; `--online`: the sites' keys, and the gears that rules name."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flyball.cli.common import Lab, load_lab, show_rejected
from flyball.cli.looping import run_loop_value
from flyball.cli.progress import working
from flyball.cli.saying import FINE, USAGE, Exit, options, out, say_json
from flyball.cli.scouting import check_scout
from flyball.clients.flywheel.probe import probe
from flyball.effects.installed import Origin, installed
from flyball.effects.launch import LaunchEntry
from flyball.effects.manifest import manifest_slots
from flyball.effects.tag import TagEntry
from flyball.model.errors import SiteError
from flyball.model.levels import Level
from flyball.settings import FlywheelSite
from flyball.sites import connect


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("check")(check)


def check(
    *,
    online: Annotated[bool, typer.Option("--online", help="Also ask the sites: keys, permissions, gears.")] = False,
) -> None:
    """Check settings and rules; exit code 2 when something must be mended."""
    lab = load_lab()
    findings: list[dict[str, Any]] = []
    if online:
        with working("Asking the sites"):
            findings = run_loop_value(_online(lab))
    problems = [str(rejected) for rejected in lab.rules.rejected]
    kinds = installed()
    bad = bool(problems or kinds.broken) or any(not finding["ok"] for finding in findings)
    if options.json:
        say_json(
            {
                "rules": {"loaded": [rule.id for rule in lab.rules.rules], "rejected": problems},
                "warnings": [str(warning) for warning in lab.rules.warnings],
                "sites": findings,
                "kinds": [_kind_json(origin) for origin in kinds.origins],
            }
        )
    else:
        show_rejected(lab.rules)
        for finding in findings:
            sign = "ok  " if finding["ok"] else "FAIL"
            out.print(f"{sign} {finding['site']}: {finding['what']}", markup=False)
        names = ", ".join(origin.kind for origin in kinds.origins if not origin.where)
        out.print(f"effect kinds: {names}", markup=False)
        for origin in kinds.brought:
            if not origin.error:
                out.print(f"effect kind {origin}", markup=False)
        files = len(lab.rules.files)
        out.print(f"{len(lab.rules.rules)} rules in {files} files, {len(problems)} refused", markup=False)
    raise Exit(USAGE if bad else FINE)


def _kind_json(origin: Origin) -> dict[str, Any]:
    """A kind, where it comes from (`module:attribute` of a package's), and why it cannot be used."""
    return {
        "kind": origin.kind,
        "package": origin.package,
        "where": origin.where or None,
        "error": origin.error or None,
    }


async def _online(lab: Lab) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = []
    for name, settings in lab.settings.sites.items():

        def say(what: str, *, ok: bool = True, site: str = name) -> None:
            finding = {"site": site, "ok": ok, "what": lab.secrets.mask(what)}
            if finding not in findings:  # the cells of one rule have much in common
                findings.append(finding)

        if not isinstance(settings, FlywheelSite):
            await check_scout(lab, name, settings, say)
            continue
        parts = connect(name, settings)

        try:
            dialect = parts.client.dialect = await probe(parts.client)
            say(f"{parts.address} answers; the key is {dialect.user_id}'s{' (site admin)' if dialect.admin else ''}")
            for finding in dialect.findings:
                say(f"differs: {finding}")
            await _projects(lab, name, parts.client, say)
            await _gears(lab, name, parts.client, say)
            await _searches(lab, name, parts.client, say)
        except SiteError as error:
            say(f"{error}; check the key and {parts.address}", ok=False)
        finally:
            await parts.client.close()
    return findings


async def _projects(lab: Lab, site: str, client: Any, say: Any) -> None:
    """Whether each project glob of the rules finds a project, and whether the key may write there."""
    paths: dict[str, Any] = {}
    async for rows in client.iterate("project", include_all_info=False):
        for row in rows:
            group = row.get("group") or (row.get("parents") or {}).get("group") or ""
            paths[f"{group}/{row.get('label')}"] = row
    for rule in lab.rules.rules:
        globs = rule.scope.levels.get(str(Level.PROJECT))
        if rule.site != site or globs is None:
            continue
        found = [path for path in paths if globs.match(path)]
        if not found:
            say(f"rule {rule.written_as}: no project that this key sees fits {', '.join(globs.written)}", ok=False)
        for path in found:
            mine = [one for one in paths[path].get("permissions") or () if one.get("_id") == client.dialect.user_id]
            if any(one.get("access") == "ro" for one in mine) and not client.dialect.admin:
                say(f"rule {rule.written_as}: the key may only read in {path}", ok=False)


async def _searches(lab: Lab, site: str, client: Any, say: Any) -> None:
    """Whether the site takes the rules' structured queries."""
    asked: dict[Any, str] = {}
    for rule in lab.rules.rules:
        for search in rule.searches if rule.site == site else ():
            asked.setdefault(search, rule.written_as)
    for search, rule_id in asked.items():
        try:
            faults = await client.parse_query(search.query)
        except SiteError as error:
            say(f"rule {rule_id}: the site's search does not answer: {error}", ok=False)
            continue
        for fault in faults:
            say(f"rule {rule_id}: search {search.query!r}: {fault}", ok=False)


async def _gears(lab: Lab, site: str, client: Any, say: Any) -> None:
    known: dict[tuple[str, str | None], Any] = {}
    for rule in lab.rules.rules:
        if rule.site != site:
            continue
        for entry in rule.do:
            if isinstance(entry, TagEntry) and entry.on is Level.FILE and client.dialect.files_endpoint is False:
                say(f"rule {rule.written_as}: this site has no address for the tags of single files", ok=False)
            if not isinstance(entry, LaunchEntry):
                continue
            try:
                gear = known.get((entry.gear, entry.version)) or await client.gear(entry.gear, entry.version)
            except SiteError as error:
                say(f"rule {rule.written_as}: gear {entry.gear}: {error}", ok=False)
                continue
            known[(entry.gear, entry.version)] = gear
            faults = manifest_slots(gear, [slot for slot, _ in entry.inputs], entry.fixed["config"])
            version = (gear.get("gear") or {}).get("version")
            for fault in faults:
                say(f"rule {rule.written_as}: gear {entry.gear}: {fault}", ok=False)
            if not faults:
                say(f"rule {rule.written_as}: gear {entry.gear} {version} fits")
