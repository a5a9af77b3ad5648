"""Tables of several targets put together: CSV under one heading, JSON as one list. Values stay as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson


def joined(pieces: Sequence[Path], ending: str) -> Iterator[bytes]:
    """The bytes of one table with the rows of all pieces, in their order. Those that are not there are passed over."""
    there = [piece for piece in pieces if piece.is_file()]
    return _json(there) if ending == "json" else _csv(there)


def _json(pieces: Sequence[Path]) -> Iterator[bytes]:
    first = True
    yield b"["
    for piece in pieces:
        rows = orjson.loads(piece.read_bytes() or b"[]")
        rows = rows.get("data", []) if isinstance(rows, dict) else rows
        for row in rows:
            yield (b"" if first else b",\n") + orjson.dumps(row)
            first = False
    yield b"]\n"


def _csv(pieces: Sequence[Path]) -> Iterator[bytes]:
    """As the site wrote them, where all have the same heading; else written anew under all headings."""
    texts = [text for piece in pieces if (text := piece.read_bytes().removeprefix(b"\xef\xbb\xbf")).strip()]
    headings = [text[: end_of_record(text)].rstrip(b"\r\n") for text in texts]
    if len(set(headings)) <= 1:
        for number, text in enumerate(texts):
            body = text if number == 0 else text[end_of_record(text) :]
            yield body if not body or body.endswith(b"\n") else body + b"\r\n"
        return
    readers = [csv.DictReader(io.StringIO(text.decode("utf-8", "replace"), newline="")) for text in texts]
    names = list(dict.fromkeys(name for reader in readers for name in reader.fieldnames or ()))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, extrasaction="ignore")
    writer.writeheader()
    for reader in readers:
        writer.writerows(reader)
    yield out.getvalue().encode()


def end_of_record(text: bytes) -> int:
    """Where the first record of a CSV text ends, its line break included; a quoted cell may hold line breaks."""
    quoted = False
    for place, byte in enumerate(text):
        if byte == ord('"'):
            quoted = not quoted
        elif byte == ord("\n") and not quoted:
            return place + 1
    return len(text)
