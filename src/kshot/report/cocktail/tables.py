"""Mixes as plain tables, for Markdown and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kshot.report.cocktail.facts import CocktailFacts, MixFacts
from kshot.report.cocktail.sentences import loss_sentence, mix_sentence, search_sentence, sweep_sentence
from kshot.report.wording import ABSENT, Scale, nats

_SHARE = Scale()


@dataclass(frozen=True, slots=True)
class MixTable:
    """A heading, a sentence that says what to see, and a table; all plain text.

    Attributes:
        key: Of the place in the page.
        marked: Positions of rows that were chosen.
    """

    key: str
    title: str
    lead: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    marked: frozenset[int] = frozenset()


def cocktail_tables(facts: CocktailFacts) -> Iterator[MixTable]:
    """Every part that is there, in the order of the page."""
    yield members_table(facts.main, facts.mixes[1:])
    for mix in facts.mixes:
        if mix.temperatures:
            yield sweep_table(mix)
        if mix.steps:
            yield steps_table(mix)
    if facts.main.left:
        yield left_table(facts.main)


def members_table(main: MixFacts, others: Sequence[MixFacts] = ()) -> MixTable:
    """Members with their losses and weights, the uniform soup and further mixes beside.

    Members come by weight, the heaviest first.
    """
    others = [mix for mix in others if mix.rule != "uniform"]
    header = (
        "member", "what", "loss on the shots, alone", "weight", "95 % interval",
        "largest change, one shot left out", "uniform soup", *(mix.system for mix in others),
    )  # fmt: skip
    rows = []
    for row in sorted(main.members, key=lambda row: -row.weight):
        beside = [_share(mix.weight_of(row.name)) for mix in others]
        interval = _SHARE.interval(row.interval)
        change = ABSENT if row.change is None else _SHARE.number(row.change)
        rows.append((row.name, row.form or ABSENT, nats(row.loss), _share(row.weight), interval, change,
                     _share(main.uniform), *beside))  # fmt: skip
    leads = [mix_sentence(main), loss_sentence(main), *map(search_sentence, others), *main.notes]
    return MixTable("members", "Members and weights, in %", " ".join(filter(None, leads)), header, rows)


def sweep_table(mix: MixFacts) -> MixTable:
    """The temperatures that were tried, and the uniform soup as a last row."""
    header = ("temperature", "smallest weight", "largest weight", "cross-fit loss (shots not seen)",
              "loss on the shots it was fitted to")  # fmt: skip
    rows = [
        (
            f"{row.temperature:g}",
            _share(row.lowest),
            _share(row.highest),
            nats(row.crossfit),
            nats(row.fitted),
        )
        for row in mix.temperatures
    ]
    even = _share(mix.uniform)
    rows.append(("uniform soup", even, even, nats(mix.uniform_crossfit), nats(mix.uniform_loss)))
    marked = frozenset(at for at, row in enumerate(mix.temperatures) if row.chosen)
    title = f"Temperatures tried for {mix.system}"
    return MixTable("temperatures", title, sweep_sentence(mix), header, rows, marked)


def steps_table(mix: MixFacts) -> MixTable:
    """The members in the order in which a greedy soup tried them."""
    rows = [
        (str(at), step.name, nats(step.loss), "stays" if step.accepted else "left out")
        for at, step in enumerate(mix.steps, 1)
    ]
    lead = (
        "Members by their own loss, the lowest first; each stays if the average with it has a lower loss on "
        "the shots."
    )
    marked = frozenset(at for at, step in enumerate(mix.steps) if step.accepted)
    header = ("step", "member", "loss of the average with it", "verdict")
    return MixTable("steps", f"Steps of {mix.system}", lead, header, rows, marked)


def left_table(mix: MixFacts) -> MixTable:
    """Who came into question and takes no part."""
    rows = list((mix.left or {}).items())
    return MixTable("left", "Not mixed", "What could have taken part and does not.", ("name", "why"), rows)


def _share(value: float | None) -> str:
    return _SHARE.number(value)
