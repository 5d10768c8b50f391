"""Open knowledge as plain tables, for Markdown; the page shows the same with pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kshot.report.knowledge.choice import FATES, DataFacts, ExpertFacts, ExpertRow, GroupRow
from kshot.report.knowledge.facts import AgreementFacts, OpenKnowledge
from kshot.report.knowledge.letters import letter
from kshot.report.knowledge.mixture import ParityRow, RouterFacts, TrainingFacts
from kshot.report.knowledge.sentences import (
    SHARE,
    agreement_sentence,
    data_sentence,
    expert_loads,
    experts_sentence,
    router_sentence,
    training_sentence,
)
from kshot.report.wording import ABSENT, Scale, count, nats

MOST_GROUPS = 10
Cells = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class TextTable:
    """A heading, a sentence that says what to see, and a table; all plain text."""

    title: str
    lead: str
    header: tuple[str, ...]
    rows: Cells


def knowledge_tables(knowledge: OpenKnowledge, scale: Scale) -> Iterator[TextTable]:
    """Every part that is there, in the order of the page."""
    if knowledge.experts:
        yield _experts(knowledge.experts)
        if knowledge.experts.groups:
            yield _groups(knowledge.experts)
    if knowledge.data:
        yield _data(knowledge.data)
    if knowledge.router:
        yield _router(knowledge.router)
    if knowledge.agreement:
        yield _agreement(knowledge.agreement)
        if knowledge.agreement.parts:
            yield _parts(knowledge.agreement, scale)
    if knowledge.training:
        yield _training(knowledge.training)
    if knowledge.parity:
        yield _parity(knowledge.parity)


def ordered(experts: Sequence[ExpertRow]) -> list[ExpertRow]:
    """Chosen first, then the pool, then by rank sum; experts without ranks last; else as given."""
    states = ("chosen", "in the pool", "left")
    return sorted(
        experts,
        key=lambda row: (states.index(row.state), row.rank_sum is None, row.rank_sum or 0),
    )


def fates(facts: DataFacts) -> list[tuple[str, int]]:
    """Fates in their order, those not in ``FATES`` after them."""
    known = [(fate, facts.counts[fate]) for fate in FATES if fate in facts.counts]
    return known + [(fate, number) for fate, number in facts.counts.items() if fate not in FATES]


def figure(value: float | None) -> str:
    """A rank, a sum or a small difference with four digits; a dash for none.

    >>> figure(11), figure(0.25126), figure(None)
    ('11', '0.2513', '–')
    """
    return ABSENT if value is None or value != value else f"{value:.4g}".replace("-", "−")


def cosine(value: float | None) -> str:
    """Three decimals; a dash for none.

    >>> cosine(0.00042), cosine(-0.5), cosine(None)
    ('0.000', '−0.500', '–')
    """
    return ABSENT if value is None or value != value else f"{value:.3f}".replace("-", "−")


def _experts(facts: ExpertFacts) -> TextTable:
    header = (
        "expert", "state", f"selection score (share of the {facts.k:,} shots right)", "standard error",
        "rank", "perplexity (on the shots)", "standard error", "rank", "rank sum", "chance: pool",
        "chance: chosen", "why it was left",
    )  # fmt: skip
    rows = [
        (
            row.name, row.state, SHARE(row.accuracy), SHARE(row.accuracy_se), figure(row.rank_accuracy),
            nats(row.perplexity), nats(row.perplexity_se), figure(row.rank_perplexity), figure(row.rank_sum),
            SHARE(row.chance_pool), SHARE(row.chance_chosen), row.left or ABSENT,
        )
        for row in ordered(facts.experts)
    ]  # fmt: skip
    proof = "All figures are selection scores: they choose, they prove nothing."
    lead = " ".join([experts_sentence(facts), proof, *facts.notes])
    return TextTable("Experts, chosen and left", lead, header, rows)


def _groups(facts: ExpertFacts) -> TextTable:
    considered = len(facts.groups) if facts.groups_considered is None else facts.groups_considered
    shown = facts.groups[:MOST_GROUPS]
    lead = (
        f"The best {len(shown)} of {considered:,}; how alike is measured by {facts.similarity or 'the rule'}."
    )
    names, cells = group_columns(facts.groups)
    rows = [
        (", ".join(row.members), *cells[place], "yes" if row.chosen else "no")
        for place, row in enumerate(shown)
    ]
    return TextTable("Groups of experts", lead, ("group", *names, "chosen"), rows)


def group_columns(groups: Sequence[GroupRow]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The names of what these groups were judged by, and for each group its figures as text.

    >>> group_columns([GroupRow(members=("a", "b"), similarity=0.25, more={"missed": 3.0})])
    (('missed', 'mean similarity'), [('3', '0.250')])
    """
    further = list(dict.fromkeys(name for row in groups for name in row.more))
    columns: list[tuple[str, list[str]]] = [
        (name.replace("_", " "), [figure(row.more.get(name)) for row in groups]) for name in further
    ]
    columns += [
        ("rank sum", [figure(row.rank_sum) for row in groups]),
        ("mean similarity", [cosine(row.similarity) for row in groups]),
        ("diversity rank", [figure(row.diversity_rank) for row in groups]),
        ("total", [figure(row.total) for row in groups]),
    ]
    told = [(name, cells) for name, cells in columns if any(cell != ABSENT for cell in cells)]
    return tuple(name for name, _ in told), [
        tuple(cells[place] for _, cells in told) for place in range(len(groups))
    ]


def _data(facts: DataFacts) -> TextTable:
    rows = [(fate, count(number)) for fate, number in fates(facts)]
    return TextTable("Open data, kept and dropped", data_sentence(facts), ("what became of it", "rows"), rows)


def _router(facts: RouterFacts) -> TextTable:
    loads = expert_loads(facts)
    picked = expert_loads(facts, "chosen") if facts.chosen else [None] * len(loads)
    rows = [
        (letter(place), name, SHARE(loads[place]), SHARE(picked[place]))
        for place, name in enumerate(facts.experts)
    ]
    where = (
        f" Shares by module ({len(facts.modules):,}) stand in report.json and as a picture in report.html."
    )
    lead = " ".join([router_sentence(facts) + where, *(f"Warning: {text}" for text in facts.warnings)])
    header = ("letter", "expert", "mean share of gate weight", "among the chosen, share of tokens")
    return TextTable(f"Routers of {facts.system or 'the mixture'}", lead, header, rows)


def _agreement(facts: AgreementFacts) -> TextTable:
    rows = [
        (
            row.group, count(row.n), count(row.right), SHARE(row.share), Scale().interval(row.interval),
            SHARE(row.experts_share),
        )
        for row in facts.rows
    ]  # fmt: skip
    header = (
        "experts", "test rows", f"{facts.mixture} right", "share", "95 % interval",
        "an expert drawn by chance",
    )  # fmt: skip
    return TextTable("Experts against their mixture", agreement_sentence(facts), header, rows)


def _parts(facts: AgreementFacts, scale: Scale) -> TextTable:
    rows = [
        (
            row.name, count(row.n), scale.score(row.mixture), scale.interval(row.mixture_interval),
            scale.score(row.best_single), scale.interval(row.best_single_interval),
        )
        for row in facts.parts
    ]  # fmt: skip
    header = ("part", "n", facts.mixture, "95 % interval", facts.best_single, "95 % interval")
    return TextTable("Score by part of the test rows", "Where the gain comes from.", header, rows)


def _training(trainings: Sequence[TrainingFacts]) -> TextTable:
    rows = [(facts.system, training_sentence(facts)) for facts in trainings]
    return TextTable("Training", "Losses are nats per target token.", ("system", "what happened"), rows)


def _parity(parity: Sequence[ParityRow]) -> TextTable:
    header = (
        "export", "form", "n", "mean difference (nats)", "largest difference", "equal replies", "kept energy",
    )  # fmt: skip
    rows = [
        (
            row.name, "exact" if row.exact else "approximate", count(row.n), figure(row.mean_difference),
            figure(row.max_difference), SHARE(row.same_replies), SHARE(row.kept_energy),
        )
        for row in parity
    ]  # fmt: skip
    return TextTable("Exports against what was measured", "Log-probabilities, token by token.", header, rows)
