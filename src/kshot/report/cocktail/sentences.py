"""What each part of a mix shows, in sentences made from its figures."""

from __future__ import annotations

from kshot.report.cocktail.facts import MixFacts
from kshot.report.wording import nats

UNTELLABLE = "The weights cannot be told from uniform: every 95 % interval holds the uniform weight."


def mix_sentence(facts: MixFacts) -> str:
    """Who is mixed, by what rule, and whether the weights say anything.

    >>> from kshot.report.cocktail.facts import MemberRow
    >>> rows = (MemberRow(name="a", weight=0.5), MemberRow(name="b", weight=0.5))
    >>> mix_sentence(MixFacts(system="mix", rule="softmax", members=rows, k=5, tells_apart=False))
    'mix: 2 members. The weights cannot be told from uniform: every 95 % interval holds the uniform weight.'
    """
    parts = [f"{facts.system}: {len(facts.members)} member{'s' if len(facts.members) != 1 else ''}."]
    if facts.temperature is not None:
        how = ", chosen by cross-fit on the shots" if facts.automatic else ""
        parts.append(f"Softmax of the negative losses at temperature {facts.temperature:g}{how}.")
    if facts.reason:
        parts.append(f"{facts.reason[:1].upper()}{facts.reason[1:]}.")
    if facts.tells_apart is False and facts.k > 1:
        parts.append(UNTELLABLE)
    elif facts.apart:
        parts.append(f"{facts.apart[:1].upper()}{facts.apart[1:]}.")
    return " ".join(parts)


def loss_sentence(facts: MixFacts) -> str:
    """The mix against the uniform soup on the shots; empty where neither was measured."""
    if facts.loss is None:
        return ""
    beside = f", the uniform soup {nats(facts.uniform_loss)}" if facts.uniform_loss is not None else ""
    return (
        f"Selection score: the mix has a loss of {nats(facts.loss)} nats on the {facts.k:,} shots{beside}. "
        "The weights come from these shots, so this proves nothing."
    )


def sweep_sentence(facts: MixFacts) -> str:
    """What the table of temperatures says."""
    known = [row for row in facts.temperatures if row.crossfit is not None]
    if not known:
        return "No temperature gave a mix with a finite loss."
    best = min(row.crossfit or 0.0 for row in known)
    text = f"Each row: weights from all but some shots, the mix judged on those. Lowest: {nats(best)}"
    if facts.uniform_crossfit is None:
        return text + "."
    below = best < facts.uniform_crossfit
    return (
        f"{text}, {'below' if below else 'not below'} the {nats(facts.uniform_crossfit)} of the uniform soup."
    )


def search_sentence(facts: MixFacts) -> str:
    """What a search tried, and its loss on shots that it did not see; empty where nothing was searched."""
    if facts.evaluations is None:
        return ""
    text = f"{facts.system}: {facts.evaluations:,} mixes tried"
    if facts.crossfit is None or facts.uniform_crossfit is None:
        return text + "."
    beside = f"uniform {nats(facts.uniform_crossfit)}"
    return f"{text}; cross-fit loss {nats(facts.crossfit)}, {beside}. {facts.reason}."
