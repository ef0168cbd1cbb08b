"""Where the judge is and how it is asked: a value, and the prompt that belongs to it.

JudgeOptions(base_url="http://127.0.0.1:30000/v1", model="Qwen/Qwen3-32B")
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from rubric.judging import JUDGING_VERSION, Form, Template


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """Every choice about the judge. What can change a verdict is in `fingerprint_parts`.

    - `base_url` ends where `/chat/completions` begins; raises `ValueError` for one that is no http(s) address
    - `extra` is laid over the body of every request; its nulls take fields away (`{"seed": null}`)
    - `votes` replies decide a rollout; each has a seed of its own and up to `tries` calls of `timeout_s`
    - `deadline_s` is for a whole rollout, from the moment it is given to the judge
    - `tokens_per_minute` counts a request as its prompt and `max_tokens`, until the reply says what it took
    - after `breaker_failures` failed calls in a row nobody is asked for `breaker_rest_s`
    """

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    prompt: Path | None = None
    form: Form = Form.LINES
    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 2048
    extra: Mapping[str, object] = field(default_factory=dict)
    votes: int = 1
    tries: int = 3
    timeout_s: float = 20.0
    deadline_s: float = 45.0
    concurrency: int = 64
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    breaker_failures: int = 16
    breaker_rest_s: float = 5.0

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError("the address of the judge is not like http://host:port/v1")

    def template(self) -> Template:
        """The prompt, read from its file. Raises `ValueError` where a slot is missing."""
        prompts = files("service.judge") / "prompts"
        source = self.prompt or prompts / "aa_lcr.txt"
        form = (prompts / f"{self.form}.txt").read_text(encoding="utf-8")
        return Template(source.read_text(encoding="utf-8").strip(), form)

    def fingerprint_parts(self) -> dict[str, str]:
        """Everything about the judge that can change an outcome, by name."""
        sampling = {"temperature": self.temperature, "seed": self.seed, "max_tokens": self.max_tokens}
        return {
            "judge_model": self.model,
            "judge_prompt": self.template().digest,
            "judge_parsing": f"{JUDGING_VERSION}/{self.form}",
            "judge_votes": str(self.votes),
            "judge_sampling": json.dumps(sampling | {"extra": self.extra}, sort_keys=True),
        }
