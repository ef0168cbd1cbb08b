"""The bytes of a JSON body: its type checked, its size held while it streams in, its compression undone."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import zstandard
from starlette.requests import Request

from service.errors import Refused


async def read_body(
    request: Request, *, most_bytes: int, hold: Callable[[int], None], idle_s: float
) -> bytes:
    """The body, decompressed. `hold` is told how large it is, and may refuse it.

    Raises `Refused`; nothing over `most_bytes` is ever held, packed or not: what swells ends there.
    """
    _check_type(request.headers.get("content-type"))
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in _ENCODINGS:
        raise Refused("unsupported_encoding", "send gzip, zstd, or none")
    raw = await _received(request, most_bytes, hold=hold, idle_s=idle_s)
    unpack = _ENCODINGS[encoding]
    return raw if unpack is None else await _unpacked(unpack(raw), most_bytes, hold=hold)


def _check_type(given: str | None) -> None:
    """No type at all is taken for JSON: who sends bytes to this address means JSON."""
    if given is None:
        return
    media_type, *parameters = (part.strip().lower() for part in given.split(";"))
    charsets = {part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")}
    if media_type != "application/json" or not charsets <= {"utf-8", "utf8"}:
        raise Refused("unsupported_media_type", "send `Content-Type: application/json`, in UTF-8")


async def _received(
    request: Request, most_bytes: int, *, hold: Callable[[int], None], idle_s: float
) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    parts, size = [], 0
    stream = request.stream()
    while (part := await _next(stream, idle_s)) is not None:
        size += len(part)
        if size > most_bytes:
            raise _too_large(most_bytes)
        parts.append(part)
        if not announced:
            hold(size)
    return b"".join(parts)


async def _next(stream: AsyncIterator[bytes], idle_s: float) -> bytes | None:
    """The next part, None at the end. Who is silent for so long holds a place that others could use."""
    try:
        async with asyncio.timeout(idle_s):
            return await anext(stream, None)
    except TimeoutError:
        raise Refused("too_slow", f"nothing came for {idle_s:g} s in the middle of the body") from None


async def _unpacked(parts: Iterator[bytes], most_bytes: int, *, hold: Callable[[int], None]) -> bytes:
    """A part after the other, so that what swells ends with the part that is too much."""
    found, size = [], 0
    while part := await asyncio.to_thread(next, parts, b""):
        size += len(part)
        if size > most_bytes:
            raise _too_large(most_bytes)
        hold(size)
        found.append(part)
    return b"".join(found)


def _too_large(most_bytes: int) -> Refused:
    return Refused("too_large", f"at most {most_bytes} bytes are allowed, decompressed")


_STEP = 1024 * 1024
"""Bytes unpacked at once."""

_SLICE = 64 * 1024
"""Packed bytes given at once, for zlib copies what it leaves."""

_MOST_MEMBERS = 10_000
"""Empty ones cost time, and come to nothing that a limit could be held to."""


def _gunzipped(raw: bytes) -> Iterator[bytes]:
    """Parts of at most `_STEP`; a file may have several members."""
    member, begun = None, 0
    try:
        for start in range(0, len(raw), _SLICE):
            rest = raw[start : start + _SLICE]
            while rest:
                if member is None or member.eof:
                    member, begun = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), begun + 1
                    if begun > _MOST_MEMBERS:
                        raise Refused("bad_encoding", f"the gzip data has over {_MOST_MEMBERS} members")
                if part := member.decompress(rest, _STEP):
                    yield part
                rest = member.unconsumed_tail or member.unused_data
        while member and not member.eof and (part := member.decompress(b"", _STEP)):
            yield part
    except zlib.error:
        raise Refused("bad_encoding", "this is not gzip") from None
    if member and not member.eof:
        raise Refused("bad_encoding", "the gzip data ends too early")


_WINDOW = 8 * 1024 * 1024
"""What RFC 9659 lets a sender of `Content-Encoding: zstd` ask for."""


def _unzstd(raw: bytes) -> Iterator[bytes]:
    """Parts of at most `_STEP`; there may be several frames."""
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(raw, read_across_frames=True)
    try:
        while part := reader.read(_STEP):
            yield part
    except zstandard.ZstdError:
        raise Refused("bad_encoding", "this is not zstd, or its window is over 8 MiB") from None


_ENCODINGS: Mapping[str, Callable[[bytes], Iterator[bytes]] | None] = {
    "gzip": _gunzipped,
    "zstd": _unzstd,
    "identity": None,
}
