"""Prompts in English for instruction-tuned models: one user message, every text in it marked.

Source: arXiv 2402.12835 and its release for what a prompt is made of; the words are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

from kshot.data.example import LETTERS, Conversation, Example, Message
from kshot.data.template import ANSWER_CUE, Template
from kshot.methods.panda.prompts.block import insight_block
from kshot.methods.panda.prompts.marks import marked, one_line
from kshot.methods.panda.prompts.reading import read_answer
from kshot.methods.panda.records import Candidate, Insight
from kshot.methods.panda.seams import Ask, Setting
from kshot.models.base import Reply

TASK, TEXT, REASONING, ANSWER = "Task", "Text", "Reasoning", ANSWER_CUE.rstrip(":")
PREFERRED, RIVAL = "Preferred answer", "Less preferred answer"
SHOTS_LINE = "Here are cases with their right answers."
QUERY_LINE = "Here is the case that is asked about."
PREFERENCE_LINE = "An expert in this task has ranked possible answers to this case."
TASKS = {
    "classification": "Decide which label fits the text.",
    "choice": "Choose the right answer to the question.",
    "generation": "Answer what the text asks for.",
    "extraction": "Extract from the text what is asked for.",
}
OR_INDEX = " or its index"
FORMS = {
    "classification": f"the right label, by its name{OR_INDEX}",
    "choice": "the letter of the right choice",
    "generation": "the answer",
    "extraction": "the answer",
}
WHY: dict[Ask, str] = {
    "reason": (
        "Why does the expert prefer that answer? Explain it in at most four sentences: name the preferred "
        "answer, and say what in the text speaks for it."
    ),
    "reason_without_answer": (
        "Why does the expert prefer that answer? Explain in at most four sentences what in the text decides "
        "the matter. Do not name any of the answers, by name or by index."
    ),
    "strategy": (
        "Why does the expert prefer that answer? Explain in at most four sentences the general way of "
        "deciding that leads to it. Speak of texts of this kind, not of this text alone."
    ),
}
OPENINGS: dict[Ask, str] = {
    "reason": "the expert prefers this answer because",
    "reason_without_answer": "what decides the matter here is that",
    "strategy": "such a case is decided by asking",
}
CONTINUE_LINE = "Continue this sentence without repeating it:"
PLAIN = Setting()
_TASK_IN_OPENING = 80  # characters: the opening is shown again with every insight


@final
@dataclass(frozen=True, slots=True)
class StandardPrompts:
    """Insight block, shots and query of one task; see ``Prompts`` for the methods.

    Attributes:
        template: The task's words and labels.
        names: Display names by label; a label without one is shown as it is.
        system: Whether the insight block stands in a system message.
        multiline: Whether answers of generation may span lines.
        id: Name, and a hash of what is written for probe rows.
    """

    template: Template
    names: Mapping[str, str] = field(default_factory=dict)
    system: bool = False
    multiline: bool = False
    id: str = ""

    def explain(
        self,
        row: Example,
        preferred: Candidate,
        rivals: Sequence[Candidate],
        *,
        ask: Ask = "reason",
        setting: Setting = PLAIN,
    ) -> tuple[Conversation, str]:
        """The query as inference puts it, the preference, the question why, and the clause to continue."""
        conversation = self.query(row, setting=setting)
        task = one_line(self._task, most=_TASK_IN_OPENING).rstrip(".").replace('"', "'")
        opening = f'In the task "{task}", {OPENINGS[ask]}'
        ranking = [PREFERENCE_LINE, marked(PREFERRED, self._stated(preferred, row))]
        ranking += [marked(RIVAL, self._stated(rival, row)) for rival in rivals]
        parts = (
            conversation[-1].content,
            "\n".join(ranking),
            WHY[ask],
            f"{CONTINUE_LINE}\n{opening}",
        )
        return (*conversation[:-1], Message("user", "\n\n".join(parts))), opening

    def query(
        self,
        row: Example,
        *,
        insights: Sequence[Insight] = (),
        shots: Sequence[Example] = (),
        setting: Setting = PLAIN,
        guide: str = "",
    ) -> Conversation:
        """Insight block, shots, query in one user message; guide and the row's own system turn before it."""
        block = insight_block(
            [self._named(insight) for insight in insights], render=setting.render, answers=setting.answers
        )
        above = [guide, row.system or "", block if self.system else ""]
        below = ["" if self.system else block, self._shots(shots, setting)]
        has_context = bool(block and not self.system) or bool(shots)
        below += [QUERY_LINE if has_context else "", self._question(row, setting)]
        system, user = ("\n\n".join(filter(None, parts)) for parts in (above, below))
        turns = [Message("system", system)] if system else []
        return (*turns, *row.history, Message("user", user))

    def read(self, reply: Reply, setting: Setting) -> str | None:
        """The stated answer in the required form, else by log-probabilities, else from the last line."""
        template = replace(self.template, reasoning="answer_last" if setting.reasoning else "none")
        shown = [self._name(label) for label in template.labels]
        return read_answer(reply, template, shown=shown, multiline=self.multiline)

    def stop(self, setting: Setting) -> tuple[str, ...]:
        """The first line end where the answer alone is asked for and is one line."""
        return () if setting.reasoning or self.multiline else ("\n",)

    @property
    def _task(self) -> str:
        return self.template.instruction.strip() or TASKS[self.template.kind]

    def _name(self, label: str) -> str:
        return self.names.get(label, label)

    @property
    def _by_index(self) -> bool:
        """Whether an index says which label is meant: not where a number is another label's name."""
        shown = [self._name(label).strip() for label in self.template.labels]
        return all(not name.isdecimal() or name == str(index) for index, name in enumerate(shown))

    def _named(self, insight: Insight) -> Insight:
        if insight.preference is None or not self.names:
            return insight
        candidates = tuple(
            replace(c, name=c.name or self._name(c.answer)) for c in insight.preference.candidates
        )
        return replace(insight, preference=replace(insight.preference, candidates=candidates))

    def _question(self, row: Example, setting: Setting) -> str:
        parts = [marked(TASK, self._task)]
        if self.template.kind == "classification" and self.template.labels:
            names = [one_line(self._name(name)) for name in self.template.labels]
            listed = [f"{i}: {name}" for i, name in enumerate(names)] if self._by_index else names
            parts.append("\n".join(["The labels, by index:" if self._by_index else "The labels:", *listed]))
        parts.append(marked(TEXT, self.template.query(row)))
        has_form = self.template.kind != "classification" or self.template.labels
        form = FORMS[self.template.kind if has_form else "generation"]
        if has_form and not self._by_index:
            form = form.removesuffix(OR_INDEX)
        if setting.reasoning:
            asked = "First reason in a few sentences. Then end with one last line of this form:"
            parts.append(f"{asked}\n{ANSWER_CUE} <{form}>")
        else:
            parts.append(f"Reply with {form}, and with nothing else.")
        return "\n".join(parts)

    def _shots(self, shots: Sequence[Example], setting: Setting) -> str:
        entries = [self._shot(shot, setting) for shot in shots]
        return "\n\n".join([SHOTS_LINE, *entries]) if entries else ""

    def _shot(self, shot: Example, setting: Setting) -> str:
        parts = [marked(f"Earlier {turn.role} turn", turn.content) for turn in shot.history]
        parts.append(marked(TEXT, self.template.query(shot)))
        if setting.reasoning and shot.reasoning:
            parts.append(marked(REASONING, shot.reasoning))
        return "\n".join([*parts, marked(ANSWER, self._name(self.template.gold(shot)))])

    def _stated(self, candidate: Candidate, row: Example) -> str:
        """An answer by name and index, or by letter and choice."""
        name = candidate.name or self._name(candidate.answer)
        labels = self.template.labels
        if self.template.kind == "classification" and candidate.answer in labels:
            return f"{name} (index {labels.index(candidate.answer)})" if self._by_index else name
        if row.choices and candidate.answer in row.choices:
            return f"{LETTERS[row.choices.index(candidate.answer)]}. {candidate.answer}"
        if row.choices and candidate.answer in LETTERS[: len(row.choices)]:
            return f"{candidate.answer}. {row.choices[LETTERS.index(candidate.answer)]}"
        return name
