"""Pseudonyms: what may tell who somebody is becomes `sub-1`, `name-2`, `uid-3`; the same value always the same. Pure.

Names of fields tell what a value is (`PatientName`, `OperatorsName`, `date_of_birth`, `…UID`), patterns find mail
addresses, UIDs and dates inside of texts, and every name, code and label that stood in such a field is replaced
wherever else it turns up, in file names for instance. What none of these shows is not found: a recorded file wants a
person's eye before it is shared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_KINDS: Final = (
    ("birth", re.compile(r"birth|dob$")),
    ("uid", re.compile(r"uids?$")),
    ("mail", re.compile(r"mail")),
    ("contact", re.compile(r"phone|fax|address|street|postal|zipcode|insurance|emergency")),
    (
        "person",
        re.compile(r"operator|physician|author|uploader|uploadedby|createdby|performedby|readby|user|owner|staff"),
    ),
    ("place", re.compile(r"institution|station|serialnumber|hospital|department")),
    ("name", re.compile(r"name$|^patient|responsibleperson|occupation|religion|ethnic|mothers")),
    (
        "code",
        re.compile(r"accession|mrn$|ssn$|medicalrecord|^code$|subjectid|participantid|studyid$|requestid|admission"),
    ),
    ("text", re.compile(r"comment|note|remark|history|description|reason|diagnos|allerg|message|freetext")),
)
_HARMLESS: Final = frozenset(
    (
        *("patientposition", "patientorientation", "patientsex", "patientage", "patientweight", "patientsize"),
        *("protocolname", "sequencename", "pulsesequencename", "manufacturersmodelname", "manufacturermodelname"),
        *("seriesdescription", "taskname", "codingschemename", "coilname", "receivecoilname", "gearname"),
    )
)
_TOKENS_FROM: Final = frozenset(("name", "person", "code", "mail", "birth", "uid", "place"))
_WHOLE: Final = frozenset(("uid", "mail", "birth", "place", "sub", "ses"))  # of these, single words tell nothing
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_UID: Final = re.compile(r"\d+(?:\.\d+){4,}")
_DATE: Final = re.compile(r"(?<!\d)(?:19|20)\d\d([-_/.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)")
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
_DICOM_DAY: Final = re.compile(r"(?:19|20)\d{6}")
_SHORTEST: Final = 3
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def kind_of(key: str) -> str | None:
    """What a field of this name tells of somebody; None: nothing that is known."""
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    if plain in _HARMLESS:
        return None
    return next((kind for kind, pattern in _KINDS if pattern.search(plain)), None)


class Pseudonyms:
    """The pseudonyms of one recording.

    Args:
        documents: everything that is known of the target, whole: names are collected from all of it.
        labels: (kind, text) of further words to replace, such as the subject's label.
        newest: the newest time in the documents. It becomes the beginning of the year 2000, and all other times keep
            their distance to it.
    """

    def __init__(
        self, documents: Iterable[Mapping[str, Any]], labels: Iterable[tuple[str, str]], newest: datetime
    ) -> None:
        self._given: dict[str, dict[str, str]] = {}
        self._words: dict[str, str] = {}
        self._shift: timedelta = _EPOCH - newest
        for kind, text in labels:
            self._remember(kind, text)
        for document in documents:
            self._collect(document, None, inside=False)
        words = sorted(self._words, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None

    def of(self, kind: str, value: object) -> str:
        """The pseudonym of a value."""
        known = self._given.setdefault(kind, {})
        return known.setdefault(str(value).lower(), f"{kind}-{len(known) + 1}")

    def text(self, text: str) -> str:
        """A text without anything that is known to tell who somebody is."""
        text = _MAIL.sub(lambda found: self.of("mail", found[0]), text)
        text = _UID.sub(lambda found: self.of("uid", found[0]), text)
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self._words[found[0].lower()], text)
        return _DATE.sub("date", text)

    def moment(self, moment: datetime) -> datetime:
        """A time, moved like all others."""
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) + self._shift

    def value(self, key: str, value: Any) -> Any:
        """What may be kept of a value that a rule reads by name.

        Args:
            key: the field's name.
            value: text, number, truth value or null.
        """
        kind = kind_of(key)
        if value is None or isinstance(value, bool):
            return value
        if kind == "birth":
            return self._birth(str(value))
        if isinstance(value, str) and (moved := self._moved(key, value)) is not None:
            return moved
        if kind is not None:
            return self.of(kind, value)
        return self.text(value) if isinstance(value, str) else value

    def _birth(self, text: str) -> str:
        """Moved like all others, and put to the first of its month: the age stays about right, the day is gone."""
        moved = self._moved("birthdate", text)
        if moved is None:
            return self.of("birth", text)
        return f"{moved[:6]}01" if _DICOM_DAY.fullmatch(moved) else f"{moved[:8]}01T00:00:00+00:00"

    def _moved(self, key: str, text: str) -> str | None:
        """A date or time, moved; None: it is none."""
        dicom = "date" in key.lower() and _DICOM_DAY.fullmatch(text) is not None
        if not dicom and _ISO.fullmatch(text) is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
            moved = self.moment(moment)
        except (ValueError, OverflowError):
            return None
        if dicom:
            return moved.strftime("%Y%m%d")
        return moved.isoformat() if moment.tzinfo is not None else moved.replace(tzinfo=None).isoformat()

    def _collect(self, value: Any, kind: str | None, *, inside: bool) -> None:
        """Remember names and codes. `name` is a file's or a gear's own, except inside of `info`."""
        if isinstance(value, Mapping):
            for key, one in value.items():
                own = None if key == "name" and not inside else kind_of(str(key))
                self._collect(one, own or kind, inside=inside or key == "info")
        elif isinstance(value, (list, tuple)):
            for one in value:
                self._collect(one, kind, inside=inside)
        elif kind in _TOKENS_FROM and isinstance(value, (str, int)) and not isinstance(value, bool):
            self._remember(kind or "", str(value))

    def _remember(self, kind: str, text: str) -> None:
        """The text and the words in it are replaced from now on."""
        words = [text] if kind in _WHOLE else [text, *re.split(r"[^\w-]+|_|\^", text)]
        for word in words:
            plain = word.strip().lower()
            if len(plain) >= _SHORTEST and not plain.isspace():
                self._words.setdefault(plain, self.of(kind, word.strip()))
        if kind == "birth" and len(text) >= 10:  # as 1980-02-03, and as DICOM writes it
            self._words.setdefault(text[:10].replace("-", ""), self.of(kind, text))
            self._words.setdefault(text[:10], self.of(kind, text))
