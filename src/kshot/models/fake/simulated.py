"""A small simulated LLM that believes the first insight of its prompt: for tests of PANDA, labelled as such.

What it shows is whether insights reach the model and how controls behave; it says nothing of any real model.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, final

from kshot.data.example import Conversation
from kshot.errors import ModelError
from kshot.models.base import Reply
from kshot.models.fake.replies import content_text, spoken

_INDEX = re.compile(r" \(index \d+\)\Z")
_QUOTED = 4  # words of the text in an explanation


@dataclass(frozen=True, slots=True)
class Wording:
    """How the prompts that it reads are marked: names of the parts, and the pattern that finds them.

    The defaults are those of PANDA's standard prompts; ``pattern`` has the groups name, long and short.
    """

    pattern: re.Pattern[str] = re.compile(
        r"^(?P<name>[A-Z][A-Za-z' ]*): "
        r'(?:(?P<fence>"{3,})\n(?P<long>.*?)\n(?P=fence)|(?P<short>[^\n]*))$',
        re.MULTILINE | re.DOTALL,
    )
    case: str = "Case"
    note: str = "Note"
    label: str = "Expert's answer"
    text: str = "Text"
    answer: str = "Answer"
    preferred: str = "Preferred answer"

    def fields(self, prompt: str) -> list[tuple[str, str]]:
        """The named texts of a prompt, in order."""
        return [
            (found["name"], found["short"] if found["long"] is None else found["long"])
            for found in self.pattern.finditer(prompt)
        ]


@final
@dataclass(frozen=True, slots=True)
class SimulatedReader:
    r"""A ``LanguageModel``, and a script for ``FakeServer``: it reads PANDA's standard prompts.

    - An explanation is asked for: one sentence that names the preferred answer and quotes words of the text.
    - The prompt has insights: the label that the first entry's explanation names last (the task may be
      named before it); without one, the answer that the entry shows. A case that shares fewer than
      ``least_shared`` words with the query is passed over as of no use.
    - No insight names a label, but labelled shots are there: the answer of the shot that shares most words
      with the query (ties: the first); with none, and without shots, its prior.
    - The prior is right with probability ``right_share``, by a hash of the query's text; at a temperature
      above 0 the hash takes the request's seed in, so that draws differ. A text that ``truth`` does not know
      gets a label by hash.

    Attributes:
        labels: What can be answered.
        truth: Text of a query to its right label: what the prior is right about. Never of use to a method.
        right_share: Of the prior.
        least_shared: 0 believes any case.
        seed: Of its hashes.
        wording: How prompts are marked.

    >>> from kshot.data.example import Message
    >>> model = SimulatedReader(("good", "bad"), right_share=1.0, truth={"fine": "good"})
    >>> plain, noted = "Text: fine", "Case: dull\nNote: It is bad.\n\nText: fine"
    >>> [reply.text for reply in model.generate([(Message("user", plain),), (Message("user", noted),)])]
    ['good', 'bad']
    """

    labels: tuple[str, ...]
    truth: Mapping[str, str] = field(default_factory=dict)
    right_share: float = 0.5
    least_shared: int = 0
    seed: int = 0
    wording: Wording = Wording()

    def __post_init__(self) -> None:
        if not self.labels or not 0 <= self.right_share <= 1:
            raise ModelError(
                f"simulated model: {len(self.labels)} labels and a prior right in {self.right_share!r}; "
                "expected one label or more, and a share from 0 to 1"
            )

    @property
    def id(self) -> str:
        """``simulated``, so that nobody takes its figures for a model's, and what it depends on."""
        return (
            f"simulated:{len(self.labels)} labels, prior {self.right_share:g}, "
            f"least shared {self.least_shared}, seed {self.seed}"
        )

    def __call__(self, request: Mapping[str, Any]) -> str:
        """The reply to a request's body, as ``FakeServer`` asks for it."""
        messages = [m for m in request.get("messages") or [] if isinstance(m, Mapping)]
        prompt = "\n\n".join(content_text(message.get("content")) for message in messages)
        draw = int(request.get("seed") or 0) if request.get("temperature") else 0
        return self._reply(prompt, draw)

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
            prompt = "\n\n".join(turn.content for turn in conversation)
            text = self._reply(prompt, seed if temperature else 0)
            said = spoken(text, {"max_tokens": max_new_tokens, "stop": list(stop)})
            is_cut = said.finish_reason == "length"
            tokens = len(prompt.split()), len(said.text.split())
            found.append(Reply(said.text, *tokens, finish_reason="length" if is_cut else "stop"))
        return found

    def _reply(self, prompt: str, draw: int) -> str:
        parts = self.wording.fields(prompt)
        query = next((text for name, text in reversed(parts) if name == self.wording.text), "")
        preferred = next((text for name, text in parts if name == self.wording.preferred), None)
        if preferred is not None:
            return self._explained(_INDEX.sub("", preferred), query)
        return self._argued_for(parts, query) or self._of_shots(parts, query) or self._prior(query, draw)

    def _explained(self, preferred: str, text: str) -> str:
        words = [word for word in text.split() if self._named(word) is None]
        quoted = " ".join(words[:_QUOTED])
        return f'{preferred} fits what the text says with "{quoted}".' if quoted else f"{preferred} fits."

    def _argued_for(self, parts: Sequence[tuple[str, str]], query: str) -> str | None:
        """What the first entry argues for: its note, else the answer that it shows."""
        first = next((at for at, (name, _) in enumerate(parts) if name == self.wording.case), None)
        if first is None or _shared(parts[first][1], query) < self.least_shared:
            return None
        entry: dict[str, str] = {}
        for name, text in parts[first + 1 :]:
            if name in (self.wording.case, self.wording.text):
                break
            entry.setdefault(name, text)
        return self._named(entry.get(self.wording.note, "")) or self._named(entry.get(self.wording.label, ""))

    def _of_shots(self, parts: Sequence[tuple[str, str]], query: str) -> str | None:
        best, found = 0, None
        for (name, text), (following, answer) in pairwise(parts):
            if (name, following) != (self.wording.text, self.wording.answer):
                continue
            if _shared(text, query) > best:
                best, found = _shared(text, query), self._named(answer)
        return found

    def _prior(self, text: str, draw: int) -> str:
        right = self.truth.get(text)
        others = [label for label in self.labels if label != right] or list(self.labels)
        if right is not None and self._hashed("right", text, draw) < self.right_share:
            return right
        return others[int(self._hashed("which", text, draw) * len(others))]

    def _hashed(self, what: str, text: str, draw: int) -> float:
        """A number from 0 to below 1."""
        code = zlib.crc32(f"{what}\n{self.seed}\n{draw}\n{text}".encode("utf-8", "surrogatepass"))
        mixed = (code ^ (code >> 16)) * 0x85EBCA6B & 0xFFFFFFFF  # CRC-32 is linear: neighbours would agree
        mixed = (mixed ^ (mixed >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
        return (mixed ^ (mixed >> 16)) / 2**32

    def _named(self, text: str) -> str | None:
        """The label that is named last as whole words; of two at one place, the longer."""
        found = []
        for label in self.labels:
            for match in re.finditer(rf"(?i)(?<!\w){re.escape(label)}(?!\w)", text):
                found.append((match.end(), len(label), label))
        return max(found)[2] if found else None


def _shared(text: str, other: str) -> int:
    return len(set(text.lower().split()) & set(other.lower().split()))
