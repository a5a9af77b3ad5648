"""Carrying out a download: looked for on disk, streamed beside its place, checked, put in its place in one step.

Safe against doubles: a file with the right size and hash is not moved again, and a begun one is gone on with; one that
was all there when the daemon was killed is not asked for again. Two files that want the same place do not overwrite
each other: the one that comes second gets a name of its own. A zip member that points out of its folder, or is larger
than it says, is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from flyball.effects.digests import digest_of
from flyball.effects.lending import Contents, Folder, Part, Source, lent
from flyball.effects.paths import marked, member_parts
from flyball.effects.port import Hands
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Gone, Permanent, Transient

SPARE: Final = 64 * 1024 * 1024
"""Bytes that a download leaves free on the disk."""

MOST_MEMBERS: Final = 10_000
LARGEST: Final = 256 * 1024**3
"""Bytes that the members of one zip file may have together."""

SWOLLEN: Final = 200
"""Times its own size that a zip file may hold, beyond a gigabyte."""

Json = Mapping[str, Any]


class Downloading:
    """The part of `download` that moves bytes."""

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt. Everything that it does may be done twice."""
        contents, folder = lent(hands.contents, "files of this site"), lent(hands.folder, "a folder to write to")
        params = effect.params
        if "job" in params:
            return await _outputs(effect, contents, folder)
        source = Source(params["container"]["level"], params["container"]["id"], params["name"], _number(params))
        if params["members"]:
            return _report(await _members(params, contents, folder, source, params))
        return _report([await _whole(params, contents, folder, source, params, list(params["to"]))])


async def _whole(params: Json, contents: Contents, folder: Folder, source: Source, about: Json, to: list[str]) -> Json:
    """One file, to the place that is wanted."""
    path = await _place(folder, to, f"{params['owner']}/{source.name}")
    digest = digest_of(about.get("hash")) if contents.trusts_hashes else None
    size = about.get("size") if isinstance(about.get("size"), int) else None
    key = f"{source.level}/{source.ident}/{source.name}/{source.version}/{about.get('hash')}/{size}"
    if await folder.sealed(path) == key or await _is_there(folder, path, size, digest):
        return {"path": path, "size": await folder.size(path), "moved": False}
    await _has_room(folder, size)
    async with folder.part(path, key) as part:
        if not await _is_whole(part, size, digest):
            await contents.download(source, part)
        await _check(part, size, digest, contents, source)
        return await _settle(folder, path, part, key)


async def _is_whole(part: Part, size: int | None, digest: tuple[str, str] | None) -> bool:
    """Whether all of it came already, and only its place was not taken. What is as long and not it is thrown away."""
    if size is None or part.size < size:
        return False
    if part.size == size and digest is not None and await part.digest(digest[0]) == digest[1]:
        return True
    await part.restart()
    return False


async def _settle(folder: Folder, path: str, part: Part, key: str) -> Json:
    """Put what came in its place, unless the same is there."""
    size, moved = part.size, not await _same(folder, path, part)
    if moved:
        await part.commit()
    else:
        await part.restart()
    await folder.seal(path, key)
    return {"path": path, "size": size, "moved": moved}


async def _check(
    part: Part, size: int | None, digest: tuple[str, str] | None, contents: Contents, source: Source
) -> None:
    """What came must be what the record says. If it is not, the file may have changed while it was read."""
    fits_size = size is None or part.size == size
    if fits_size and (digest is None or await part.digest(digest[0]) == digest[1]):
        return
    came, first = part.size, await part.digest("sha256")
    await part.restart()
    now = await contents.record(source.level, source.ident, source.name, fresh=True)
    if now is None:
        raise Gone(f"{source.name} was deleted while it was read", status=404)
    if source.version is not None and now.get("version") != source.version:
        raise Permanent(f"{source.name} was replaced while it was read; its new version comes by itself")
    if not fits_size:
        raise Transient(f"{source.name} came with {came} bytes instead of {size}", status=500)
    # The same bytes twice: then the site's hash is of something else, and is not asked again.
    await contents.download(source, part)
    if await part.digest("sha256") != first:
        await part.restart()
        raise Transient(f"{source.name} came with other bytes each time", status=500)
    contents.trusts_hashes = False


async def _outputs(effect: Effect, contents: Contents, folder: Folder) -> Report:
    """Outputs of one run: whole files, or members of those that are zip files."""
    params = effect.params
    ident = params["container"]["id"]
    records = await contents.outputs(ident)
    chosen = [one for one in records if fits(str(one.get("name")), params["files"] or ["*"])]
    if params["members"]:
        chosen = [one for one in chosen if _is_zip(one)]
    if not chosen:
        raise Permanent(f"the run has no output {'that is a zip file' if params['members'] else 'of that name'}")
    told: list[Json] = []
    for record in chosen:
        source = Source("analysis", ident, str(record["name"]), _number(record))
        if params["members"]:
            told += await _members(params, contents, folder, source, record)
        else:
            parts = member_parts(source.name.replace("/", "_")) or ["_"]
            to = [*params["to"], *parts] if params["folder"] or len(chosen) > 1 else list(params["to"])
            told.append(await _whole(params, contents, folder, source, record, to))
    if not told:
        raise Permanent(f"no member of {', '.join(str(one.get('name')) for one in chosen)} fits {params['members']}")
    return _report(told)


async def _members(params: Json, contents: Contents, folder: Folder, source: Source, record: Json) -> list[Json]:
    """The members of a zip file that fit."""
    listed = [one for one in await contents.zip_members(source) if fits(one["path"], params["members"])]
    listed = [one for one in listed if not str(one["path"]).endswith("/")]  # folders' own entries
    chosen = checked_members(listed, record.get("size"))
    paths = member_paths([one for one, _ in chosen], list(params["to"]), folder=params["folder"])
    await _has_room(folder, sum(size for _, size in chosen))
    told: list[Json] = []
    for member, (parts, size), to in zip(listed, chosen, paths, strict=True):
        inner = replace(source, member=str(member["path"]))
        path = await _place(folder, to, f"{params['owner']}/{source.name}/{'/'.join(parts)}")
        key = f"{source.level}/{source.ident}/{source.name}/{source.version}/{inner.member}/{size}"
        if await folder.sealed(path) == key:
            told.append({"path": path, "size": size, "moved": False})
            continue
        async with folder.part(path, key) as part:
            await part.restart()
            try:
                await contents.download(inner, part, most=size)
            except Permanent:
                await part.restart()
                raise
            if part.size != size:
                came = part.size
                await part.restart()
                raise Transient(f"{parts[-1]} of {source.name} came with {came} bytes instead of {size}", status=500)
            told.append(await _settle(folder, path, part, key))
    return told


def checked_members(listed: Sequence[Json], size: Any) -> list[tuple[list[str], int]]:
    """The cleaned parts and the size of each member.

    Raises:
        Permanent: one points out of its folder, or they are too many or too large for a zip file of `size` bytes.
    """
    if len(listed) > MOST_MEMBERS:
        raise Permanent(f"{len(listed)} members fit; more than {MOST_MEMBERS:,} are not brought")
    found = []
    for one in listed:
        parts = member_parts(str(one["path"]))
        if parts is None:
            raise Permanent(f"the member {str(one['path'])[:100]!r} points out of its folder; nothing was brought")
        given = one.get("size")
        if not isinstance(given, int) or given < 0:
            raise Permanent(f"the site does not tell the size of {'/'.join(parts)[:100]}")
        found.append((parts, given))
    whole = sum(one for _, one in found)
    limit = LARGEST if not isinstance(size, int) else min(LARGEST, max(1024**3, size * SWOLLEN))
    if whole > limit:
        raise Permanent(f"the members have {whole:,} bytes together, more than {limit:,}; is it a zip bomb?")
    return found


def member_paths(members: Sequence[Sequence[str]], to: list[str], *, folder: bool) -> list[list[str]]:
    """Where each member goes: one alone to `to` itself unless that is a folder; into a folder under its own name, with
    its folders where two have the same name; never two to one place.
    """
    if len(members) == 1 and not folder:
        return [list(to)]
    names = Counter(parts[-1].casefold() for parts in members)
    paths = [[*to, *(parts if names[parts[-1].casefold()] > 1 else parts[-1:])] for parts in members]
    seen: Counter[str] = Counter()
    for path, parts in zip(paths, members, strict=True):
        key = "/".join(path).casefold()
        if seen[key]:
            path[-1] = marked(path[-1], f"{'/'.join(parts)} {seen[key]}")
        seen[key] += 1
    return paths


def fits(name: str, globs: Sequence[str]) -> bool:
    """Whether a name or path fits a glob; `*` goes across slashes."""
    return any(_glob(one).fullmatch(name) for one in globs)


def _glob(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*+|\?)", text)
    pattern = [".*" if one.startswith("*") else "." if one == "?" else re.escape(one) for one in parts]
    return re.compile("".join(pattern), re.DOTALL)


async def _place(folder: Folder, to: list[str], owner: str) -> str:
    """The place that is wanted, or, where another file has it, one beside it."""
    path = "/".join(to)
    if await folder.claim(path, owner) is None:
        return path
    other = "/".join([*to[:-1], marked(to[-1], owner)])
    if await folder.claim(other, owner) is None:
        return other
    raise Permanent(f"{path} and {other} are other files' places")


async def _is_there(folder: Folder, path: str, size: int | None, digest: tuple[str, str] | None) -> bool:
    """Whether the file on disk is the one that is wanted; only a hash can tell."""
    there = await folder.size(path)
    if there is None or digest is None or (size is not None and there != size):
        return False
    return await folder.digest(path, digest[0]) == digest[1]


async def _same(folder: Folder, path: str, part: Part) -> bool:
    if await folder.size(path) != part.size:
        return False
    return await folder.digest(path, "sha256") == await part.digest("sha256")


async def _has_room(folder: Folder, size: int | None) -> None:
    if size is not None and await folder.free() < size + SPARE:
        raise Transient(f"the disk is full: {size:,} bytes are needed", wait=300.0)


def _number(record: Json) -> int | None:
    version = record.get("version")
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def _is_zip(record: Json) -> bool:
    return record.get("mimetype") == "application/zip" or str(record.get("name")).lower().endswith(".zip")


def _report(told: Sequence[Json]) -> Report:
    """What came of it: the files with their sizes, and how many bytes were moved."""
    moved = [one for one in told if one["moved"]]
    files = [{"path": one["path"], "size": one["size"]} for one in told[:100]]
    detail = {"files": files, "number": len(told), "moved": len(moved)}
    return Report(Outcome.DONE if moved else Outcome.ALREADY, detail)
