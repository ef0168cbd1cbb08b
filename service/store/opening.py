"""The cache that the settings ask for, from its URL.

    cache = open_cache("redis://localhost/0", most_bytes=..., on_trouble=...)

Nothing is connected here: a server that is away is trouble for later, and no reason not to start.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from service.breaker import Breaker
from service.cache import Cache, Layers, MemoryCache, NoCache
from service.store.address import CannotOpen, parse_address
from service.store.trouble import OnTrouble

FAILURES = 5
REST_S = 5.0
DAY_S = 24 * 60 * 60


def open_cache(
    url: str | None,
    *,
    most_bytes: int,
    on_trouble: OnTrouble,
    password: str | None = None,
    prefix: str = "cairn",
    ttl_s: int = 7 * DAY_S,
    budget_s: float = 0.05,
    watch: Callable[[Breaker], None] = lambda _: None,
) -> Cache:
    """Memory of `most_bytes`, before a shared cache where a URL is given. Raises `CannotOpen`.

    `watch` is shown what leaves the shared cache alone while it is down.
    """
    memory: Cache = MemoryCache(most_bytes=most_bytes) if most_bytes else NoCache()
    if not url:
        return memory
    address = parse_address(url, password=password)
    if find_spec("redis") is None:
        raise CannotOpen("a shared cache needs redis: pip install 'cairn-rm[redis]'")
    from service.store.line import Line  # noqa: PLC0415 - an extra
    from service.store.servers import connect  # noqa: PLC0415 - an extra
    from service.store.shared import RedisCache  # noqa: PLC0415 - an extra

    breaker = Breaker(failures=FAILURES, rest_s=REST_S)
    watch(breaker)
    line = Line(where=str(address), breaker=breaker, on_trouble=on_trouble)
    shared = RedisCache(
        connect(address), line=line, prefix=prefix, ttl_s=ttl_s, budget_s=budget_s, on_trouble=on_trouble
    )
    return Layers(memory, shared)
