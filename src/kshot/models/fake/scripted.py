"""A language model that says what a script says, without any server: for tests of what stands on a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

from kshot.data.example import Conversation
from kshot.errors import ModelError
from kshot.models.base import Reply


@final
class ScriptedModel:
    """A ``LanguageModel`` from a function, a mapping by the last turn's text, or a list in order.

    A text is cut before a stop string; a ``Reply`` is given as it is. Tokens are words.

    Attributes:
        conversations: Every conversation that was put to it, in order.

    >>> from kshot.data.example import Message
    >>> model = ScriptedModel(["first", "second"])
    >>> [reply.text for reply in model.generate([(Message("user", "a"),), (Message("user", "b"),)])]
    ['first', 'second']
    """

    def __init__(
        self,
        script: Callable[[Conversation], str | Reply] | Mapping[str, str] | Sequence[str | Reply],
        *,
        id: str = "scripted",  # noqa: A002 - the seam's name
    ) -> None:
        self._script = script
        self._id = id
        self._next = 0
        self.conversations: list[Conversation] = []

    @property
    def id(self) -> str:
        """As it was given."""
        return self._id

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One scripted reply a conversation; a text longer than ``max_new_tokens`` words is cut.

        Raises:
            ModelError: The script has no reply.
        """
        return [self._reply(conversation, max_new_tokens, stop) for conversation in conversations]

    def _reply(self, conversation: Conversation, most: int, stop: Sequence[str]) -> Reply:
        self.conversations.append(conversation)
        found = self._found(conversation)
        if isinstance(found, Reply):
            return found
        for ending in stop:
            found = found.partition(ending)[0] if ending else found
        words = found.split()
        text, reason = (found, "stop") if len(words) <= most else (" ".join(words[:most]), "length")
        prompt = sum(len(turn.content.split()) for turn in conversation)
        return Reply(text, prompt, min(len(words), most), "length" if reason == "length" else "stop")

    def _found(self, conversation: Conversation) -> str | Reply:
        script = self._script
        if callable(script):
            return script(conversation)
        if isinstance(script, Mapping):
            text = conversation[-1].content
            if text not in script:
                raise ModelError(f"{self._id}: the script has no reply to {text[:80]!r}")
            return script[text]
        if self._next >= len(script):
            raise ModelError(f"{self._id}: the script of {len(script)} replies is used up")
        self._next += 1
        return script[self._next - 1]
