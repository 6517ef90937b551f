"""Where bytes of attachments lie: a port and its disk side.

Content is addressed by its SHA-256, so equal files are stored once and a stored file never changes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Protocol


class FileStore(Protocol):
    """Keeps bytes under the digest of their content."""

    def put(self, content: bytes) -> str:
        """Keep bytes, durably; returns their SHA-256 in hexadecimal."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """The bytes of a digest. Raises FileNotFoundError."""
        ...


class DiskStore:
    """A folder outside the web root: `ab/cdef…`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not all(c in "0123456789abcdef" for c in sha256):
            raise FileNotFoundError(sha256)
        return self.root / sha256[:2] / sha256[2:]

    def put(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256)
        if path.exists():
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return sha256

    def open(self, sha256: str) -> BinaryIO:
        return self._path(sha256).open("rb")
