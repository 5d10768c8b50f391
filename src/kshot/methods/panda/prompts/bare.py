"""Few words in fixed places, for models as small as the miniature's: notes as lines, shots as turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from kshot.data.example import Conversation, Example, Message
from kshot.data.template import Template
from kshot.methods.panda.prompts.reading import read_answer
from kshot.methods.panda.records import Candidate, Insight
from kshot.methods.panda.seams import Ask, Setting
from kshot.models.base import Reply

OVER, WHY = " over ", "why"
PLAIN = Setting()


@final
@dataclass(frozen=True, slots=True)
class BarePrompts:
    r"""Prompts of one task without a word of ours but ``over`` and ``why``; see ``Prompts`` for the methods.

    An insight is its lines above the query, each line once; a preference is an earlier turn and its reply. A
    guide stands above the insights' lines. With reasoning, shots hold theirs where the template puts it, at
    the end if it puts none.

    >>> prompts = BarePrompts(Template(instruction="Translate."))
    >>> asked, opening = prompts.explain(Example("zank", ""), Candidate("lamp"), [Candidate("iron")])
    >>> asked[-1].content, opening
    ('zank\nlamp over iron\nwhy', '')
    """

    template: Template
    multiline: bool = False
    id: str = ""

    def explain(
        self, row: Example, preferred: Candidate, rivals: Sequence[Candidate], *, ask: Ask = "reason"
    ) -> tuple[Conversation, str]:
        """The query, the preferred answer over the others, and why; all that ``ask`` may say is the same."""
        conversation = self.query(row)
        ranked = OVER.join(answer.shown for answer in (preferred, *rivals))
        asked = f"{conversation[-1].content}\n{ranked}\n{WHY}"
        return (*conversation[:-1], Message("user", asked)), ""

    def query(
        self,
        row: Example,
        *,
        insights: Sequence[Insight] = (),
        shots: Sequence[Example] = (),
        setting: Setting = PLAIN,
        guide: str = "",
    ) -> Conversation:
        """System turn, preferences and shots as earlier turns, then the notes and the query as one turn."""
        template = self._template(setting)
        conversation = template.conversation(row, shots)
        start = 1 if template.system(row) else 0
        earlier: list[Message] = []
        if setting.render != "insight":
            for insight in insights:
                earlier += _as_turns(insight, setting.answers if setting.render == "preference" else 1)
        shown = insights if setting.render != "preference" else ()
        lines = [*guide.splitlines(), *(line for i in shown for line in i.explanation.splitlines())]
        notes = dict.fromkeys(line.strip() for line in lines if line.strip())
        last = Message("user", "\n".join([*notes, conversation[-1].content]))
        return (*conversation[:start], *earlier, *conversation[start:-1], last)

    def read(self, reply: Reply, setting: Setting) -> str | None:
        """The first line; after reasoning that stands first, the last answer line."""
        return read_answer(reply, self._template(setting), multiline=self.multiline)

    def stop(self, setting: Setting) -> tuple[str, ...]:
        """The first line end where the answer alone is asked for and is one line."""
        return () if setting.reasoning or self.multiline else ("\n",)

    def _template(self, setting: Setting) -> Template:
        order = self.template.reasoning if self.template.reasoning != "none" else "answer_last"
        return replace(self.template, reasoning=order if setting.reasoning else "none")


def _as_turns(insight: Insight, answers: int) -> tuple[Message, ...]:
    if insight.preference is None:
        return ()
    ranked = OVER.join(answer.shown for answer in insight.preference.candidates[:answers])
    return (Message("user", insight.key), Message("assistant", ranked))
