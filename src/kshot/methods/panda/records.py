"""What PANDA travels with: an expert's preference over answers, and the insight that explains it.

Source: arXiv 2402.12835; the fields are ours (every probability and the gold label stay with a record, as a
wrong preference gets a confident explanation all the same).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

Heuristic: TypeAlias = Literal["top1", "top2", "top3", "far", "last"]
OBSERVATION = "[observation]"


def content_id(*parts: Any) -> str:
    """16 hexadecimal digits: a hash of JSON values.

    >>> content_id("a", ["b", None]) == content_id("a", ("b", None))
    True
    """
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer that an expert ranked.

    Attributes:
        answer: The label, the answer's text, or an action.
        name: As it is shown; the answer itself where that is empty.
        probability: The expert's, or None where it only ranks.
    """

    answer: str
    name: str = ""
    probability: float | None = None

    @property
    def shown(self) -> str:
        """The display name."""
        return self.name or self.answer


@dataclass(frozen=True, slots=True)
class ExpertFacts:
    """Who preferred, and its id, with a content hash."""

    kind: Literal["classifier", "lm", "gold", "agent", "imported"]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Preference:
    """A ranking of the answers to one text, best first: r1, r2, ...

    Attributes:
        text: What was to be answered.
        candidates: Ranked, all of them; equal probabilities in the order of the classes.
        expert: Who ranked.
        gold: The right answer, where there is one.
        source: Data set and row, or task, variation and step.
        flags: What a reader should know: ``against_gold``, ``gold_first``, ``filled`` ...
    """

    text: str
    candidates: tuple[Candidate, ...]
    expert: ExpertFacts
    gold: str | None = None
    source: str = ""
    flags: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """A hash of the content; the source is no part of it."""
        ranked = [(c.answer, c.name, c.probability) for c in self.candidates]
        return content_id(self.text, ranked, asdict(self.expert), self.gold)

    @property
    def top(self) -> Candidate:
        """r1, the expert's answer."""
        return self.candidates[0]

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Preference:
        """What ``to_json`` wrote.

        Raises:
            KeyError, TypeError: It is no such object; readers of files say where.
        """
        return cls(
            plain["text"],
            tuple(Candidate(**candidate) for candidate in plain["candidates"]),
            ExpertFacts(**plain["expert"]),
            plain.get("gold"),
            plain.get("source", ""),
            tuple(plain.get("flags", ())),
        )


@dataclass(frozen=True, slots=True)
class Counters:
    """How often an insight was shown on held-out shots, turned an answer right, and turned one wrong."""

    shown: int = 0
    helped: int = 0
    hurt: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens, calls and money that one insight took."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Insight:
    """One record of a pool: what was preferred for a text, and the LLM's explanation.

    Attributes:
        row: Learning order: a pool is sorted by it, so that the order of replies does not matter.
        key: What is compared with a query's key: the raw text; for agents from ``[observation]`` on.
        opening: The clause that the explanation continues; empty where the model was given none.
        insight: The explanation; empty for a record that was learned without a call (``preference`` only).
        preference: The ranking; None where an imported record does not tell it.
        heuristic: Which pair was explained.
        template: Id of the learning prompt.
        model: Who explained.
        finish_reason: Of the reply: ``stop`` or ``length``.
        flags: ``cut`` (back to its last full sentence), ``against_gold``, ``corrupted`` ...
        source: Where the row came from; import keeps what export needs in ``origin``.
        origin: What an imported record held beside text and insight (its place, its own key), for export.
        created: ISO date and time, UTC; no part of the id.
    """

    row: int
    key: str
    insight: str
    opening: str = ""
    preference: Preference | None = None
    heuristic: Heuristic = "top2"
    template: str = ""
    model: str = ""
    finish_reason: str = "stop"
    flags: tuple[str, ...] = ()
    counters: Counters = Counters()
    spent: Spent = Spent()
    source: str = ""
    origin: Mapping[str, Any] | None = None
    created: str = ""

    @property
    def id(self) -> str:
        """A hash of key, preference, heuristic, template and model; of the row where imported."""
        place = self.row if self.origin is not None else None
        preference = self.preference.id if self.preference else None
        return content_id(self.key, preference, self.heuristic, self.template, self.model, place)

    @property
    def answer(self) -> str | None:
        """The expert's answer, r1, where it is known."""
        return self.preference.top.answer if self.preference else None

    @property
    def explanation(self) -> str:
        """Opening clause and insight, as they are shown."""
        return f"{self.opening} {self.insight}".strip() if self.opening else self.insight

    def to_json(self) -> dict[str, Any]:
        """A JSON object with the id in it; ``from_json`` reads it back."""
        return {"id": self.id} | asdict(
            replace(self, origin=None if self.origin is None else dict(self.origin))
        )

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Insight:
        """What ``to_json`` wrote; the id is not trusted but computed.

        Raises:
            KeyError, TypeError: It is no such object; readers of files say where.
        """
        fields = {name: value for name, value in plain.items() if name != "id"}
        preference = fields.get("preference")
        fields["preference"] = Preference.from_json(preference) if preference else None
        fields["counters"] = Counters(**fields.get("counters", {}))
        fields["spent"] = Spent(**fields.get("spent", {}))
        fields["flags"] = tuple(fields.get("flags", ()))
        return cls(**fields)
