"""Decisions about attachments: which files are taken, what they are called, who may open them.

What a file is follows from its content; its name must agree. Taken are PDF, pictures and office
documents without macros. SVG and HTML are refused because browsers run what is in them.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile

import filetype

from market.errors import MarketError
from market.files.models import Visibility

MAX_BYTES = 20 * 1024 * 1024
"""Largest attachment in bytes, unless the market sets another limit."""
MAX_FILES = 30
"""Attachments that one thing may have."""
MAX_ENTRIES = 20_000
MAX_NAME = 120

_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_OFFICE = "application/vnd.openxmlformats-officedocument."
TYPES = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "docx": f"{_OFFICE}wordprocessingml.document",
    "xlsx": f"{_OFFICE}spreadsheetml.sheet",
    "pptx": f"{_OFFICE}presentationml.presentation",
    "odt": f"{_OPEN_DOCUMENT}text",
    "ods": f"{_OPEN_DOCUMENT}spreadsheet",
    "odp": f"{_OPEN_DOCUMENT}presentation",
}
"""Media type by the end of the name."""
_PLAIN = frozenset({"application/pdf", "image/png", "image/jpeg", "image/webp"})
INLINE = _PLAIN
"""Media types that a browser may show in place."""
_PARTS = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx", "ppt/presentation.xml": "pptx"}


class FileTooLarge(MarketError):
    """Larger than an attachment may be. Params: `limit_mb`."""


class TooManyFiles(MarketError):
    """The thing has as many attachments as it may have. Params: `limit`."""


class FileEmpty(MarketError):
    """There is nothing in the file."""


class FileTypeRefused(MarketError):
    """A kind of file that is not taken."""


class FileTypeDiffers(FileTypeRefused):
    """The content is not what the name says. Params: `name_says`, `content_is`."""


class FileHasMacros(FileTypeRefused):
    """An office document with macros."""


def clean_name(name: str) -> str:
    """A file name for people: the last part of any path, without control, direction-changing or reserved
    characters, at most MAX_NAME characters with its ending kept."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(c for c in last if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*')
    kept = re.sub(r"\s+", " ", kept).strip(" .")
    stem, dot, ending = kept.rpartition(".")
    if not dot:
        return kept[:MAX_NAME]
    return f"{stem[: MAX_NAME - len(ending) - 1].rstrip()}.{ending}" if len(ending) < 12 else kept[:MAX_NAME]


def ending_of(name: str) -> str:
    """The end of a name after its last dot, in lower case."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def check(name: str, content: bytes, limit: int = MAX_BYTES) -> str:
    """The media type of a file that is taken. `name` is clean.

    Raises FileEmpty, FileTooLarge, FileTypeRefused, FileTypeDiffers, FileHasMacros.
    """
    if not content:
        raise FileEmpty(field="file")
    if len(content) > limit:
        raise FileTooLarge(field="file", limit_mb=limit // (1024 * 1024))
    found = sniff(content)
    if found is None:
        raise FileTypeRefused(field="file")
    says = ending_of(name)
    if TYPES.get(says) != found:
        content_is = next(ending for ending, media_type in TYPES.items() if media_type == found)
        raise FileTypeDiffers(field="file", name_says=says[:12] or "?", content_is=content_is)
    return found


def sniff(content: bytes) -> str | None:
    """The media type that the content itself shows; None for what is not taken. Raises FileHasMacros."""
    if content.startswith(b"PK\x03\x04"):
        return _inside_zip(content)
    kind = filetype.guess(content[:8192])
    return kind.mime if kind is not None and kind.mime in _PLAIN else None


def _inside_zip(content: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
            if len(names) > MAX_ENTRIES:
                return None
            if any(
                name.lower().endswith("vbaproject.bin") or name.startswith(("Basic/", "Scripts/"))
                for name in names
            ):
                raise FileHasMacros(field="file")
            if "[Content_Types].xml" in names:
                return next((TYPES[ending] for part, ending in _PARTS.items() if part in names), None)
            if "mimetype" in names and archive.getinfo("mimetype").file_size <= 100:
                with archive.open("mimetype") as file:
                    said = file.read(101).decode("ascii", "replace").strip()
                return said if said in TYPES.values() and said.startswith(_OPEN_DOCUMENT) else None
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        EOFError,
    ):
        return None
    return None


def openable(*, keeper: bool, party: bool) -> frozenset[Visibility]:
    """What one may open of a thing that one may know of: its keepers (its organisation's people with the
    right, and staff) everything, both sides of an enquiry what is for them, others what is public."""
    if keeper:
        return frozenset(Visibility)
    return frozenset({Visibility.PUBLIC, Visibility.PARTIES} if party else {Visibility.PUBLIC})
