"""Who may score: keys are kept as digests alone, so that nothing that is read from memory or disk is a key.

    keyring = Keyring(["secret-1", "secret-2"], file=Path("keys"))
    keyring.owner(b"secret-1")       # a name for logs and limits, or None

Several keys are valid at once, and the file is read again when it changes: a key is exchanged by adding the
new one, handing it out, and taking the old one away.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

import structlog

from rubric.errors import CairnError

_log = structlog.get_logger("cairn")

KEY_PREFIX = "cairn_"
_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64})\s+sha256:(?P<digest>[0-9a-f]{64})")
_EVERY_S = 2.0
"""How often the file is looked at, at most."""


class UnreadableKeys(CairnError):
    """The file of keys is not there, or has a line that is no key."""


def new_key(name: str) -> tuple[str, str]:
    """A key to hand out, and its line for the file, from which it cannot be guessed."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    return key, f"{name} sha256:{_digest(key.encode())}"


class Keyring:
    """The keys that may score. Without any, everybody may.

    Raises `UnreadableKeys`. A file that breaks later on is told in the log, and the keys stay as they were.
    """

    def __init__(
        self,
        keys: Iterable[str] = (),
        *,
        file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        digests = [_digest(key.encode()) for key in keys]
        self._given = {digest: f"key-{digest[:8]}" for digest in digests}
        self._file = file
        self._clock = clock
        self._looked = clock()
        self._stamp = _stamp(file)
        self._of_file = _read(file) if file else {}

    @property
    def needed(self) -> bool:
        """Whether a key must be shown."""
        return bool(self._given) or self._file is not None

    def owner(self, key: bytes) -> str | None:
        """Whose key it is; None where it is nobody's. Every digest is compared, and takes its time."""
        self._look()
        mine = _digest(key)
        found = None
        for digest, name in (*self._given.items(), *self._of_file.items()):
            if hmac.compare_digest(digest, mine):
                found = name
        return found

    def _look(self) -> None:
        now = self._clock()
        if self._file is None or now - self._looked < _EVERY_S:
            return
        self._looked = now
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._of_file = _read(self._file)
        except UnreadableKeys as error:
            _log.error("keys not read", detail=str(error))
        else:
            _log.info("keys read", count=len(self._of_file))


def _digest(key: bytes) -> str:
    return sha256(key).hexdigest()


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    """What changes with a file, also where it is a link that is pointed elsewhere, as Kubernetes does."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None


def _read(file: Path) -> Mapping[str, str]:
    """Names by digest. Raises `UnreadableKeys`, which never repeats a line: it may be a key."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UnreadableKeys(f"CAIRN_API_KEYS_FILE cannot be read: {type(error).__name__}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match:
            form = "`NAME sha256:DIGEST`, as `cairn keys new` writes it"
            raise UnreadableKeys(f"CAIRN_API_KEYS_FILE, line {number}: is not {form}")
        found[match["digest"]] = match["name"]
    if not found:
        raise UnreadableKeys("CAIRN_API_KEYS_FILE has no key in it, so that nobody could score")
    return found
