"""How a row becomes a conversation and a target: the one place where prompts are built.

Training, scoring and prompting all read rows through the same ``Template``, so that a model is asked
in exactly the words that it was trained on. How a conversation becomes one string of text (a chat
template, or plain text) is the model's business: see ``plain_text`` here and ``models/text.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.data.example import LETTERS, Conversation, Example, Message

ReasoningOrder: TypeAlias = Literal["none", "answer_first", "answer_last"]
TaskKind: TypeAlias = Literal["classification", "choice", "generation", "extraction"]
ANSWER_CUE = "Answer:"


@dataclass(frozen=True, slots=True)
class Target:
    """What a model should reply: the whole text, and where in it the answer and the reasoning stand.

    Spans are (start, end) in characters of ``text``.
    """

    text: str
    answer: tuple[int, int]
    reasoning: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """The words of one task around its rows.

    ``reasoning`` says where the reasoning of shots stands: ``answer_first`` puts it on the lines after
    the answer, ``answer_last`` before a last line ``Answer: ...``; ``none`` leaves it out.

    >>> template = Template(instruction="Name the capital.")
    >>> [turn.content for turn in template.conversation(Example("France", "Paris"))]
    ['Name the capital.', 'France']
    >>> template.target(Example("France", "Paris")).text
    'Paris'
    """

    instruction: str = ""
    kind: TaskKind = "generation"
    labels: tuple[str, ...] = ()
    reasoning: ReasoningOrder = "none"

    def system(self, row: Example) -> str:
        """The system turn: the row's own, then the task's instruction, then the labels to choose from."""
        parts = [row.system or "", self.instruction]
        if self.kind == "classification" and self.labels:
            parts.append("Reply with one of these labels and nothing else: " + ", ".join(self.labels))
        if self.kind == "choice":
            parts.append("Reply with the letter of the right choice.")
        return "\n".join(part for part in parts if part)

    def query(self, row: Example) -> str:
        """The user turn of a row: its prompt and, where there are choices, one lettered line for each."""
        if not row.choices:
            return row.prompt
        lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, row.choices, strict=False)]
        return "\n".join([row.prompt, *lines])

    def gold(self, row: Example) -> str:
        """The answer as a reply should state it: the letter where there are choices, else the answer."""
        return row.letter if row.choices and row.answer else row.answer

    def target(self, row: Example) -> Target:
        """The reply to learn and to score for a row."""
        answer = self.gold(row)
        if not row.reasoning or self.reasoning == "none":
            return Target(answer, (0, len(answer)))
        if self.reasoning == "answer_first":
            start = len(answer) + 1
            text = f"{answer}\n{row.reasoning}"
            return Target(text, (0, len(answer)), (start, len(text)))
        text = f"{row.reasoning}\n{ANSWER_CUE} {answer}"
        return Target(text, (len(text) - len(answer), len(text)), (0, len(row.reasoning)))

    def conversation(self, row: Example, shots: Sequence[Example] = ()) -> Conversation:
        """System turn, shots as earlier turns in the given order, the row's own history, its query."""
        system = self.system(row)
        turns = [Message("system", system)] if system else []
        for shot in shots:
            turns += [*shot.history, Message("user", self.query(shot))]
            turns.append(Message("assistant", self.target(shot).text))
        return (*turns, *row.history, Message("user", self.query(row)))

    def stop(self, shots: Sequence[Example]) -> tuple[str, ...]:
        """Where a reply may be cut: at the first line end, if no shot needs more than one line."""
        several = any("\n" in self.gold(shot).strip() for shot in shots)
        return () if several or self.reasoning == "answer_last" else ("\n",)

    def answer_in(self, reply: str, *, multiline: bool = False) -> str | None:
        """The stated answer in a reply, or None where it states none.

        ``answer_last`` needs a line that begins with the answer cue (the last such line counts);
        otherwise the first non-empty line counts, or all of the reply if ``multiline``.
        """
        if self.reasoning == "answer_last":
            stated = re.findall(rf"(?im)^\W*{re.escape(ANSWER_CUE)}\s*(\S.*)$", reply)
            return stated[-1].strip().strip("*`").strip() or None if stated else None
        if multiline:
            return reply.strip() or None
        return next((line.strip() for line in reply.splitlines() if line.strip()), None)


def plain_text(conversation: Conversation) -> str:
    r"""A conversation for a model without a chat template: turns apart by blank lines, replies by line ends.

    >>> plain_text((Message("system", "Capitals."), Message("user", "France"), Message("assistant", "Paris"),
    ...             Message("user", "Peru")))
    'Capitals.\n\nFrance\nParis\n\nPeru\n'
    """
    text = ""
    for turn in conversation:
        text += turn.content + ("\n" if turn.role == "user" else "\n\n")
    return text
