"""The settings of the service: `CAIRN_*` in the environment, read once, checked when they are built, frozen.

    Settings(port=9000).limits.rollouts

A bad setting stops the start; nothing is replaced by a default in silence. `docs/settings.md` is this list.
"""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rubric import wire
from rubric.job import Defaults, Profile, Verifier
from rubric.judging import Form
from rubric.wire import DEFAULT_LIMITS, Limits
from service.embedding.backend import Choice
from service.judge.options import JudgeOptions

Labels = Mapping[str, frozenset[str] | None]
"""Names of labels with the values that they may have; None for any value."""


def _cores() -> int:
    """Cores that this process may use: a container's quota may be less than those that it sees."""
    seen = len(os.sched_getaffinity(0))
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return max(1, seen)
    return max(1, seen if quota == "max" else min(seen, round(int(quota) / int(period))))


_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def _not_a_link(value: object) -> object:
    """Kubernetes sets `CAIRN_PORT` for a Service that is called cairn."""
    if isinstance(value, str) and "://" in value:
        raise ValueError("is a service link of Kubernetes; set `enableServiceLinks: false`")
    return value


def _named_scheme(value: object) -> object:
    """A scheme by its name alone, or as JSON with options."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("{"):
        return {"name": value}
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("is neither the name of a scheme nor JSON") from None


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("is not JSON") from None


def _limit(name: str, meaning: str) -> Any:
    return Field(default=getattr(DEFAULT_LIMITS, name), ge=1, description=meaning)


class Settings(BaseSettings):
    """Every setting, in the order in which people look for them."""

    model_config = SettingsConfigDict(
        env_prefix="CAIRN_", env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Annotated[int, BeforeValidator(_not_a_link)] = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 takes any that is free."
    )
    probe_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port for `/healthz`, `/readyz` and `/metrics`, which the other port then lacks; 0 has "
        "them there.",
    )
    workers: int = Field(
        default_factory=_cores,
        ge=0,
        description="Worker processes for matching, by default one per core; 0 matches in the server's own "
        "process.",
    )
    profile: Profile = Field(
        default=Profile.STRICT,
        description="Matcher profile of requests that name none: `legacy`, `strict` or `balanced`.",
    )
    scheme: Annotated[wire.Scheme, NoDecode, BeforeValidator(_named_scheme)] = Field(
        default_factory=wire.LongTrace,
        description="Scheme of requests that name none: a name, or JSON with options.",
    )
    verifier: Verifier = Field(
        default=Verifier.MATCH,
        description="Who decides the outcome where neither trainer nor request says: `match`, `judge`, "
        "`cascade` (`match`, and the judge where it leaves the outcome open) or `none`.",
    )
    incomplete: Literal["zero", "mask"] = Field(
        default="zero",
        description="What truncated, aborted and ill-formed rollouts get: `zero` (a reward of 0) or `mask`.",
    )
    reference: Path | None = Field(
        default=None,
        description="What the rewards look like when all is well, as `cairn reference freeze` writes it; "
        "without it nothing is compared.",
    )
    canary_every_s: float = Field(
        default=300.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds from one pass of the canary to the next; 0 for the one at the start alone.",
    )
    canary_gates: bool = Field(
        default=False, description="Not ready while the canary's last pass differs from what is known."
    )
    recheck_share: float = Field(
        default=0.001, ge=0, le=1, description="Share of the cache's verdicts that are scored again."
    )
    api_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Keys that may score, separated by commas, several at once for rotation; empty lets "
        "everybody in.",
    )
    api_keys_file: Path | None = Field(
        default=None,
        description="A file with a line `NAME sha256:DIGEST` for each key, as `cairn keys new` writes it; "
        "read again when it changes.",
    )
    key_requests_per_minute: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Requests that each key may send in a minute, all at once or spread out; unset for no "
        "limit.",
    )
    tls_cert: Path | None = Field(
        default=None, description="The server's certificate, in PEM; unset for HTTP."
    )
    tls_key: Path | None = Field(default=None, description="Its private key, in PEM.")
    tls_client_ca: Path | None = Field(
        default=None,
        description="Whose certificates clients must show (mutual TLS), in PEM; unset asks for none.",
    )
    labels: str = Field(
        default="source:*,policy:*,split:*",
        description="Labels that a request may carry and their values, as `source:longqa|musique,policy:*`. "
        "Listed values become labels of metrics; `*` admits any value and keeps it out of metrics.",
    )
    max_in_flight: int = Field(
        default=64, ge=1, description="Requests that are worked on at once; the next one gets 429."
    )
    bytes_in_flight: int = Field(
        default=0,
        ge=0,
        description="Bytes of bodies that are worked on at once; who comes when they are reached gets 429. "
        "0 is 12 MiB for each worker, a fifth of a second of work.",
    )
    judge_in_flight: int = Field(
        default=256,
        ge=1,
        description="Requests that are matched and wait for the judge alone; they take no place of the "
        "others.",
    )
    max_connections: int = Field(
        default=4096, ge=1, description="Connections at once; the next one is told to come back."
    )
    header_timeout_s: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest time from a connection, or the first byte of a request, to the end of its "
        "headers.",
    )
    body_timeout_s: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="Longest silence in the middle of a body."
    )
    keep_alive_s: int = Field(
        default=30, ge=1, description="How long a connection without a request is kept, in seconds."
    )
    request_timeout_s: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest time for a request, body included; `X-Request-Timeout-Ms` can only shorten it.",
    )
    cache_bytes: int = Field(
        default=256 * 1024 * 1024, ge=0, description="Memory for remembered verdicts; 0 remembers none."
    )
    embedding_model: str = Field(
        default="",
        description="The model of the profile `balanced`: `builtin`, a folder, an id of the Hugging Face "
        "hub, or `remote`; empty for none.",
    )
    calibration: Path | None = Field(
        default=None,
        description="What decides on that model's vectors, as `cairn calibrate` writes it; `builtin` comes "
        "with its own.",
    )
    semantic: Literal["fast", "exhaustive"] = Field(
        default="fast",
        description="Which spans may be names in other words: likely ones, or every one (slow, to compare).",
    )
    device: str = Field(
        default="auto", description="Where the model runs: `cpu`, `cuda`, `cuda:1`, or `auto`."
    )
    embedding_precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Its numbers; `auto` is `bfloat16` on CUDA and `float32` elsewhere."
    )
    embedding_threads: int = Field(default=0, ge=0, description="Its threads on a CPU; 0 leaves it to torch.")
    embedding_url: str = Field(
        default="",
        description="For `remote`: a text-embeddings-inference or OpenAI-style endpoint.",
    )
    embedding_name: str = Field(default="", description="For `remote`: the endpoint's name for the model.")
    embedding_api_key: SecretStr = Field(default=SecretStr(""), description="For `remote`: its key.")
    embedding_timeout_s: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="For `remote`: time for a call."
    )
    embedding_retries: int = Field(default=2, ge=0, description="For `remote`: more tries of a call.")
    degrade: bool = Field(
        default=False,
        description="Serve `balanced` also where its model or its word list is missing, and say so in "
        "`degraded`; otherwise the start, or the request, is refused.",
    )
    judge_url: str = Field(
        default="",
        description="An OpenAI-compatible endpoint, as `http://host:30000/v1`; empty for no judge.",
    )
    judge_model: str = Field(default="", description="The model that judges, by the endpoint's name for it.")
    judge_api_key: SecretStr = Field(default=SecretStr(""), description="The endpoint's key.")
    judge_prompt: Path | None = Field(
        default=None, description="A prompt of your own, with the slots of the one that comes with Cairn."
    )
    judge_form: Form = Field(
        default=Form.LINES,
        description="How the judge replies: `lines`, or `json` where the endpoint holds it to a schema.",
    )
    judge_temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="Its temperature.")
    judge_seed: int = Field(
        default=0, ge=0, description="Its seed; further votes and tries count on from it."
    )
    judge_max_tokens: int = Field(default=2048, ge=1, description="Tokens of a reply, thinking included.")
    judge_extra: Annotated[dict[str, Any], NoDecode, BeforeValidator(_json_object)] = Field(
        default_factory=dict,
        description="JSON laid over the body of every call; a null takes a field away, as in "
        '`{"seed": null}`.',
    )
    judge_votes: int = Field(default=1, ge=1, le=99, description="Replies that decide an outcome together.")
    judge_tries: int = Field(default=3, ge=1, description="Calls for one reply, where trying again may help.")
    judge_timeout_s: float = Field(default=20.0, gt=0, allow_inf_nan=False, description="Time for a call.")
    judge_deadline_s: float = Field(
        default=45.0,
        gt=0,
        allow_inf_nan=False,
        description="Time for an outcome, waiting and tries included.",
    )
    judge_concurrency: int = Field(default=64, ge=1, description="Calls at once.")
    judge_requests_per_minute: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Calls per minute; unset for no limit."
    )
    judge_tokens_per_minute: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Tokens per minute; unset for no limit."
    )
    judge_breaker_failures: int = Field(
        default=16, ge=1, description="Failed calls in a row after which nobody is asked for a while."
    )
    judge_breaker_rest_s: float = Field(
        default=5.0, gt=0, allow_inf_nan=False, description="How long that is."
    )
    redis_url: SecretStr = Field(
        default=SecretStr(""),
        description="Redis in which several servers share what they remember: `redis://`, `rediss://`, "
        "`unix://`, `redis+sentinel://HOST,HOST/MASTER` or `redis+cluster://HOST,HOST`; empty for none.",
    )
    redis_password: SecretStr = Field(
        default=SecretStr(""), description="Its password, in the place of one in the URL."
    )
    redis_prefix: str = Field(
        default="cairn",
        pattern=r"^[!-z|~]+$",
        description="What the names of its keys begin with.",
    )
    redis_budget_ms: float = Field(
        default=50.0,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="Longest time that a request waits for it, in milliseconds.",
    )
    redis_ttl_s: int = Field(
        default=7 * 24 * 60 * 60, ge=1, description="How long it remembers a value, in seconds."
    )
    drain_delay_s: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="After SIGTERM: time in which `/readyz` already says no while requests are still served.",
    )
    shutdown_grace_s: float = Field(
        default=75.0,
        ge=0,
        allow_inf_nan=False,
        description="After that: longest wait for the requests that were accepted.",
    )
    inspector_keep: int = Field(
        default=0,
        ge=0,
        description="So many groups that were scored last are kept in memory, with their texts, for the "
        "inspector at `/`; who has a key can read them. 0 keeps none.",
    )
    traces_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="A collector of OpenTelemetry traces (OTLP over HTTP), as "
        "`http://collector:4318/v1/traces`; empty for none.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Events below this level are not logged; texts never are."
    )
    limit_body_bytes: int = _limit("body_bytes", "Bytes of a body, decompressed.")
    limit_rollouts: int = _limit("rollouts", "Rollouts of a group.")
    limit_entities: int = _limit("entities", "Entities of a rubric.")
    limit_criteria: int = Field(
        default=256 * 1024, ge=1, description="Rollouts times entities: criteria that one request asks for."
    )
    limit_aliases: int = _limit("aliases", "Aliases, and confusables, of an entity or an answer.")
    limit_name_chars: int = _limit("name_chars", "Characters of a name, an alias or an answer.")
    limit_text_chars: int = _limit("text_chars", "Characters of a response, or of a message's field.")
    limit_question_chars: int = _limit("question_chars", "Characters of a question.")
    limit_messages: int = _limit("messages", "Messages of a rollout.")
    limit_labels: int = _limit("labels", "Labels of a request.")
    limit_label_chars: int = _limit("label_chars", "Characters of a label.")
    limit_id_chars: int = _limit("id_chars", "Characters of an id.")
    limit_faults: int = _limit("faults", "Faults that a 422 lists.")

    @field_validator("labels")
    @classmethod
    def _readable_labels(cls, value: str) -> str:
        _labels(value)
        return value

    @field_validator("shutdown_grace_s")
    @classmethod
    def _outlives_requests(cls, value: float, info: ValidationInfo) -> float:
        if 0 < value < info.data.get("request_timeout_s", 0):
            raise ValueError("must not be below CAIRN_REQUEST_TIMEOUT_S; or 0, to wait for nobody")
        return value

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("CAIRN_TLS_CERT and CAIRN_TLS_KEY belong together: set both or none")
        if self.tls_client_ca and not self.tls_cert:
            raise ValueError("CAIRN_TLS_CLIENT_CA needs CAIRN_TLS_CERT and CAIRN_TLS_KEY")
        if self.tls_cert and self.tls_key:
            _check_tls(self.tls_cert, self.tls_key, client_ca=self.tls_client_ca)
        return self

    @model_validator(mode="after")
    def _different_ports(self) -> Self:
        if self.probe_port and self.probe_port == self.port:
            raise ValueError("CAIRN_PROBE_PORT must differ from CAIRN_PORT; 0 has probes on that one")
        return self

    @model_validator(mode="after")
    def _whole_judge(self) -> Self:
        if bool(self.judge_url) != bool(self.judge_model):
            raise ValueError("CAIRN_JUDGE_URL and CAIRN_JUDGE_MODEL belong together: set both or none")
        if self.verifier in {Verifier.JUDGE, Verifier.CASCADE} and not self.judge_url:
            raise ValueError(f"CAIRN_VERIFIER={self.verifier} needs CAIRN_JUDGE_URL and CAIRN_JUDGE_MODEL")
        _ = self.judge_options  # a bad address or prompt stops the start
        return self

    @cached_property
    def judge_options(self) -> JudgeOptions | None:
        """The judge, where there is one. Raises `ValueError`."""
        if not self.judge_url:
            return None
        names = {each.name for each in fields(JudgeOptions)} - {"base_url", "api_key"}
        options = JudgeOptions(
            base_url=self.judge_url,
            api_key=self.judge_api_key.get_secret_value(),
            **{name: getattr(self, f"judge_{name}") for name in names},
        )
        try:
            options.template()
        except OSError as error:
            raise ValueError(f"CAIRN_JUDGE_PROMPT cannot be read: {error.strerror}") from None
        return options

    @cached_property
    def limits(self) -> Limits:
        """How large a request may be."""
        return Limits(**{each.name: getattr(self, f"limit_{each.name}") for each in fields(Limits)})

    @cached_property
    def defaults(self) -> Defaults:
        """What a request leaves to the server, as far as it is known before a model is loaded."""
        judge = self.judge_options.fingerprint_parts() if self.judge_options else None
        return Defaults(
            self.profile, self.scheme, self.verifier, self.incomplete, judge, degrade=self.degrade
        )

    @cached_property
    def embedding(self) -> Choice | None:
        """The embedding model, where there is one."""
        if not self.embedding_model:
            return None
        return Choice(
            self.embedding_model,
            device=self.device,
            precision=self.embedding_precision,
            threads=self.embedding_threads,
            url=self.embedding_url,
            name=self.embedding_name,
            key=self.embedding_api_key,
            timeout_s=self.embedding_timeout_s,
            retries=self.embedding_retries,
        )

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys that may score, besides those of the file; none and no file let everybody in."""
        given = self.api_keys.get_secret_value().split(",")
        return tuple(key.strip() for key in given if key.strip())

    @cached_property
    def allowed_labels(self) -> Labels:
        """The labels that a request may carry."""
        return _labels(self.labels)


def unknown_names() -> list[str]:
    """Names in the environment that look like settings and are none: perhaps misspelled."""
    known = {f"CAIRN_{name.upper()}" for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith("CAIRN_") and name not in known)


def _check_tls(cert: Path, key: Path, *, client_ca: Path | None) -> None:
    """Raises `ValueError` where these files cannot be served with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password="")  # nobody is there to be asked
    except OSError as error:
        raise ValueError(f"CAIRN_TLS_CERT and CAIRN_TLS_KEY cannot be used: {error.strerror}") from None
    try:
        context.load_verify_locations(client_ca) if client_ca else None
    except OSError as error:
        raise ValueError(f"CAIRN_TLS_CLIENT_CA cannot be used: {error.strerror}") from None


def _labels(text: str) -> Labels:
    """`source:longqa|musique,policy:*` by name. Raises `ValueError`."""
    found: dict[str, frozenset[str] | None] = {}
    for rule in filter(None, map(str.strip, text.split(","))):
        name, colon, values = rule.partition(":")
        if not (colon and _LABEL.fullmatch(name) and values.strip()) or name in found:
            raise ValueError("is not a list like `source:longqa|musique,policy:*` of different names")
        listed = frozenset(value.strip() for value in values.split("|"))
        found[name] = None if "*" in listed else listed
    return found


_LABEL = re.compile(r"(?!status$)[a-z][a-z0-9_]{0,39}")
"""What can be the label of a metric that has a `status` already."""
