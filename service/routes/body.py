"""The bytes of a JSON body: its type checked, its size held while it streams in, its compression undone."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping

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
    if unpack is None:
        return raw
    unpacked = await asyncio.to_thread(unpack, raw, most_bytes + 1)
    if len(unpacked) > most_bytes:
        raise _too_large(most_bytes)
    hold(len(unpacked))
    return unpacked


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


def _too_large(most_bytes: int) -> Refused:
    return Refused("too_large", f"at most {most_bytes} bytes are allowed, decompressed")


def _gunzipped(raw: bytes, most: int) -> bytes:
    """At most `most` bytes; a file may have several members."""
    parts, size = [], 0
    while raw and size < most:
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            parts.append(member.decompress(raw, most - size))
        except zlib.error:
            raise Refused("bad_encoding", "this is not gzip") from None
        size += len(parts[-1])
        if not member.eof and size < most:
            raise Refused("bad_encoding", "the gzip data ends too early")
        raw = member.unused_data
    return b"".join(parts)


_WINDOW = 8 * 1024 * 1024
"""What RFC 9659 lets a sender of `Content-Encoding: zstd` ask for."""


def _unzstd(raw: bytes, most: int) -> bytes:
    """At most `most` bytes; there may be several frames."""
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(raw, read_across_frames=True)
    try:
        return reader.read(most)
    except zstandard.ZstdError:
        raise Refused("bad_encoding", "this is not zstd, or its window is over 8 MiB") from None


_ENCODINGS: Mapping[str, Callable[[bytes, int], bytes] | None] = {
    "gzip": _gunzipped,
    "zstd": _unzstd,
    "identity": None,
}
