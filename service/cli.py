"""The command line: `cairn serve`, `score`, `explain`, `replay` and `faults`.

Heavy imports wait inside the commands, so that `cairn --help` is there at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rubric.version import VERSION
from service.authoring.commands import app as rubric_app
from service.calibrating import calibrate
from service.drift.commands import app as reference
from service.key_commands import keys
from service.replaying import replay

if TYPE_CHECKING:
    from rich.console import Console

    from rubric.wire import ScoreReply, ScoreRequest
    from service.offline import Item, Journal, Step
    from service.rows import Choices, Notices
    from service.scorers import Scorer
    from service.settings import Settings
    from service.tally import Tally

app = typer.Typer(
    name="cairn",
    help="Entity-level rubric rewards for GRPO trainers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

INCOMPLETE, REFUSED, STOPPED, INTERRUPTED = 1, 2, 3, 130
"""Exit codes: something has no score; refused as it is; the run can be gone on with; Ctrl-C."""

Profile = Annotated[
    str | None,
    typer.Option(
        help="Matcher profile: legacy, strict or balanced. Wins over what is stored.", metavar="NAME"
    ),
]
Scheme = Annotated[
    str | None,
    typer.Option(
        help="How outcome and rubric become a reward: a name, or JSON such as "
        '{"name": "longtrace", "eta": 0.5}. Wins over a stored one.',
        metavar="NAME|JSON",
    ),
]
OutcomeField = Annotated[
    str | None,
    typer.Option(
        help="Field of a stored rollout that holds the trainer's own outcome, for example `correct` or "
        "`reward.outcome_reward`; no verifier runs then.",
        metavar="FIELD",
    ),
]


class Engine(StrEnum):
    """Where `cairn score` works."""

    LOCAL = "local"
    RAY = "ray"


def main() -> None:
    """Run the command line."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cairn {VERSION}")
        raise typer.Exit


@app.callback()
def cairn(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Entity-level rubric rewards for GRPO trainers."""


# --- serve ------------------------------------------------------------------------------------------------


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [CAIRN_HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.  [CAIRN_PORT]", min=0, max=65535)
    ] = None,
) -> None:
    """Run the service; its settings come from CAIRN_*."""
    from rubric.errors import CairnError  # noqa: PLC0415
    from service.bootstrap import serve as run  # noqa: PLC0415

    try:
        run(_settings(host=host, port=port))
    except CairnError as error:
        raise _failed(str(error), REFUSED) from None


def _settings(**overrides: Any) -> Settings:
    """The settings of the environment, with what the command line says instead."""
    from pydantic import ValidationError  # noqa: PLC0415

    from service.settings import Settings  # noqa: PLC0415

    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        faults = [f"{_variable(each['loc'])}{each['msg']}" for each in error.errors()]
        raise _failed("; ".join(faults), REFUSED) from None


def _variable(loc: tuple[str | int, ...]) -> str:
    return f"CAIRN_{loc[0]}: ".upper() if loc else ""


# --- score ------------------------------------------------------------------------------------------------


@app.command()
def score(  # noqa: PLR0913 (each is an option)
    files: Annotated[
        list[Path],
        typer.Argument(
            help="JSONL, gzip or not: /score bodies, rows of LongTraceRL, or rollout dumps of slime.",
            metavar="FILE.jsonl...",
            exists=True,
            dir_okay=False,
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the replies go, a line per group in the order of the input. A run that was stopped "
            "goes on after the last line. Without it only the summary is shown.",
            metavar="F",
        ),
    ] = None,
    profile: Profile = None,
    scheme: Scheme = None,
    outcome_field: OutcomeField = None,
    server: Annotated[
        str | None, typer.Option(help="Score against a running service instead of here.", metavar="URL")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(help="Key for --server.", envvar="CAIRN_API_KEY", metavar="KEY")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Worker processes (default: one per core), of each actor with --engine ray (default: 1), or "
            "connections to --server.",
            min=1,
        ),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="Score on this machine, or on a Ray cluster (needs the extra `ray`).")
    ] = Engine.LOCAL,
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="The cluster: `auto`, or HOST:PORT; without it Ray runs on this machine alone.",
            envvar="RAY_ADDRESS",
            metavar="ADDRESS",
        ),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away what --out holds already.")] = False,
) -> None:
    """Score stored groups."""
    from rubric.errors import CairnError  # noqa: PLC0415
    from service.offline import Journal  # noqa: PLC0415
    from service.rows import Notices  # noqa: PLC0415
    from service.scorers import Stopped  # noqa: PLC0415

    if out is not None and out.exists() and any(out.samefile(file) for file in files):
        raise _failed(f"--out {out} is one of the inputs", REFUSED)
    if engine is Engine.RAY and server is not None:
        raise _failed("--engine ray scores on the cluster itself: leave --server out", REFUSED)
    again = "the same command goes on from here" if out else "give --out to be able to go on"
    choices, notices = _choices(profile, scheme, outcome_field), Notices()
    try:
        engaged = (
            _on_ray(files, choices, notices, workers=workers, address=ray_address)
            if engine is Engine.RAY
            else _by(_scorer(choices, server, api_key, workers), files, choices, notices)
        )
        with engaged as (settings, steps), Journal(out, settings=settings, restart=restart) as journal:
            tally, seconds = _run(files, steps(journal))
    except Stopped as error:
        raise _failed(f"{error}; {again}", STOPPED) from None
    except KeyboardInterrupt:
        raise _failed(f"stopped; {again}", INTERRUPTED) from None
    except CairnError as error:
        raise _failed(str(error), REFUSED) from None
    _report(tally, seconds, notices, out)
    if not tally.complete:
        raise typer.Exit(INCOMPLETE)


def _choices(profile: str | None, scheme: str | None, outcome_field: str | None) -> Choices:
    """What was asked for on the command line, checked before any file is read."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from rubric import wire  # noqa: PLC0415
    from rubric.job import Profile as Known  # noqa: PLC0415
    from service.rows import Choices  # noqa: PLC0415

    overrides: dict[str, Any] = {}
    if profile is not None:
        if profile not in set(Known):
            raise _failed(f"--profile: give one of {', '.join(Known)}", REFUSED)
        overrides["profile"] = profile
    if scheme is not None:
        text = scheme if scheme.lstrip().startswith("{") else json.dumps({"name": scheme})
        try:
            checked: wire.Scheme = TypeAdapter(wire.Scheme).validate_json(text)
        except ValidationError as error:
            faults = "; ".join(each["msg"] for each in error.errors(include_input=False))
            raise _failed(f"--scheme: {faults}", REFUSED) from None
        overrides["scheme"] = checked.model_dump(mode="json", by_alias=True)
    return Choices(outcome_field=outcome_field, overrides=overrides)


Steps = Callable[["Journal"], Iterator["Step"]]
"""Scores what was asked for into a journal."""


@contextmanager
def _by(
    scorer: tuple[Scorer, str], files: list[Path], choices: Choices, notices: Notices
) -> Iterator[tuple[str, Steps]]:
    """Groups are read here, and scored by this scorer; with a digest of what decides the scores."""
    from service.offline import score_items  # noqa: PLC0415

    with closing(scorer[0]):
        items = _items(files, choices, notices)
        yield scorer[1], lambda journal: score_items(items, scorer=scorer[0], journal=journal)


@contextmanager
def _on_ray(
    files: list[Path], choices: Choices, notices: Notices, *, workers: int | None, address: str | None
) -> Iterator[tuple[str, Steps]]:
    """Groups are read and scored on a cluster; the digest is the same, for the numbers are."""
    from rubric.job import digest_of  # noqa: PLC0415
    from service import ray_engine  # noqa: PLC0415

    with ray_engine.cluster(_settings(workers=workers or 1), address=address) as it:
        score = partial(ray_engine.score_files, files, choices=choices, notices=notices, on=it)
        yield digest_of(_chosen_by(choices) | it.fingerprint), lambda journal: score(journal=journal)


def _scorer(
    choices: Choices, server: str | None, api_key: str | None, workers: int | None
) -> tuple[Scorer, str]:
    """Who scores, and a digest of everything besides the groups that decides the scores."""
    from rubric.job import digest_of  # noqa: PLC0415
    from service.scorers import Server  # noqa: PLC0415

    chosen = _chosen_by(choices)
    if server is not None:
        remote = Server(server, connections=workers or _CONNECTIONS, api_key=api_key)
        return remote, digest_of(chosen | {"fingerprint": remote.fingerprint()})
    here, fingerprint = _here(_settings(workers=workers))
    return here, digest_of(chosen | fingerprint)


def _chosen_by(choices: Choices) -> dict[str, str]:
    return {"outcome_field": str(choices.outcome_field), "overrides": json.dumps(choices.overrides)}


def _here(settings: Settings) -> tuple[Scorer, dict[str, str]]:
    """The service's parts in this process, and what makes their numbers; logs would tear the display."""
    from service.bootstrap import build_parts  # noqa: PLC0415
    from service.logs import start_logs  # noqa: PLC0415
    from service.scorers import Here  # noqa: PLC0415

    start_logs(level="error")
    parts = build_parts(settings)
    return Here(parts), dict(parts.fingerprint)


_CONNECTIONS = 8


def _items(files: list[Path], choices: Choices, notices: Notices) -> Iterator[Item]:
    from service.stored import read_groups  # noqa: PLC0415

    for file in files:
        yield from read_groups(file, choices=choices, notices=notices)


def _run(files: list[Path], steps: Iterator[Step]) -> tuple[Tally, float]:
    """Score everything, showing how far it has come; what it adds up to, and the seconds it took."""
    from service.progress import progress  # noqa: PLC0415
    from service.tally import Tally  # noqa: PLC0415

    before, total = {}, 0
    for file in files:
        before[str(file)] = total
        total += file.stat().st_size
    tally, started = Tally(), time.monotonic()
    with progress(_console(stderr=True), total=total) as advance:
        for step in steps:
            tally.add(step.line, resumed=step.resumed)
            advance(before[step.place.file] + step.position, tally.fresh_rollouts)
    return tally, time.monotonic() - started


def _report(tally: Tally, seconds: float, notices: Notices, out: Path | None) -> None:
    from service.terminal import safe, summary_table  # noqa: PLC0415

    console, errors = _console(), _console(stderr=True)
    if notices.names:
        errors.print(safe(f"notice: {notices}", style="yellow"), soft_wrap=True)
    for error in tally.errors:
        errors.print(safe(error, style="red"), soft_wrap=True)
    if tally.error_count > len(tally.errors):
        errors.print(f"… and {tally.error_count - len(tally.errors)} more", style="red")
    console.print(summary_table(tally, seconds=seconds))
    if out is not None:
        console.print(safe(f"written to {out}", style="bold"), soft_wrap=True)


# --- explain ----------------------------------------------------------------------------------------------


@app.command()
def explain(
    file: Annotated[
        Path,
        typer.Argument(help="What `cairn score` reads.", metavar="FILE.jsonl", exists=True, dir_okay=False),
    ],
    *,
    group: Annotated[
        str, typer.Option("--id", help="Id of the group, or `line-N` where it has none.", metavar="X")
    ],
    rollout: Annotated[
        str | None, typer.Option(help="Only this rollout: its id, or its number from 0.", metavar="K")
    ] = None,
    profile: Profile = None,
    scheme: Scheme = None,
    outcome_field: OutcomeField = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Show texts whole, also far from any evidence.")
    ] = False,
) -> None:
    """Show how one stored group is scored, with the evidence highlighted."""
    from rubric.errors import CairnError, InvalidInput  # noqa: PLC0415
    from rubric.intake import parse_score  # noqa: PLC0415

    settings = _settings(workers=0)
    try:
        body = _find(file, group, _choices(profile, scheme, outcome_field))
        request = parse_score(body, limits=settings.limits).model_copy(update={"explain": True})
        reply = _scored(request, settings)
    except InvalidInput as error:
        raise _failed(f"group {group} cannot be scored: {error}", INCOMPLETE) from None
    except CairnError as error:
        raise _failed(str(error), REFUSED) from None
    shown = _chosen(reply, rollout)
    _show(_console(), request, reply, shown, whole=whole)


def _scored(request: ScoreRequest, settings: Settings) -> ScoreReply:
    """Raises `InvalidInput`, and `CairnError` where the service's parts cannot start."""
    from rubric import wire  # noqa: PLC0415
    from rubric.errors import CairnError  # noqa: PLC0415

    with closing(_here(settings)[0]) as scorer:
        scored = scorer.submit(request.model_dump_json().encode()).result()
    if scored.reply is None:
        raise CairnError(scored.refusal.detail if scored.refusal else "there is no reply")
    return wire.ScoreReply.model_validate_json(scored.reply)


def _find(file: Path, group: str, choices: Choices) -> bytes:
    from service.stored import BadLine, read_groups  # noqa: PLC0415

    known = []
    for item in read_groups(file, choices=choices):
        if isinstance(item, BadLine):
            continue
        if item.id == group:
            return item.body
        known.append(item.id)
    some = f"; it has {', '.join(known[:5])}{' …' if len(known) > 5 else ''}" if known else ""  # noqa: PLR2004
    raise _failed(f"{file} has no group {group}{some}", REFUSED)


def _chosen(reply: ScoreReply, rollout: str | None) -> list[int]:
    """Indexes of the rollouts to show. An id goes before a number."""
    ids = [each.id for each in reply.rollouts]
    if rollout is None:
        return list(range(len(ids)))
    if rollout in ids:
        return [ids.index(rollout)]
    if rollout.isdecimal() and int(rollout) < len(ids):
        return [int(rollout)]
    raise _failed(
        f"no rollout {rollout}: give one of {', '.join(ids)}, or a number below {len(ids)}", REFUSED
    )


def _show(
    console: Console, request: ScoreRequest, reply: ScoreReply, shown: list[int], *, whole: bool
) -> None:
    from service import terminal  # noqa: PLC0415

    console.rule(terminal.safe(request.id or "group"))
    console.print(terminal.group_head(request, reply), soft_wrap=True)
    for index in shown:
        scored = reply.rollouts[index]
        texts = terminal.texts_of(request.rollouts[index])
        console.print()
        console.rule(terminal.rollout_title(scored), align="left")
        console.print(terminal.evidence(scored, texts, request.fields, whole=whole), soft_wrap=True)
        if scored.criteria:
            console.print(terminal.criteria_table(scored.criteria))
        console.print(terminal.reward_in_words(scored, reply), soft_wrap=True)


# --- replay -----------------------------------------------------------------------------------------------

app.command()(replay)


# --- models -----------------------------------------------------------------------------------------------

app.command()(calibrate)


# --- rubrics ----------------------------------------------------------------------------------------------

app.add_typer(rubric_app)


# --- drift ------------------------------------------------------------------------------------------------

app.add_typer(reference, name="reference")


# --- keys -------------------------------------------------------------------------------------------------

app.add_typer(keys, name="keys")


# --- faults -----------------------------------------------------------------------------------------------


@app.command()
def faults() -> None:
    """Ask the reference matcher and Cairn about the known faults of substring matching."""
    from service.faults import ask_both  # noqa: PLC0415
    from service.terminal import faults_table  # noqa: PLC0415

    findings = ask_both()
    _console().print(faults_table(findings))
    if any(each.cairn not in each.fault.right for each in findings):
        raise typer.Exit(INCOMPLETE)


# --- saying it --------------------------------------------------------------------------------------------


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=stderr, highlight=False, emoji=False, markup=False)


def _failed(message: str, code: int) -> typer.Exit:
    """Say what is wrong; what to raise then."""
    from service.terminal import safe  # noqa: PLC0415

    _console(stderr=True).print(safe(f"cairn: {message}", style="red", lines=True), soft_wrap=True)
    return typer.Exit(code)


if __name__ == "__main__":
    main()
