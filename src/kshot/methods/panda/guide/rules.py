"""A guide: a few rules for the whole task, each with the insights that support it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias, final

from kshot.methods.panda.pool import approximate_tokens
from kshot.methods.panda.records import Counters

Count: TypeAlias = Callable[[str], int]
NO_COUNTS = Counters()
HEADING = "Rules for this task, drawn from an expert's decisions. The first ones rest on the most cases."


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        text: One line.
        support: Ids of the insights that it condenses, in the order of the pool.
        counters: The sums of theirs.
        conflicts: Texts of the rules that speak against it; its own where it was written for a pair of
            answers and for the reverse.
        pairs: The preferred and the rival answer of the groups it came from; empty where unknown.
    """

    text: str
    support: tuple[str, ...]
    counters: Counters = NO_COUNTS
    conflicts: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def weight(self) -> int:
        """Insights that support it, plus answers turned right, minus answers turned wrong."""
        return len(self.support) + self.counters.helped - self.counters.hurt


@final
@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that is not in the guide, and why: a rule's text, or how many insights of which pair."""

    what: str
    reason: str
    support: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Guide:
    """Rules as one text, a system message without retrieval.

    Attributes:
        text: Heading and rules; empty where there is no rule.
        rules: Best supported first; only those that stand in the text.
        dropped: Rules and insights that are not in it.
        notes: What a reader should know: groups that failed, a second pass that failed, a budget that ended.
        provenance: Model, encoder, counts, tokens and money.
    """

    text: str
    rules: tuple[Rule, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] | None = None

    def rows(self) -> list[dict[str, Any]]:
        """The rules as plain rows, for the report."""
        return [asdict(rule) | {"weight": rule.weight} for rule in self.rules]

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return {
            "text": self.text,
            "rules": [asdict(rule) for rule in self.rules],
            "dropped": [asdict(each) for each in self.dropped],
            "notes": list(self.notes),
            "provenance": dict(self.provenance or {}),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Guide:
        """What ``to_json`` wrote.

        Raises:
            KeyError, TypeError: It is no such object; readers of files say where.
        """
        rules = tuple(
            Rule(
                rule["text"],
                tuple(rule["support"]),
                Counters(**rule.get("counters", {})),
                tuple(rule.get("conflicts", ())),
                tuple((pair[0], pair[1]) for pair in rule.get("pairs", ())),
            )
            for rule in plain["rules"]
        )
        dropped = tuple(
            Dropped(each["what"], each["reason"], tuple(each.get("support", ())))
            for each in plain.get("dropped", ())
        )
        return cls(
            plain["text"], rules, dropped, tuple(plain.get("notes", ())), dict(plain.get("provenance", {}))
        )


def ranked(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Heaviest first; ties: more support, then the given order.

    >>> [rule.text for rule in ranked([Rule("a", ("1",)), Rule("b", ("2", "3"))])]
    ['b', 'a']
    """
    return tuple(sorted(rules, key=lambda rule: (-rule.weight, -len(rule.support))))


def fitting(
    rules: Sequence[Rule], *, token_budget: int, count: Count = approximate_tokens
) -> tuple[str, tuple[Rule, ...], tuple[Dropped, ...]]:
    """The text within the budget, the rules in it, and those that do not fit: skipped, and on it goes.

    Conflicts with rules that are not in the text are taken off.

    >>> fitting([Rule("Look at the verb.", ("1",))], token_budget=10)[0]
    ''
    """
    kept: list[Rule] = []
    dropped: list[Dropped] = []
    for rule in rules:
        if count(_text([*kept, rule])) <= token_budget:
            kept.append(rule)
        else:
            reason = f"does not fit into the token budget of {token_budget}"
            dropped.append(Dropped(rule.text, reason, rule.support))
    shown = {rule.text for rule in kept}
    kept = [replace(rule, conflicts=tuple(t for t in rule.conflicts if t in shown)) for rule in kept]
    return _text(kept), tuple(kept), tuple(dropped)


def _text(rules: Sequence[Rule]) -> str:
    return "\n".join([HEADING, *(f"- {rule.text}" for rule in rules)]) if rules else ""
