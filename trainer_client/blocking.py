"""The same client for code that waits: reward functions that must not be `async`, notebooks, scripts.

    RewardClient().score({"rubric": {...}, "answer": "...", "rollouts": [{"response": "..."}]}).rewards

One loop on a thread of its own serves all threads of a process: they share its connections and its sense of
time. It may be called where another loop runs; that loop waits, as with any call that blocks.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from rubric.wire import EvaluateReply, EvaluateRequest
from trainer_client.client import AsyncRewardClient, Group
from trainer_client.protocol import Scored
from trainer_client.settings import Settings

_T = TypeVar("_T")


class RewardClient:
    """For threads. Without settings it has those of the environment."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._client = AsyncRewardClient(settings)
        self._threads: dict[int, _LoopThread] = {}
        weakref.finalize(self, _stop, self._threads)

    @property
    def settings(self) -> Settings:
        """What it was made with."""
        return self._client.settings

    def score(
        self, group: Group, *, timeout_s: float | None = None, traceparent: str | None = None
    ) -> Scored:
        """As `AsyncRewardClient.score`."""
        return self._wait(self._client.score(group, timeout_s=timeout_s, traceparent=traceparent))

    def score_many(self, groups: Iterable[Group], *, timeout_s: float | None = None) -> list[Scored]:
        """As `AsyncRewardClient.score_many`."""
        return self._wait(self._client.score_many(groups, timeout_s=timeout_s))

    def evaluate(
        self,
        request: EvaluateRequest | Mapping[str, object],
        *,
        timeout_s: float | None = None,
        traceparent: str | None = None,
    ) -> EvaluateReply:
        """As `AsyncRewardClient.evaluate`."""
        return self._wait(self._client.evaluate(request, timeout_s=timeout_s, traceparent=traceparent))

    def close(self) -> None:
        """End the thread and its connections; calls under way are cancelled. A later call begins anew."""
        _stop(self._threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.settings,)

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        pid = os.getpid()
        thread = self._threads.get(pid) or self._threads.setdefault(pid, _LoopThread())
        future = asyncio.run_coroutine_threadsafe(work, thread.loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


def _stop(threads: dict[int, _LoopThread]) -> None:
    """That of this process; a fork has its parent's here, too, and no right to it."""
    thread = threads.pop(os.getpid(), None)
    if thread is not None:
        thread.stop()


class _LoopThread:
    """An event loop on a thread that does not keep the process alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._enough: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, running."""
        with self._lock:
            if self._loop is None:
                started: Future[asyncio.AbstractEventLoop] = Future()
                self._thread = threading.Thread(
                    target=asyncio.run, args=(self._serve(started),), name="cairn-client", daemon=True
                )
                self._thread.start()
                self._loop = started.result()
            return self._loop

    def stop(self) -> None:
        with self._lock:
            if self._loop is None or self._enough is None or self._thread is None:
                return
            self._loop.call_soon_threadsafe(self._enough.set)
            self._thread.join()

    async def _serve(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        """What is left over when it ends is cancelled and closed by `asyncio.run`."""
        self._enough = asyncio.Event()
        started.set_result(asyncio.get_running_loop())
        await self._enough.wait()
