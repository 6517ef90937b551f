"""Vectors of texts behind a port (语义向量): off unless somebody turns them on, and never made in a request.

A model turns texts into unit vectors. `embed` runs in the background: it makes those that published listings lack
and keeps them by the hash of the text and the model, so that no text is embedded twice, whoever wrote it.
`Meanings` only reads what is kept. Two models are here: a folder of vectors that somebody else has made
(`Supplied`), and `matching.e5_vectors`, an optional extra.
"""

import hashlib
import json
import math
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market.clock import Clock
from market.db import Database, t, upsert
from matching import documents, text
from matching.documents import Document, Key, Kind
from matching.models import Embedding

LONGEST = 300
"""Characters of title and text embedded: time grows faster than length, and what a listing is about stands first."""
BATCH = 16
"""Texts embedded between two commits."""
_CHUNK = 400

Vector = tuple[float, ...]


class EmbeddingKind(StrEnum):
    """What a text is to the other: models may treat the one that asks and the one that answers differently."""

    QUERY = "query"
    PASSAGE = "passage"


class VectorModel(Protocol):
    """What turns texts into vectors."""

    @property
    def name(self) -> str:
        """Which model, with its version: vectors of two models are never compared. At most 48 characters."""
        ...

    def embed(self, texts: Sequence[str], role: EmbeddingKind) -> list[Vector | None]:
        """A vector of length one for each text; None for one that this model has nothing for. May be slow."""
        ...


_BETWEEN_HAN = re.compile(r"(?<=[㐀-鿿])[ \t]+(?=[㐀-鿿])")


def normalised(written: str) -> str:
    """A text as it is embedded and hashed: folded, without blanks between Chinese characters."""
    return _BETWEEN_HAN.sub("", " ".join(text.fold(written).split()))[:LONGEST]


def texts_of(document: Document) -> tuple[str, str]:
    """What is embedded of a document: its title, and title and text."""
    return normalised(document.title), normalised(document.whole_text)


def embedding_kind(kind: Kind) -> EmbeddingKind:
    """A demand asks, a result answers."""
    return EmbeddingKind.QUERY if kind is Kind.DEMAND else EmbeddingKind.PASSAGE


def text_hash(written: str) -> str:
    """The key of a normalised text: SHA-256, hex."""
    return hashlib.sha256(written.encode()).hexdigest()


def unit(values: Iterable[float]) -> Vector:
    """The same direction at length one. Raises ValueError for no direction at all."""
    found = tuple(float(value) for value in values)
    length = math.sqrt(math.fsum(value * value for value in found))
    if not found or not math.isfinite(length) or length == 0:
        raise ValueError("a vector without length")
    return tuple(value / length for value in found)


def pack(vector: Vector) -> bytes:
    """As it is kept: little-endian half floats."""
    return struct.pack(f"<{len(vector)}e", *vector)


def unpack(kept: bytes) -> Vector:
    """What `pack` wrote."""
    return struct.unpack(f"<{len(kept) // 2}e", kept)


def cosine(one: Vector, other: Vector) -> float:
    """Of two unit vectors; 0 if they are of different models' sizes."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) if len(one) == len(other) else 0.0


def _model_key(model_name: str, role: EmbeddingKind) -> str:
    return f"{model_name}:{role.value}"


def kept(session: Session, model_name: str, role: EmbeddingKind, texts: Iterable[str]) -> dict[str, Vector]:
    """The kept vectors of normalised texts. One statement for each 400."""
    by_hash = {text_hash(written): written for written in texts if written}
    hashes = sorted(by_hash)
    c = t(Embedding).c
    found: dict[str, Vector] = {}
    for start in range(0, len(hashes), _CHUNK):
        statement = sa.select(c.text_hash, c.vector).where(
            c.model == _model_key(model_name, role), c.text_hash.in_(hashes[start : start + _CHUNK])
        )
        for hashed, vector in session.execute(statement):
            found[by_hash[hashed]] = unpack(vector)
    return found


class Meanings:
    """The cosines of kept vectors: what `recommend` asks while a page waits."""

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def compare(
        self, session: Session, subject: Document, candidates: Sequence[Document]
    ) -> dict[Key, tuple[float, float]]:
        """Cosines of titles and of whole texts, for those candidates whose vectors are kept; none if the
        subject's are not. Two statements."""
        title, whole = texts_of(subject)
        ours = kept(session, self.model_name, embedding_kind(subject.key.kind), (title, whole))
        if title not in ours or whole not in ours:
            return {}
        theirs = {one.key: texts_of(one) for one in candidates}
        role = embedding_kind(subject.key.kind.other)
        wanted = [written for pair in theirs.values() for written in pair]
        found = kept(session, self.model_name, role, wanted)
        return {
            key: (cosine(ours[title], found[a]), cosine(ours[whole], found[b]))
            for key, (a, b) in theirs.items()
            if a in found and b in found
        }


def embed(
    db: Database, model: VectorModel, clock: Clock, most: int | None = None
) -> Iterator[tuple[int, int]]:
    """Make the vectors that published listings lack, at most so many; safe to stop at any time, and to run beside
    another. No transaction is open while the model works. Tells after each batch how many were made and how many
    texts the model had nothing for."""
    made = without = 0
    for role, texts in _lacking(db, model.name):
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            if most is not None:
                batch = batch[: most - made]
            if not batch:
                return
            rows = []
            for written, vector in zip(batch, model.embed(batch, role), strict=True):
                if vector is None:
                    without += 1
                    continue
                rows.append(
                    {
                        "model": _model_key(model.name, role),
                        "text_hash": text_hash(written),
                        "vector": pack(vector),
                        "created_at": clock.now(),
                    }
                )
            with db.write() as session:
                upsert(session, t(Embedding), rows, key=("model", "text_hash"))
            made += len(rows)
            yield made, without


def _lacking(db: Database, model_name: str) -> Iterator[tuple[EmbeddingKind, list[str]]]:
    for kind in Kind:
        role, after = embedding_kind(kind), 0
        while True:
            with db.read() as session:
                keys = documents.published_keys(session, kind, after)
                loaded = documents.load(session, keys)
                texts = {text for one in loaded.values() for text in texts_of(one) if text}
                there = kept(session, model_name, role, texts)
            if not keys:
                break
            after = keys[-1].id
            lacking = sorted(texts - there.keys())
            if lacking:
                yield role, lacking


def forget_all(session: Session) -> int:
    """Delete every vector; returns how many. For whoever has changed the model, or what it says."""
    statement = sa.delete(t(Embedding)).returning(t(Embedding).c.id)
    return len(session.execute(statement).all())


class Supplied:
    """Vectors that somebody else has made: JSON lines of `{"text": …, "vector": […]}`, in one file or all the
    `*.jsonl` of a folder; `role` ("query" or "passage") where the two differ. Texts are normalised as ours are."""

    def __init__(self, path: Path, name: str) -> None:
        """Raises ValueError naming the first line that cannot be used, OSError if nothing can be read."""
        self._name = name
        self._by_text: dict[tuple[str, str], Vector] = {}
        files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        size = 0
        for file in files:
            with file.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        try:
                            size = self._take(json.loads(line), size)
                        except (ValueError, KeyError, TypeError, AttributeError) as error:
                            raise ValueError(f"{file.name}:{number}: {error!r}") from error

    def _take(self, row: Mapping[str, object], size: int) -> int:
        vector = row["vector"]
        if not isinstance(vector, list):
            raise ValueError("no vector")
        found = unit(vector)
        if size and len(found) != size:
            raise ValueError(f"{len(found)} numbers instead of {size}")
        roles = (EmbeddingKind(str(row["role"])),) if "role" in row else tuple(EmbeddingKind)
        for role in roles:
            self._by_text[role.value, normalised(str(row["text"]))] = found
        return len(found)

    @property
    def name(self) -> str:
        """As it was given."""
        return self._name

    def embed(self, texts: Sequence[str], role: EmbeddingKind) -> list[Vector | None]:
        """What the file says of each text."""
        return [self._by_text.get((role.value, written)) for written in texts]
