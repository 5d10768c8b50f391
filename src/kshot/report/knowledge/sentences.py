"""What each part of open knowledge shows, in one or two sentences made from its figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kshot.report.knowledge.choice import DataFacts, ExpertFacts
from kshot.report.knowledge.facts import AgreementFacts
from kshot.report.knowledge.mixture import RouterFacts, TrainingFacts
from kshot.report.wording import Scale, nats

SHARE = Scale().score


def listed(names: Sequence[str]) -> str:
    """Names as a sentence holds them.

    >>> listed(["brewer", "mason", "smith"]), listed([])
    ('brewer, mason and smith', 'none')
    """
    if len(names) < 2:
        return names[0] if names else "none"
    return ", ".join(names[:-1]) + " and " + names[-1]


def amount(number: int, noun: str) -> str:
    """A count and its noun.

    >>> amount(1, "row"), amount(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def experts_sentence(facts: ExpertFacts) -> str:
    """Who was chosen of how many, on what, and how clearly."""
    chosen = [row.name for row in facts.experts if row.chosen]
    found = f"{len(chosen)} of {amount(len(facts.experts), 'expert')} chosen: {listed(chosen)}."
    count = len(facts.groups) if facts.groups_considered is None else facts.groups_considered
    kind = "every group was compared" if facts.exact else "groups were grown greedily: approximate"
    search = f"Rule {facts.rule}; {kind}" + (f" ({count:,})." if count else ".")
    if facts.margin is None or not math.isfinite(facts.margin):
        return f"{found} {search}"
    near = f"the runner-up is {facts.margin:.4g} behind" if facts.margin else "the runner-up totals the same"
    return f"{found} {search[:-1]}, {near}."


def data_sentence(facts: DataFacts) -> str:
    """How many rows of how many were kept, and by what."""
    total = sum(count for fate, count in facts.counts.items() if fate != "shot")
    guard = facts.counts.get("guard", 0)
    guarded = f", {amount(guard, 'row')} removed by the guard" if guard else ""
    return (
        f"{facts.counts.get('kept', 0):,} of {amount(total, 'row')} kept{guarded}. "
        f"Asked for {amount(facts.asked, 'candidate')} by {facts.selector} similarity to the shots "
        f"({facts.encoder}); a row whose cosine to a kept one is above {facts.threshold:g} falls."
    )


def router_sentence(facts: RouterFacts) -> str:
    """Which expert gets most and least, beside an even share."""
    means = expert_loads(facts)
    known = [(mean, -place) for place, mean in enumerate(means) if mean is not None]
    if not known:
        return "No gates were seen."
    over = f" over {facts.over}" if facts.over else ""
    even = f"With {amount(len(means), 'expert')} an even share is {SHARE(1 / len(means))}."
    most, least = max(known), min(known)
    if len(known) == 1:
        return f"{even} {facts.experts[-most[1]]} alone was seen{over}."
    return (
        f"{even} On average{over} {facts.experts[-most[1]]} gets most, {SHARE(most[0])}, and "
        f"{facts.experts[-least[1]]} least, {SHARE(least[0])}."
    )


def expert_loads(facts: RouterFacts, table: str = "load") -> list[float | None]:
    """Mean over modules for each expert, over those that hold it; None where none does."""
    rows = getattr(facts, table)
    columns = [
        [row[place] for row in rows if math.isfinite(row[place])] for place in range(len(facts.experts))
    ]
    return [sum(column) / len(column) if column else None for column in columns]


def agreement_sentence(facts: AgreementFacts) -> str:
    """What the mixture makes of the rows on which its experts disagree, and of those where all fail."""
    rows = {row.group: row for row in facts.rows}
    total = sum(row.n for row in facts.rows)
    mixed, wrong = rows.get("mixed"), rows.get("all wrong")
    parts = []
    if mixed and mixed.n:
        parts.append(
            f"The experts disagree on {mixed.n:,} of {amount(total, 'test row')}; there the mixture is "
            f"right in {SHARE(mixed.share)}, an expert drawn by chance in {SHARE(mixed.experts_share)}."
        )
    if wrong and wrong.n:
        parts.append(f"Of {amount(wrong.n, 'row')} that every expert fails it answers {wrong.right:,}.")
    return " ".join(parts) or f"The experts agree on all of {amount(total, 'test row')}."


def training_sentence(facts: TrainingFacts) -> str:
    """What was trained, how long, and how the losses went."""
    size = "" if facts.parameters is None else f" ({facts.parameters:,} numbers)"
    parts = [f"trained {facts.trained}{size}"]
    if facts.steps:
        parts.append(
            f"{amount(max(facts.steps), 'step')}, loss {nats(facts.losses[0])} at first, "
            f"{nats(facts.losses[-1])} at last"
        )
    known = [
        (loss, step)
        for step, loss in zip(facts.held_steps, facts.held_losses, strict=True)
        if math.isfinite(loss)
    ]
    if known:
        loss, step = min(known)
        parts.append(f"held-back loss lowest at step {step:,} ({nats(loss)})")
    if facts.kept_step is not None:
        parts.append(f"the weights of step {facts.kept_step:,} were kept")
    return "; ".join(parts) + "."
