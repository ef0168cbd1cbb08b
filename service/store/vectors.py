"""The vectors of a rubric's names as one value: who scores its next group need not encode them.

    raw = pack({"New York City": row, ...})          # remembered under `vectors_key(digest, identity=...)`
    found = unpack(raw, ["New York City", ...])

Rows keep their bits, so a remembered vector decides as a new one would. They should be of texts that were
encoded alone: a row from a batch can differ in its last bits by the company that it had.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Row: TypeAlias = NDArray[np.float32]


def vectors_key(rubric: str, *, identity: str) -> str:
    """Where the rows of a rubric are remembered, by its digest and by all that shapes the vectors."""
    return f"vectors:{{{rubric}}}:{blake2b(identity.encode(), digest_size=16).hexdigest()}"


_HEAD = struct.Struct("<II")
_NAME_BYTES = 16


def pack(rows: Mapping[str, Row], *, beside: bytes | None = None) -> bytes:
    """How many, how wide, a digest per text, a row of little-endian float32 per text; `beside`: after those.

    A row with a NaN is left out: it says that the model failed, which it need not do again.
    """
    own = {_name(text): row for text, row in rows.items() if np.isfinite(row).all()}
    others = _rows(beside or b"")
    width = len(next(iter((own or others).values()))) if own or others else 0
    whole = {name: row for name, row in others.items() if len(row) == width} | own
    values = b"".join(np.asarray(row, dtype="<f4").tobytes() for row in whole.values())
    return _HEAD.pack(len(whole), width) + b"".join(whole) + values


def unpack(raw: bytes, texts: Iterable[str]) -> dict[str, Row]:
    """The rows of those texts that are in `raw`; none of anything that is not whole, or holds no numbers."""
    rows = _rows(raw)
    found = {text: rows.get(_name(text)) for text in texts}
    return {text: row for text, row in found.items() if row is not None}


def _rows(raw: bytes) -> dict[bytes, Row]:
    if len(raw) < _HEAD.size:
        return {}
    count, width = _HEAD.unpack_from(raw)
    start = _HEAD.size + count * _NAME_BYTES
    if len(raw) != start + count * width * 4:
        return {}
    rows = np.frombuffer(raw, dtype="<f4", offset=start).reshape(count, width).astype(np.float32)
    return {
        raw[at : at + _NAME_BYTES]: row
        for at, row in zip(range(_HEAD.size, start, _NAME_BYTES), rows, strict=True)
        if np.isfinite(row).all()
    }


def _name(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_NAME_BYTES).digest()
