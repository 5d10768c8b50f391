"""A small simulated LLM for interactive tasks: its figures show that the parts work, nothing more."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, final

from kshot.agents.prompt import advice_in
from kshot.data.example import Conversation
from kshot.models.base import Reply

PRIOR = ("look around", "inventory", "wait1")
_NEXT = re.compile(r"The expert's next action is \"([^\"]+)\"")
_QUOTED = re.compile(r"\"([^\"\n]+)\"")
_DONE = re.compile(r"^> (.+)$", re.MULTILINE)
_NUMBERED = "as 'NUMBER: thought'"


@final
class SimulatedActor:
    r"""Does what the nearest insight in its prompt names; else what its prior says. A ``LanguageModel``.

    The first quoted text of the first insight is its action, unless it did just that in its last two lines.
    Its prior knows nothing of the task: looking around, the inventory, waiting, or, one time in two, an
    action of the solved example; a fixed hash of the prompt decides. Asked why an expert prefers an action it
    names that action. It can stand behind ``FakeServer`` too: called with a request it gives the text.

    >>> from kshot.data.example import Message
    >>> request = (Message("user", 'The expert\'s next action is "go out", not "wait". Why?'),)
    >>> SimulatedActor().generate([request])[0].text.startswith('The expert takes "go out"')
    True
    """

    @property
    def id(self) -> str:
        """Says that it is simulated."""
        return "simulated-actor"

    def __call__(self, request: Mapping[str, Any]) -> str:
        """The reply to a chat request, as ``FakeServer`` puts it."""
        text = str(request["messages"][-1]["content"])
        return _reply(text, float(request.get("temperature") or 0), int(request.get("seed") or 0))

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One reply a conversation; tokens are words."""
        found = []
        for conversation in conversations:
            prompt = conversation[-1].content
            text = _reply(prompt, temperature, seed)
            for ending in stop:
                text = text.partition(ending)[0]
            found.append(Reply(text, len(prompt.split()), len(text.split())))
        return found


def _reply(prompt: str, temperature: float, seed: int) -> str:
    if expert := _NEXT.search(prompt):
        return f'The expert takes "{expert[1]}" because it is the step of the plan that comes next here.'
    if _NUMBERED in prompt:
        return "1: I carry out the plan of the task step by step."
    if not prompt.endswith(">"):
        return "I strayed from the plan; next time I keep to what the insights advise."
    before, _, own = prompt.rpartition("\n\n")
    done = _DONE.findall(own)
    for advice in advice_in(prompt)[:1]:
        named = _QUOTED.search(advice)
        if named and done[-2:] != [named[1]] * 2:
            return f" {named[1]}"
    pool = list(PRIOR)
    drawn = int(hashlib.sha256(f"{prompt}|{seed if temperature else 0}".encode()).hexdigest()[:12], 16)
    example = [action for action in _DONE.findall(before) if not action.startswith("think:")]
    if example and drawn % 2:
        pool = example
    return f" {pool[drawn // 2 % len(pool)]}"
