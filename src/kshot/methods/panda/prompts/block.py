"""The insight block: the records nearest to a query, as they stand before it."""

from __future__ import annotations

from collections.abc import Sequence

from kshot.methods.panda.prompts.marks import marked
from kshot.methods.panda.records import Insight
from kshot.methods.panda.seams import Render

INSIGHTS_LINE = "Here is what is known of similar cases. It may help with the one that is asked about below."
CASE, NOTE, PROBABILITY = "Case", "Note", "Expert's probability"
RANKED = ("Expert's answer", "Expert's second answer", "Expert's third answer")


def insight_block(insights: Sequence[Insight], *, render: Render = "both", answers: int = 1) -> str:
    r"""A line that offers the insights, then one entry each in the given order, blank lines between.

    An insight of which ``render`` has nothing to show (no explanation, no known answer) is left out; with
    none left the block is empty.

    Args:
        insights: The most similar first.
        render: ``insight`` (text, explanation), ``preference`` (text, the expert's answers), or ``both``
            (text, answer, probability, explanation).
        answers: How many of the ranked answers a ``preference`` shows, 1 to 3.

    >>> print(insight_block([Insight(0, "I like it", "It praises.")], render="insight").partition("\n\n")[2])
    Case: I like it
    Note: It praises.
    """
    entries = [text for insight in insights if (text := _entry(insight, render, answers))]
    return "\n\n".join([INSIGHTS_LINE, *entries]) if entries else ""


def _entry(insight: Insight, render: Render, answers: int) -> str:
    parts = []
    if render != "insight" and insight.preference is not None:
        ranked = insight.preference.candidates[: answers if render == "preference" else 1]
        parts += [marked(name, answer.shown) for name, answer in zip(RANKED, ranked, strict=False)]
        if render == "both" and ranked and ranked[0].probability is not None:
            parts.append(f"{PROBABILITY}: {ranked[0].probability:.2f}")
    if render != "preference" and insight.insight.strip():
        parts.append(marked(NOTE, insight.explanation))
    return "\n".join([marked(CASE, insight.key), *parts]) if parts else ""
