"""One action: drawn from the model, put to the environment, replaced only where that is safe."""

from __future__ import annotations

from dataclasses import dataclass

from kshot.agents.base import Environment, State
from kshot.agents.episode import NOTHING, Kind, Usage
from kshot.agents.grounding import nearest_valid
from kshot.agents.replies import by_frequency, line_of
from kshot.agents.strategies import Strategy, action_decodings
from kshot.data.example import Conversation
from kshot.models.asking import Question, replies
from kshot.models.base import LanguageModel, Reply


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the model said at one step.

    Attributes:
        thought: The thought, where it was one.
        actions: Distinct actions, most frequent first; empty for a thought.
        usage: What the requests cost.
        error: Why there is none: every reply failed.
    """

    thought: str = ""
    actions: tuple[str, ...] = ()
    usage: Usage = NOTHING
    error: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one action: the state, what was carried out, and how it came to be that."""

    state: State
    sent: str
    kind: Kind


def draw(model: LanguageModel, conversation: Conversation, strategy: Strategy, *, repeat: int = 0) -> Drawn:
    """Asks for the next line, again while the reply is too short and the strategy has tries left."""
    usage, found = NOTHING, [Reply("", finish_reason="error", error="not asked")]
    for attempt in range(len(strategy.temperatures)):
        questions = [
            Question(conversation, decoding, step="act")
            for decoding in action_decodings(strategy, attempt, repeat=repeat)
        ]
        found = replies(model, questions)
        for reply in found:
            usage = usage.plus(reply)
        if len(found[0].text.strip()) >= strategy.shortest_reply:
            break
    usable = [reply for reply in found if reply.finish_reason != "error"]
    if not usable:
        return Drawn(usage=usage, error=found[0].error or "no reply")
    lines = [line_of(reply.text, thoughts=strategy.thoughts) for reply in usable]
    if lines[0][0] == "thought":
        return Drawn(thought=lines[0][1], usage=usage)
    return Drawn(actions=by_frequency([text for _, text in lines]), usage=usage)


def carry_out(environment: Environment, actions: tuple[str, ...], *, before: State) -> Done:
    """Sends actions until one is accepted; else the nearest valid one to the first, where that is certain.

    Args:
        environment: Where.
        actions: In the order in which they are tried.
        before: The state, which a refused action leaves as it is.

    The list of valid actions is built only where all were refused. An action for which the environment asks
    back ends the tries: its next input is the answer.
    """
    state = before
    for action in actions:
        state = environment.step(action)
        if state.asks_back:
            return Done(state, action, "asks_back")
        if state.accepted:
            return Done(state, action, "own")
        if state.done:  # a refusal that cost the last move
            return Done(state, "", "refused")
    instead = nearest_valid(actions[0], environment.valid_actions()) if actions and actions[0] else None
    if instead is not None and instead not in actions:
        second = environment.step(instead)
        if second.accepted and not second.asks_back:
            return Done(second, instead, "grounded")
        state = second
    return Done(state, "", "refused")
