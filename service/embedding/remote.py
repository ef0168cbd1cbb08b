"""A model on another server: text-embeddings-inference, or anything that answers like OpenAI's embeddings.

    backend = connect(Choice("remote", url="http://embeddings:8080"))
    backend = connect(Choice("remote", url="http://gateway/v1", name="bge-small", key=SecretStr("...")))

With a `name` it is OpenAI's form, whose servers hold many models; without one the server says what it holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import numpy as np

from rubric.embedder import Vectors
from service.embedding.backend import Choice, MissingPart, ModelUnreachable

_MOST_AT_ONCE = 8
"""Calls under way; a server that batches wants several."""
_TEXTS_PER_CALL = 32
"""What text-embeddings-inference takes unless it says otherwise."""
_MOST_CHARS = 1000
"""Of a text: some servers refuse a whole call for one that is too long, and names and spans are short."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


def connect(choice: Choice) -> Remote:
    """Ask the server what it holds, and for one vector. Raises `MissingPart`, `ModelUnreachable`."""
    if not choice.url:
        raise MissingPart("the embedding model `remote` needs the address of its server")
    caller = _Caller(choice)
    try:
        return Remote(caller, _openai(choice.name) if choice.name else _inference(caller))
    except BaseException:
        caller.close()
        raise


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a server wants to be asked, and where its vectors are in the answer."""

    model: str
    path: str
    texts_per_call: int
    body: Callable[[list[str]], dict[str, Any]]
    vectors: Callable[[Any], list[list[float]]]


def _inference(caller: _Caller) -> _Dialect:
    info = caller.get("info")
    if not isinstance(info, dict) or "model_id" not in info:
        raise ModelUnreachable("the server does not say which model it holds; give the model's name")
    return _Dialect(
        model=f"{info['model_id']}:{info.get('model_sha') or ''}:{info.get('model_dtype') or ''}",
        path="embed",
        texts_per_call=int(info.get("max_client_batch_size") or _TEXTS_PER_CALL),
        body=lambda texts: {"inputs": texts, "normalize": True, "truncate": True},
        vectors=lambda answer: answer,
    )


def _openai(name: str) -> _Dialect:
    return _Dialect(
        model=name,
        path="embeddings",
        texts_per_call=_TEXTS_PER_CALL,
        body=lambda texts: {"model": name, "input": texts, "encoding_format": "float"},
        vectors=lambda answer: [
            each["embedding"] for each in sorted(answer["data"], key=lambda each: each["index"])
        ],
    )


class Remote:
    """A model on another server, as the batcher sees it."""

    band = 1e-2
    """Nobody tells how precisely the other server computes; bfloat16 is the least precise that is usual."""
    step_tokens = 8192

    def __init__(self, caller: _Caller, dialect: _Dialect) -> None:
        self._caller = caller
        self._dialect = dialect
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="embedding")
        self.identity = f"remote:{dialect.model}"
        self.dimensions = 0
        self.dimensions = self.encode([b"a"]).shape[1]

    def prepare(self, texts: Sequence[str]) -> list[bytes]:
        return [text[:_MOST_CHARS].encode("utf-8", "replace") for text in texts]

    def encode(self, inputs: Sequence[bytes]) -> Vectors:
        """Raises `ModelUnreachable` if any part of them got no answer."""
        size = self._dialect.texts_per_call
        parts = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        return np.concatenate(list(self._threads.map(self._ask, parts)))

    def encode_alone(self, one: bytes) -> Vectors:
        return self._ask([one])[0]

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._caller.close()

    def _ask(self, inputs: Sequence[bytes]) -> Vectors:
        answer = self._caller.post(self._dialect.path, self._dialect.body([one.decode() for one in inputs]))
        try:
            vectors = np.array(self._dialect.vectors(answer), dtype=np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelUnreachable("the embedding server's answer holds no vectors") from error
        if vectors.ndim != 2 or len(vectors) != len(inputs) or self.dimensions not in (0, vectors.shape[1]):  # noqa: PLR2004 - rows and columns
            raise ModelUnreachable(
                "the embedding server answers with another number of vectors or dimensions"
            )
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            return np.where(np.isfinite(lengths), vectors / lengths, np.float32(np.nan))


class _Caller:
    """HTTP with time-outs; what may go better is tried again, a little later each time."""

    def __init__(self, choice: Choice) -> None:
        key = choice.key.get_secret_value()
        self._client = httpx.Client(
            base_url=choice.url.rstrip("/") + "/",
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=choice.timeout_s,
        )
        self._retries = choice.retries

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._call("POST", path, body)

    def close(self) -> None:
        self._client.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """The answer's JSON. Raises `ModelUnreachable`, which never repeats what was sent."""
        why = ""
        for turn in range(self._retries + 1):
            if turn:
                time.sleep(min(_FIRST_PAUSE_S * 2 ** (turn - 1), _LONGEST_PAUSE_S))
            try:
                answer = self._client.request(method, path, json=body)
                if answer.is_success:
                    return answer.json()
            except (httpx.HTTPError, ValueError) as error:
                why = type(error).__name__
                continue
            why = f"status {answer.status_code}"
            if answer.status_code not in _TRANSIENT:
                break
        raise ModelUnreachable(f"the embedding server gave no answer to /{path}: {why}")


_TRANSIENT = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
    424,  # text-embeddings-inference: the model itself failed
)
