"""OpenKnowledge, what a run tells of experts, data and mixture: plain values that any step can fill in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from kshot.report.knowledge.choice import DataFacts, ExpertFacts
from kshot.report.knowledge.mixture import ParityRow, RouterFacts, TrainingFacts
from kshot.report.plain import from_plain, to_plain

Interval: TypeAlias = tuple[float, float]
Group: TypeAlias = Literal["all right", "mixed", "all wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """Test rows on which the experts agree in one way, and how often the mixture is right there.

    Attributes:
        group: ``all right``, ``mixed`` or ``all wrong``: what the single experts make of the row.
        interval: Wilson's 95 % interval of ``share``; both None without rows.
        experts_share: How often an expert drawn by chance is right on these rows.
    """

    group: Group
    n: int
    right: int
    share: float | None
    interval: Interval | None
    experts_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """The score of mixture and best single expert on one part of the test rows."""

    name: str
    n: int
    mixture: float
    best_single: float | None = None
    mixture_interval: Interval | None = None
    best_single_interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementFacts:
    """The experts against their mixture, on test rows that none of them has seen.

    Attributes:
        experts: Names of the experts behind the mixture.
        mixture: Name of the system on the leaderboard, as ``best_single``.
    """

    rows: tuple[AgreementRow, ...]
    experts: tuple[str, ...] = ()
    mixture: str = "mixture"
    best_single: str = "best single expert"
    parts: tuple[PartRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenKnowledge:
    """What experts and data were chosen, and what came of them. Every part may be absent.

    Attributes:
        note: What these facts cover where that is not the whole run, such as ``the first of 15 folds``.
    """

    experts: ExpertFacts | None = None
    data: DataFacts | None = None
    router: RouterFacts | None = None
    agreement: AgreementFacts | None = None
    training: tuple[TrainingFacts, ...] = ()
    parity: tuple[ParityRow, ...] = ()
    note: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not any(getattr(self, part.name) for part in fields(self) if part.name != "note")

    def to_json(self) -> dict[str, Any]:
        """Plain types, values unrounded; NaN and infinity become null."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> OpenKnowledge:
        """The facts that ``to_json`` wrote, or that another step wrote as dicts with these keys.

        >>> OpenKnowledge.from_json({"experts": {"experts": [{"name": "smith"}], "rule": "paper", "k": 20}})
        ... # doctest: +ELLIPSIS
        OpenKnowledge(experts=ExpertFacts(experts=(ExpertRow(name='smith', ...

        Raises:
            DataError: A field is missing or has the wrong type, or rows and columns do not fit.
        """
        facts: OpenKnowledge = from_plain(cls, plain, where="knowledge")
        return facts
