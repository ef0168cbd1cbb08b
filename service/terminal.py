"""What the commands show: tables, and texts with their evidence highlighted.

Rollouts are hostile: nothing of them reaches the terminal as markup or as a control character.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rubric.entity import Field
from rubric.text import Message, Response, Texts, split
from rubric.wire import CriterionOut, NearMissOut, RolloutIn, RolloutOut, ScoreReply, ScoreRequest
from service.faults import Finding
from service.tally import Tally

STAGE_STYLES = {
    "exact": "bold black on green",
    "alias": "bold black on cyan",
    "number": "bold black on blue",
    "date": "bold black on bright_blue",
    "fuzzy": "bold black on yellow",
    "embedding": "bold black on magenta",
    "chunk": "bold black on bright_cyan",
    "legacy": "bold black on white",
}
NEAR_MISS_STYLE = "underline red"
_ESCAPED_STYLE = "reverse dim"
_AROUND = 240
"""Characters shown on both sides of a highlighted surface in a text that is shortened."""


# --- text that is safe to show ----------------------------------------------------------------------------


def safe(text: object, *, style: str = "", lines: bool = False) -> Text:
    """`text` as it may be shown: what could move the cursor, hide or reorder text is spelled out.

    Line breaks are kept where `lines` says so.
    """
    shown = Text(style=style)
    plain: list[str] = []
    for character in str(text):
        if character in "\n\t" and lines:
            plain.append(character.replace("\t", "    "))
        elif unicodedata.category(character) in _UNSAFE and character not in _JOINERS:
            shown.append("".join(plain)).append(_escaped(character), _ESCAPED_STYLE)
            plain.clear()
        else:
            plain.append(character)
    return shown.append("".join(plain))


_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # they shape scripts and emoji, and do nothing else


def _escaped(character: str) -> str:
    return repr(character)[1:-1] if character.isascii() else f"\\u{{{ord(character):x}}}"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A piece of a text to highlight: code points `start` to `end`."""

    start: int
    end: int
    style: str


def highlighted(text: str, marks: Iterable[Mark], *, whole: bool = False) -> Text:
    """`text` with its marks; far from any mark it is shortened, unless `whole`."""
    shown = Text()
    position = 0
    for mark in [*sorted(marks), Mark(len(text), len(text), "")]:
        if mark.start < position:
            continue
        last = mark.start == len(text)
        shown.append_text(_between(text[position : mark.start], first=position == 0, last=last, whole=whole))
        shown.append_text(safe(text[mark.start : mark.end], style=mark.style, lines=True))
        position = mark.end
    return shown


def _between(text: str, *, first: bool, last: bool, whole: bool) -> Text:
    head, tail = (2 * _AROUND if first else _AROUND), (2 * _AROUND if last else _AROUND)
    hidden = len(text) - head - tail
    if whole or hidden < _AROUND:
        return safe(text, lines=True)
    shown = safe(text[:head], lines=True)
    shown.append(f" […{hidden:,} characters…] ", "dim italic")
    return shown.append_text(safe(text[-tail:], lines=True))


# --- explain ----------------------------------------------------------------------------------------------


def group_head(request: ScoreRequest, reply: ScoreReply) -> Group:
    """The question, the answer, and what the group was scored with."""
    head = Text()
    head.append("Question  ", "bold").append_text(safe(request.question, lines=True)).append("\n")
    head.append("Answer    ", "bold")
    if request.answer is None:
        head.append("not given", "dim")
    else:
        head.append_text(safe(" / ".join((request.answer.value, *request.answer.aliases))))
    options = ", ".join(f"{key} {value}" for key, value in reply.scheme.items() if key != "name")
    head.append("\nScored    ", "bold")
    head.append(f"profile {reply.profile}, scheme {reply.scheme['name']} ({options})")
    if reply.degraded:
        head.append(f"\nMissing   {', '.join(reply.degraded)}", "yellow")
    return Group(head, _group_line(reply))


def _group_line(reply: ScoreReply) -> Text:
    group = reply.group
    line = Text("Group     ", "bold")
    line.append(f"{group.scored} of {group.size} rollouts scored; ", "not bold")
    line.append(
        f"best rubric score {_number(group.score_max)}, reward {_number(group.reward_mean)}"
        f" ± {_number(group.reward_std)}{'; degenerate: all rewards equal' if group.degenerate else ''}",
        "not bold",
    )
    return line


def rollout_title(rollout: RolloutOut) -> Text:
    """Which rollout, what became of it, and what is remarkable about it."""
    title = Text.assemble(
        safe(rollout.id, style="bold"), f"  {rollout.status}  reward {_number(rollout.reward)}"
    )
    return title.append(f"  {', '.join(rollout.flags)}", "yellow") if rollout.flags else title


def texts_of(rollout: RolloutIn) -> Texts:
    """The fields of a rollout, whatever its status."""
    messages = tuple(
        Message(each.role, each.content or "", each.reasoning_content or "")
        for each in rollout.messages or ()
    )
    return split(Response(rollout.response, messages))


def evidence(rollout: RolloutOut, texts: Texts, fields: Sequence[str], *, whole: bool) -> Text:
    """The fields that were matched, with what was found in them."""
    shown = Text()
    for name in fields:
        marks = list(marks_of(rollout.criteria or (), field=name))
        shown.append(f"{name}\n", "bold")
        shown.append_text(_stripped(highlighted(texts.of(Field(name)), marks, whole=whole))).append("\n")
    return shown


def _stripped(text: Text) -> Text:
    """Without the line breaks around it."""
    plain = text.plain
    return (
        text[len(plain) - len(plain.lstrip("\n")) : len(plain.rstrip("\n"))] if plain.strip("\n") else Text()
    )


def criteria_table(criteria: Sequence[CriterionOut]) -> Table:
    """One row per entity: what was found, how, and what was refused."""
    table = Table("entity", "hit", "stage", "surface", "flags", "near miss", box=None, pad_edge=False)
    for each in criteria:
        table.add_row(
            safe(each.entity),
            Text("✓", "green") if each.hit else Text("✗", "red"),
            Text(each.stage or "–", STAGE_STYLES.get(each.stage or "", "dim")),
            safe(each.surface or "–"),
            safe(", ".join(each.flags) or "–"),
            _near_miss(each.near_miss),
        )
    return table


def _near_miss(near: NearMissOut | None) -> Text:
    if near is None:
        return Text("–", "dim")
    return Text.assemble(safe(f"{near.surface}", style=NEAR_MISS_STYLE), " ", safe(f"({near.reason})"))


def marks_of(criteria: Sequence[CriterionOut], *, field: str) -> Iterator[Mark]:
    """Where the evidence stands in one field."""
    for each in criteria:
        if each.start is not None and each.end is not None and each.field == field:
            yield Mark(each.start, each.end, STAGE_STYLES.get(each.stage or "", "bold"))
        near = each.near_miss
        if near is not None and near.field == field:
            yield Mark(near.start, near.end, NEAR_MISS_STYLE)


def reward_in_words(rollout: RolloutOut, reply: ScoreReply) -> Text:
    """How the reward of one rollout came about, with its numbers."""
    if rollout.failure is not None:
        return Text.assemble(
            ("failed: ", "bold red"), safe(f"{rollout.failure.type}: {rollout.failure.detail}")
        )
    if rollout.reward is None:
        return Text("masked: the rollout was not completed, and takes no part", "yellow")
    outcome, rubric = rollout.outcome, rollout.rubric
    words = Text()
    if outcome is not None:
        said = outcome.verifier or "?"
        words.append(f"outcome o = {_number(outcome.value)} ({said}")
        words.append_text(safe(f": {outcome.detail}" if outcome.detail else "")).append(")\n")
    if outcome is not None and outcome.verifier == "status":
        return words.append(f"reward 0: the rollout was {outcome.detail}", "bold")
    if rubric is not None:
        words.append(f"rubric s = {_number(rubric.score)} ({rubric.hits} of {rubric.total} entities)")
        words.append(_normalized(rubric.score, rubric.normalized, reply)).append("\n")
    o = outcome.value if outcome is not None and outcome.value is not None else 0.0
    s = rubric.normalized if rubric is not None else 0.0
    return words.append(f"reward {_number(rollout.reward)}{_formula(reply.scheme, o, s)}", "bold")


def _normalized(score: float, normalized: float, reply: ScoreReply) -> str:
    how = reply.scheme.get("normalize")
    if how in {None, "none"}:
        return ""
    if how == "deferred":
        return ", not normalized: the group has fewer than two scored rollouts"
    if score == normalized:
        return f", normalized ŝ = {_number(normalized)}"
    return f", normalized ŝ = {_number(score)} / {_number(score / normalized)} = {_number(normalized)}"


def _formula(scheme: dict[str, object], o: float, s: float) -> str:
    """Where the reward came from: the formula with the rollout's numbers, or the rule that decided."""
    name, gate = scheme["name"], scheme.get("gate")
    eta, alpha = (float(str(scheme.get(key, 0.0))) for key in ("eta", "alpha"))
    right, share = _number(o), _number(s)
    if name == "outcome" or (name == "longtrace" and gate == "negative" and o > 0):
        return " = o"
    if name == "longtrace" and gate == "positive" and o <= 0:
        return ": the outcome is not positive"
    if name == "longtrace" and gate == "negative":
        return f" = η·ŝ = {eta:g} · {share}"
    if name == "longtrace":
        return f" = (1 − η)·o + η·ŝ = {1 - eta:g} · {right} + {eta:g} · {share}"
    if name == "e-grpo":
        return ": the outcome is right" if o > 0 else f" = α·ŝ = {alpha:g} · {share}"
    if name == "c-grpo":
        return f" = (1 − α)·o + α·o·ŝ = {1 - alpha:g} · {right} + {alpha:g} · {right} · {share}"
    if name == "longrlvr":
        return f" = o + η·F + (1 − η)·o·F, o = {right}, η = {eta:g}, F of the cited chunks = {share}"
    return _SUMS.get(str(name), "")


_SUMS = {
    "rar": " = Σ weight·credit / Σ weight",
    "healthbench": " = Σ points met / Σ positive points",
    "gear": " = Σ weight·q / Σ weight, each q scaled by its prerequisites",
}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


# --- score ------------------------------------------------------------------------------------------------


def summary_table(tally: Tally, *, seconds: float) -> Table:
    """What the run adds up to."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in _summary(tally, seconds):
        table.add_row(name, safe(value))
    return table


def _summary(tally: Tally, seconds: float) -> Iterator[tuple[str, str]]:
    kept = f" ({tally.resumed} of them from the run before)" if tally.resumed else ""
    yield "groups", f"{tally.groups + tally.error_count:,}{kept}"
    yield "rollouts", f"{tally.rollouts:,}"
    yield "ok / failed / masked", " / ".join(f"{tally.status[each]:,}" for each in ("ok", "failed", "masked"))
    yield "mean reward", str(tally.reward)
    yield "mean rubric score", str(tally.rubric)
    yield "mean outcome", str(tally.outcome)
    yield "hits per stage", _shares(tally.stages, tally.criteria) + _of(tally.criteria, "criteria")
    yield "near misses", _shares(Counter({"refused": tally.near_misses}), tally.criteria)
    yield "flags", _counts(tally.flags)
    equal = Counter({"all rewards equal in": tally.degenerate})
    yield (
        "degenerate groups",
        _shares(equal, tally.compared_groups) + _of(tally.compared_groups, "groups of two and more"),
    )
    if tally.degraded:
        yield "degraded (groups)", _counts(tally.degraded)
    yield "failures", _counts(tally.failures)
    yield "seconds", f"{seconds:.1f}"
    yield "rollouts/s", f"{tally.fresh_rollouts / seconds:,.0f}" if tally.fresh_rollouts else "–"


def _shares(counts: Counter[str], total: int) -> str:
    if not total:
        return "–"
    shares = [f"{name} {count / total:.1%}" for name, count in counts.most_common()]
    return ", ".join(shares) or "none"


def _of(total: int, what: str) -> str:
    return f" of {total:,} {what}" if total else ""


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common()) or "none"


# --- faults -----------------------------------------------------------------------------------------------


def faults_table(findings: Sequence[Finding]) -> Table:
    """What both matchers say; green where it is right, red where it is not."""
    table = Table(
        "class", "gold entity", "text", "reference", "Cairn, strict", "right", box=None, pad_edge=False
    )
    before = ""
    for each in findings:
        fault = each.fault
        table.add_row(
            safe(fault.kind if fault.kind != before else "", style="bold"),
            safe(fault.gold),
            safe(fault.text),
            *(
                Text(says.value, "green" if says in fault.right else "red")
                for says in (each.reference, each.cairn)
            ),
            " or ".join(says.value for says in fault.right),
        )
        before = fault.kind
    return table
