"""The files of the inspector, read from the package once, and the headers that they travel under.

    load()["index.html"].body

The page shows what policies wrote, which is hostile by trade. The policy below lets it run its own scripts,
talk to its own server and nothing else; a text that got into the page as markup would still be inert.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "connect-src 'self'; "
    "img-src 'self' data:; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)

HEADERS: Mapping[str, str] = {
    "cache-control": "no-cache",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent; `etag` says which version it is."""

    body: bytes
    media_type: str
    etag: str


def load() -> Mapping[str, Asset]:
    """Every file of the page by its name. What is not in here cannot be asked for."""
    folder = files("service.inspector") / "page"
    return {
        each.name: _asset(each.read_bytes(), media_type=_MEDIA_TYPES[suffix])
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if (suffix := each.name[each.name.rfind(".") :]) in _MEDIA_TYPES
    }


def _asset(body: bytes, *, media_type: str) -> Asset:
    return Asset(body, media_type, etag=f'"{blake2b(body, digest_size=12).hexdigest()}"')
