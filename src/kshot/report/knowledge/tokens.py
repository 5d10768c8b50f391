"""One text, token by token, in the colours of the experts that answer it."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kshot.report.knowledge.letters import colour, letter
from kshot.report.knowledge.mixture import RouterFacts, TokenFacts
from kshot.report.knowledge.visible import visible
from kshot.report.wording import Scale

MOST_TOKENS, LONGEST = 800, 60
_TOLD = 0.005  # gates below this are not told


@dataclass(frozen=True, slots=True)
class TokenView:
    """How one token is shown.

    Attributes:
        text: Line breaks stand as an arrow, hidden characters as their code points.
        title: Its gates in words, for reading without colour.
        tone: Name of the leading expert's colour.
        strength: How far it leads, in percent; 0 is an even share.
        bar: The gates as a CSS gradient; empty where they are no numbers.
        mark: The leading expert's letter where another one led before.
        breaks: Whether the text goes on in a new line.
    """

    text: str
    title: str
    tone: str
    strength: int
    bar: str
    mark: str
    breaks: bool
    answer: bool


def token_views(facts: RouterFacts) -> tuple[TokenView, ...]:
    """The first ``MOST_TOKENS`` tokens; empty where no text was watched."""
    tokens = facts.tokens
    if tokens is None:
        return ()
    views: list[TokenView] = []
    before: int | None = None
    for place in range(min(MOST_TOKENS, len(tokens.pieces))):
        lead = leading(tokens.gates[place])
        views.append(_view(tokens, place, facts.experts, lead, changed=lead != before))
        before = lead
    return tuple(views)


def leading(gates: Sequence[float]) -> int | None:
    """The expert with the largest gate, the first of equals; None where no gate is above zero.

    >>> leading([0.2, 0.4, 0.4]), leading([float("nan"), 0.0])
    (1, None)
    """
    places = [place for place, gate in enumerate(gates) if math.isfinite(gate) and gate > 0]
    return max(places, key=lambda place: (gates[place], -place)) if places else None


def direction(pieces: Iterable[str]) -> str:
    """``rtl`` if the first letter with a direction is written from right to left, else ``ltr``.

    >>> direction(["1. ", "שלום"]), direction(["1. "])
    ('rtl', 'ltr')
    """
    for piece in pieces:
        for character in piece:
            kind = unicodedata.bidirectional(character)
            if kind in ("L", "R", "AL"):
                return "ltr" if kind == "L" else "rtl"
    return "ltr"


def mean_gates(tokens: TokenFacts, expert_count: int) -> tuple[float, ...]:
    """The mean gate of each expert over the text, over tokens whose gates are numbers; zeros without any."""
    rows = [row for row in tokens.gates if all(math.isfinite(gate) for gate in row)]
    return tuple(sum(row[place] for row in rows) / max(1, len(rows)) for place in range(expert_count))


def _view(
    tokens: TokenFacts, place: int, experts: Sequence[str], lead: int | None, *, changed: bool
) -> TokenView:
    piece, gates = tokens.pieces[place], tokens.gates[place]
    lines = piece.replace("\r\n", "\n").replace("\r", "\n")
    even = 1 / len(gates) if gates else 1.0
    ahead = 1.0 if len(gates) == 1 else (gates[lead] - even) / (1 - even) if lead is not None else 0.0
    return TokenView(
        text=visible(lines.replace("\n", "↵").replace("\t", "⇥"), kept=LONGEST),
        title=_title(gates, experts),
        tone="--muted" if lead is None else colour(lead),
        strength=round(100 * min(1.0, max(0.0, ahead))),
        bar=gradient(gates),
        mark="" if lead is None or not changed else letter(lead),
        breaks="\n" in lines,
        answer=tokens.target_from is not None and place >= tokens.target_from,
    )


def _title(gates: Sequence[float], experts: Sequence[str]) -> str:
    order = sorted(range(len(gates)), key=lambda place: (-gates[place], place))
    told = [
        f"{letter(place)} {visible(experts[place], kept=LONGEST)} {Scale().score(gates[place])}"
        for place in order
        if math.isfinite(gates[place]) and gates[place] >= _TOLD
    ]
    return ", ".join(told) or "no gates"


def gradient(gates: Sequence[float]) -> str:
    """The gates as one bar, cut into their shares; made of figures and our own names alone.

    >>> gradient([0.75, 0.25])
    'linear-gradient(90deg,var(--expa) 0.0% 75.0%,var(--expb) 75.0% 100.0%)'
    """
    told = [(place, gate) for place, gate in enumerate(gates) if math.isfinite(gate) and gate >= _TOLD]
    total = sum(gate for _, gate in told)
    if not told or not math.isfinite(total):
        return ""
    stops, reached = [], 0.0
    for place, gate in told:
        start, reached = reached, reached + 100 * (gate / total)
        stops.append(f"var({colour(place)}) {start:.1f}% {reached:.1f}%")
    return f"linear-gradient(90deg,{','.join(stops)})"
