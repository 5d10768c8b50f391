"""The speaker without a server: the same body, the same reply, far faster than over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, final

from kshot.data.example import Conversation
from kshot.models.asking import Decoding, Question
from kshot.models.base import Reply
from kshot.models.fake.ontology.speaker import OntologySpeaker
from kshot.models.fake.replies import spoken, usage


@final
class OntologyModel:
    r"""A ``LanguageModel`` (and an ``Asker``) that calls a speaker with what the HTTP request would hold.

    Replies, token counts and cuts at ``max_tokens`` are those of ``FakeServer``; a test holds both equal.

    >>> from kshot.data.example import Message
    >>> from kshot.models.fake.ontology import Ontology, RecallModel
    >>> model = OntologyModel(OntologySpeaker(Ontology.made((2, 2)), RecallModel(1.0)))
    >>> text = "## Task\nName: all\n\n## Path\n- all\n\n## Wanted\nWanted: 1 rows"
    >>> model.generate([(Message("user", text),)], max_new_tokens=200)[0].text[:9]
    '{"rows": '
    """

    def __init__(self, speaker: OntologySpeaker) -> None:
        self._speaker = speaker

    @property
    def id(self) -> str:
        """The speaker's."""
        return self._speaker.id

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
        decoding = Decoding(max_new_tokens, temperature, tuple(stop), seed)
        return [self._reply(conversation, decoding) for conversation in conversations]

    def ask(self, questions: Iterable[Question | None]) -> Iterator[tuple[int, Reply]]:
        """Each question's position and its reply, at once and in order."""
        position = 0
        for question in questions:
            if question is not None:
                yield position, self._reply(question.conversation, question.decoding)
                position += 1

    def _reply(self, conversation: Conversation, decoding: Decoding) -> Reply:
        body: dict[str, Any] = {
            "messages": [{"role": turn.role, "content": turn.content} for turn in conversation],
            "max_tokens": decoding.max_new_tokens,
            "stop": list(decoding.stop),
        }
        if decoding.temperature > 0:
            body["seed"] = decoding.seed + decoding.sample
        found = spoken(self._speaker(body), body)
        counts = usage(found, body)
        return Reply(
            found.text,
            counts["prompt_tokens"],
            counts["completion_tokens"],
            finish_reason="length" if found.finish_reason == "length" else "stop",
            calls=1,
        )
