"""The wording in which an agent's preference is explained: the ``Prompts`` of interactive tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kshot.agents.prompt import insight_text
from kshot.data.example import Conversation, Example, Message
from kshot.methods.panda.records import Candidate, Insight, content_id
from kshot.methods.panda.seams import Ask, Setting
from kshot.models.base import Reply

PLAIN = Setting()
_BEFORE = (
    "Below is what an agent has done so far in a text world: the task, then its actions and what it saw. An "
    "expert decides what it does next."
)
_PREFERS = "The expert's next action is {preferred}{over}."
_WHY: dict[Ask, str] = {
    "reason": "Why? Answer in one paragraph without line breaks: name the action, say what it does for the "
    "task here, and what in the situation speaks for it.",
    "reason_without_answer": "Why? Answer in one paragraph without line breaks, and do not name the action "
    "itself: say what in the situation decides.",
    "strategy": "What general way of deciding is behind it? Answer in one paragraph without line breaks, in "
    "terms that help in other situations of such tasks.",
}


@dataclass(frozen=True, slots=True)
class EpisodePrompts:
    r"""How explanations of an agent's decisions are asked for. A row's prompt is a trajectory.

    >>> row = Example("A hall. Leave it.", "")
    >>> asked, opening = EpisodePrompts().explain(row, Candidate("go out"), [Candidate("wait")])
    >>> 'The expert\'s next action is "go out", not "wait".' in asked[0].content, opening
    (True, '')
    """

    @property
    def id(self) -> str:
        """Name, and a hash of the wording."""
        return f"episode-{content_id(_BEFORE, _PREFERS, _WHY)}"

    def explain(
        self, row: Example, preferred: Candidate, rivals: Sequence[Candidate], *, ask: Ask = "reason"
    ) -> tuple[Conversation, str]:
        """Trajectory so far, the next action over its rivals, and the question why. There is no opening."""
        names = [f'"{rival.shown}"' for rival in rivals]
        over = f", not {' or '.join(names)}" if names else ""
        wish = _PREFERS.replace("{over}", over).replace("{preferred}", f'"{preferred.shown}"', 1)
        text = "\n\n".join([_BEFORE, row.prompt, f"{wish} {_WHY[ask]}"])
        return (Message("user", text),), ""

    def query(
        self,
        row: Example,
        *,
        insights: Sequence[Insight] = (),
        shots: Sequence[Example] = (),
        setting: Setting = PLAIN,
        guide: str = "",
    ) -> Conversation:
        """One decision apart from the loop: insights, solved trajectories, the trajectory so far."""
        block = insight_text(insights, render=setting.render)
        blocks = [block, *(f"{shot.prompt}\n> {shot.answer}" for shot in shots), f"{row.prompt}\n>"]
        user = Message("user", "\n\n".join(part for part in blocks if part))
        return (Message("system", guide), user) if guide else (user,)

    def read(self, reply: Reply, setting: Setting) -> str | None:
        """The first line, where there is one."""
        line = reply.text.strip().split("\n")[0].strip()
        return line or None

    def stop(self, setting: Setting) -> tuple[str, ...]:
        """An action is one line."""
        return ("\n",)
