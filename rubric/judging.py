r"""What an LLM judge is asked and how its reply is read: pure, and the same bytes for the same case.

    worthless(":", golds=("Paris",))                     "the final content has no letter or digit"
    prompt(template, question=…, golds=…, final=…)       the response fenced, every line behind a margin
    parse("extracted_final_answer: Paris\ncorrect: yes")    True

The response under judgment is the work of a policy that is paid for a `yes`. What this module holds:

- it cannot end its own fence: the number of the fence is a digest of the text itself, a text that contained
  its own number would have to be a fixed point of BLAKE2b, and every line of it stands behind a margin;
- it cannot speak as another role: what could be a control token of a chat template is broken up;
- it cannot hide what it says: characters that a person would not see are taken out;
- it cannot be mistaken for the verdict: a reply with two different verdicts, or with anything after the last
  one, is no verdict at all.

What it cannot hold: a judge that obeys what it reads as data says `yes` whatever the fence, and so does one
that is talked into it by a plausible, wrong argument; a judge that ends its reply with a quoted verdict in
place of its own cannot be told from one that means it. Against these: a better judge, the verifier `match`
before it, and an eye on the share of `yes` beside a held-out score.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from typing import Any

from rubric.text import fold

JUDGING_VERSION = "1"
"""Raised by every change of what is asked, or of how a reply is read; a part of every fingerprint."""


class Form(StrEnum):
    """How the judge is told to reply: three lines, or the JSON of `SCHEMA` where the endpoint enforces it."""

    LINES = "lines"
    JSON = "json"


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "extracted_final_answer": {"type": "string"},
        "reasoning": {"type": "string"},
        "correct": {"type": "string", "enum": ["yes", "no"]},
    },
    "required": ["extracted_final_answer", "reasoning", "correct"],
    "additionalProperties": False,
}
"""The fields of AA-LCR's judge, in its order: the answer is extracted before it is weighed."""

NONE_GIVEN = "none given"
"""What the judge puts for an answer that is not there."""


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with the slots `{question}`, `{correct_answer}`, `{number}`, `{response}` and `{form}`.

    `form` is the text that goes into the last of them. Raises `ValueError` where a slot is missing.
    """

    text: str
    form: str

    def __post_init__(self) -> None:
        missing = [name for name in _SLOTS if f"{{{name}}}" not in self.text]
        if missing:
            raise ValueError(f"the prompt has no {', '.join(f'{{{name}}}' for name in missing)}")

    @property
    def digest(self) -> str:
        """16 hex digits over both texts."""
        return _digest(self.text, self.form)[:16]


_SLOTS = ("question", "correct_answer", "number", "response", "form")
_SLOT = re.compile(rf"\{{({'|'.join(_SLOTS)})\}}")


def prompt(template: Template, *, question: str, golds: Sequence[str], final: str) -> str:
    """The one message that the judge gets. `golds` are the gold answer and other ways to say it."""
    asked, answers, response = _inert(question), [_inert(gold) for gold in golds], _inert(reduced(final))
    number = _digest(asked, *answers, response)
    slots = {
        "question": asked,
        "correct_answer": answers[0] + _aliases(answers[1:]),
        "number": number,
        "response": _fenced(response, number=number),
        "form": template.form.strip(),
    }
    return _SLOT.sub(lambda slot: slots[slot[1]], template.text)


def reduced(final: str) -> str:
    """What follows the last `</think>`, as the reference has it."""
    return final.rpartition(_CLOSE)[2].strip()


_CLOSE = "</think>"


def _aliases(aliases: Sequence[str]) -> str:
    return f"\nThe same answer in other words: {'; '.join(aliases)}" if aliases else ""


# --- the fence --------------------------------------------------------------------------------------------

_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Controls, bidirectional overrides, tags and selectors: instructions can be spelled in what nobody sees."""
_CONTROL = re.compile(r"[<＜](?=[|｜/!<\w])|\[(?=/?[A-Za-z_]{3,30}\])")
"""How a control token of a chat template begins (`<|im_end|>`, `</s>`, `[INST]`), or a slot (`[question]`).

Servers find them in the text of a message, too. The space that parts them costs an answer nothing.
"""
_OPENING = "<＜["
_MARGIN = "| "


def _inert(text: str) -> str:
    """The text without what is not seen, and with nothing that a server could take for a control token."""
    lines = text.splitlines()
    seen = [line if line.isascii() and line.isprintable() else _UNSEEN.sub("", line) for line in lines]
    joined = "\n".join(seen)
    opened = any(sign in joined for sign in _OPENING)
    return _CONTROL.sub(lambda found: f"{found[0]} ", joined) if opened else joined


def _fenced(response: str, *, number: str) -> str:
    lines = [f"{_MARGIN}{line}" for line in response.split("\n")]
    return "\n".join([f"===== RESPONSE {number} BEGINS =====", *lines, f"===== RESPONSE {number} ENDS ====="])


def _digest(*texts: str) -> str:
    """32 hex digits over the texts, which therefore none of them can hold."""
    return blake2b(repr(texts).encode(), digest_size=16).hexdigest()


# --- the reply --------------------------------------------------------------------------------------------

_MARKUP = r"[\s*_`>#\"'-]*"
_VERDICT = re.compile(rf"{_MARKUP}correct{_MARKUP}[:：]{_MARKUP}(yes|no)[\s*_`\"'.]*", re.IGNORECASE)
_EXTRACTED = re.compile(rf"{_MARKUP}extracted_final_answer{_MARKUP}[:：]{_MARKUP}(\S.*)", re.IGNORECASE)


def parse(reply: str, *, form: Form = Form.LINES) -> bool | None:
    """Whether the judge holds the answer for right; None for a reply that is not clearly yes or no.

    What precedes the judge's own `</think>` is not read. An answer that is not there cannot be right.
    """
    said = reply.rpartition(_CLOSE)[2].strip()
    if said.startswith("<think>"):
        return None
    read = _read_json(said) if form is Form.JSON else _read_lines(said)
    if read is None:
        return None
    extracted, right = read
    return None if right and extracted.strip(" .*_`\"'").casefold() == NONE_GIVEN else right


def _read_lines(said: str) -> tuple[str, bool] | None:
    """The verdict stands in the last line, behind the extracted answer, and no other line says otherwise."""
    lines = [line for line in said.splitlines() if line.strip(" `")]
    verdicts = [found[1].lower() for line in lines if (found := _VERDICT.fullmatch(line))]
    extracted = [found[1] for line in lines if (found := _EXTRACTED.fullmatch(line))]
    if not extracted or len(set(verdicts)) != 1 or not _VERDICT.fullmatch(lines[-1]):
        return None
    return extracted[0], verdicts[0] == "yes"


def _read_json(said: str) -> tuple[str, bool] | None:
    """An object with the three fields, each once."""
    try:
        pairs = json.loads(said, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(_is_field(pair) for pair in pairs):
        return None
    fields: dict[str, str] = dict(pairs)
    if len(pairs) != len(fields) or set(fields) != set(SCHEMA["required"]):
        return None
    return (fields["extracted_final_answer"], fields["correct"] == "yes") if _says(fields) else None


def _is_field(pair: object) -> bool:
    return isinstance(pair, tuple) and isinstance(pair[1], str)


def _says(fields: Mapping[str, str]) -> bool:
    return bool(fields["extracted_final_answer"].strip()) and fields["correct"] in {"yes", "no"}


# --- what needs no judge ----------------------------------------------------------------------------------


def worthless(final: str, *, golds: Sequence[str]) -> str | None:
    """Why a response is worth 0 without asking anybody, or None. The reason repeats nothing of it.

    Judges call up to nine in ten of such "master keys" right (arXiv 2507.08794). What is the gold answer is
    none.
    """
    text = reduced(final)
    if text.startswith("<think>") or (not text and _CLOSE in final):
        return "the response is thinking without an answer"
    if not text:
        return "the final content is empty"
    bare = _WRAPPING.sub(" ", text).strip(_AROUND)
    if bare and bare in {gold.strip(_AROUND) for gold in golds}:
        return None
    if not _WORD.search(bare):
        return "the final content has no letter or digit"
    if len(bare) <= _LONGEST_OPENER and _only_opens(bare, golds):
        return "the final content opens a solution and gives none"
    return None


_WORD = re.compile(r"[^\W_]+")
_AROUND = " \t\n\"'*_`.{}"
_WRAPPING = re.compile(r"</?(?:answer|final|final_answer|response)>|\\boxed\b|\\text\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[\n.:：。!！?？]+")
_LONGEST_OPENER = 500


def _only_opens(text: str, golds: Sequence[str]) -> bool:
    """Whether every sentence of the text is a master key, and none of them is the gold answer."""
    said = {words for sentence in _SENTENCE.split(text) if (words := _words(sentence))}
    return said <= _openers() and said.isdisjoint(map(_words, golds))


def _words(text: str) -> str:
    return " ".join(_WORD.findall(fold(text).text))


@cache
def _openers() -> frozenset[str]:
    return frozenset(_words(opener) for line in _OPENERS.splitlines() for opener in line.split("|"))


_OPENERS = """
Thought process|Thinking process|Reasoning process|Reasoning|Thoughts|Solution|The solution
Here is the solution
Here's the solution|Answer|The answer|The answer is|Final answer|My final answer|The final answer is
Explanation
Let's solve this problem step by step|Let's solve this step by step|Let's solve the problem step by step
Let's solve it step by step|Let us solve this problem step by step|Let me solve this problem step by step
Let me solve this step by step|I will solve this problem step by step|I'll solve this step by step
Step by step
Let's think step by step|Let us think step by step|Let me think step by step
Let's think about this step by step
Let's work through this step by step|Let's break this down|Let's break it down
Let's break this down step by step
Let's analyze the problem|Let's analyze this step by step|To solve this problem|To answer this question
解|解答|答案|答|最终答案|最終答案|思考过程|思考過程|解题过程|解題過程|推理过程|解析
让我们一步一步来解决这个问题
让我们一步一步地解决这个问题|让我们一步步解决这个问题|让我们逐步解决这个问题|让我们一步一步思考
让我们一步步思考|一步一步思考
讓我們一步一步來解決這個問題|讓我們逐步解決這個問題|讓我們一步一步思考
かいせつ|解説|回答|答え|解法|この問題を段階的に解いていきましょう
この問題をステップバイステップで解きましょう
この問題をステップバイステップで解いていきましょう|ステップバイステップで考えましょう|一歩ずつ考えましょう
順を追って考えましょう
풀이|해설|해답|정답|답|답변|사고 과정|이 문제를 단계별로 풀어 봅시다|이 문제를 단계별로 풀어봅시다
단계별로 생각해 봅시다
Respuesta|La respuesta|Respuesta final|Solución|Proceso de pensamiento|Razonamiento|Pensemos paso a paso
Resolvamos este problema paso a paso|Vamos a resolver este problema paso a paso
Resolvamos esto paso a paso
Réponse|La réponse|Réponse finale|La solution|Processus de réflexion|Raisonnement
Réfléchissons étape par étape
Résolvons ce problème étape par étape|Résolvons cela étape par étape
Lösung|Antwort|Gedankengang|Denkprozess|Überlegungen|Denken wir Schritt für Schritt
Lösen wir dieses Problem Schritt für Schritt|Lass uns dieses Problem Schritt für Schritt lösen
Resposta|Resposta final|Solução|Processo de pensamento|Raciocínio
Vamos resolver este problema passo a passo
Vamos pensar passo a passo|Risposta|Risposta finale|Soluzione|Processo di pensiero|Ragionamento
Risolviamo questo problema passo dopo passo|Risolviamo questo problema passo passo
Pensiamo passo dopo passo
Antwoord|Oplossing|Denkproces|Laten we dit probleem stap voor stap oplossen
Rozwiązanie|Odpowiedź|Proces myślowy|Rozwiążmy ten problem krok po kroku
Решение|Ответ|Ход мыслей|Ход рассуждений|Рассуждение|Давайте решим эту задачу шаг за шагом
Давайте решим эту проблему шаг за шагом|Давайте подумаем шаг за шагом|Решим задачу шаг за шагом
Розв'язання|Відповідь|Давайте розв'яжемо цю задачу крок за кроком
Çözüm|Cevap|Yanıt|Düşünce süreci|Bu problemi adım adım çözelim|Adım adım düşünelim
الحل|الإجابة|الجواب|عملية التفكير|لنحل هذه المسألة خطوة بخطوة|دعنا نحل هذه المشكلة خطوة بخطوة
راه حل|پاسخ|بیایید این مسئله را گام به گام حل کنیم
हल|समाधान|उत्तर|विचार प्रक्रिया|आइए इस समस्या को चरण दर चरण हल करें
Lời giải|Đáp án|Trả lời|Quá trình suy nghĩ|Hãy giải bài toán này từng bước|Hãy suy nghĩ từng bước
Jawaban|Solusi|Proses berpikir|Mari kita selesaikan masalah ini langkah demi langkah
วิธีทำ|คำตอบ|มาแก้ปัญหานี้ทีละขั้นตอนกันเถอะ
""".strip()
"""The keys of the paper and what says the same in other words and languages; headings, never an answer."""
