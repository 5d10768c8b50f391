"""An exploration as plain tables, one source for the page and the Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from kshot.measure.coverage import DatasetCoverage, TreeCoverage
from kshot.measure.overlap import QUANTILES
from kshot.report.explore.facts import ContaminationFacts, ExploreFacts
from kshot.report.explore.sentences import contamination_sentence, planned
from kshot.report.panda.facts import UsageRow
from kshot.report.panda.tables import PandaTable
from kshot.report.wording import ABSENT, Scale, count, money

_SHARE = Scale()
_LITTLE = 0.3  # of the instructions parsed; below, pairs stand for few of them
_TENTHS = tuple(f"{at / 10:.1f} to {(at + 1) / 10:.1f}" for at in range(10))


def explore_tables(facts: ExploreFacts) -> Iterator[PandaTable]:
    """Every table that there are figures for, in the order of the page."""
    if facts.grow_calls or facts.fill_calls:
        yield budget_table(facts)
    if facts.evenness is not None:
        yield evenness_table(facts.evenness)
    if facts.datasets:
        yield pairs_table(facts.datasets)
        if len(facts.datasets) > 1:
            yield equal_table(facts.datasets)
        yield frequent_table(facts.datasets)
        if any(one.overlap for one in facts.datasets):
            yield overlap_table(facts.datasets)
            yield tenths_table(facts.datasets)
    if facts.contamination is not None:
        yield contamination_table(facts.contamination)
    if facts.usage:
        yield usage_table(facts.usage)


def budget_table(facts: ExploreFacts) -> PandaTable:
    """Calls for finding tasks against calls for filling them."""
    calls = facts.grow_calls + facts.fill_calls
    names = sum(task.names_kept for task in facts.tasks)
    rows = sum(task.rows - task.attached for task in facts.tasks)
    lines = [
        ("exploring", count(facts.grow_calls), _SHARE.score(facts.grow_calls / calls), f"{names:,} tasks",
         _per(names, facts.grow_calls)),
        ("filling", count(facts.fill_calls), _SHARE.score(facts.fill_calls / calls), f"{rows:,} rows",
         _per(rows, facts.fill_calls)),
    ]  # fmt: skip
    lead = "What finds tasks, and what fills them. A request that was asked again counts twice."
    lead += planned(facts)
    header = ("for", "calls", "share", "kept", "kept a call")
    return PandaTable("budget", "Exploring and filling", lead, header, lines)


def evenness_table(even: TreeCoverage) -> PandaTable:
    """How rows lie over tasks."""
    row = (
        count(even.nodes), count(even.rows), count(even.empty), _SHARE.score(even.enough_share),
        f"{even.mean:,.1f}", f"{even.median:,.1f}", f"{even.effective:,.1f}", _SHARE.score(even.even_share),
    )  # fmt: skip
    header = ("tasks", "rows", "without a row", f"with {even.least} rows or more", "rows a task, mean",
              "median", "exp(entropy)", "of the tasks")  # fmt: skip
    lead = (
        "Exp(entropy) is the number of equally filled tasks that would be as even; it equals the number of "
        "tasks where all have the same."
    )
    return PandaTable("tree", "Rows over tasks", lead, header, [row])


def pairs_table(datasets: tuple[DatasetCoverage, ...]) -> PandaTable:
    """Verb-noun pairs of every dataset, as they are."""
    header = ("dataset", "rows", "distinct", "parsed", "pairs", "mean count", "std", "exp(entropy)")
    rows = [
        (one.name, count(one.rows), count(one.texts), _SHARE.score(one.parsed_share), count(one.unique),
         f"{one.mean:.2f}", f"{one.std:.2f}", f"{one.effective:,.1f}")
        for one in datasets
    ]  # fmt: skip
    lead = (
        "The main verb and its object in the first sentence of each distinct instruction, by the parser "
        f"“{datasets[0].parser}”; figures of another parser do not compare. A set with more instructions has "
        "more pairs for that alone: compare at equal size."
    )
    if any(one.texts and one.parsed_share < _LITTLE for one in datasets):
        lead += " Where little was parsed (a text that is not English, say), the figures mean little."
    return PandaTable("coverage", "Verb-noun pairs", lead, header, rows)


def equal_table(datasets: tuple[DatasetCoverage, ...]) -> PandaTable:
    """The same at equal size: the least number of parsed instructions of any dataset."""
    size = datasets[0].rarefied.n
    rows = [
        (one.name, f"{one.rarefied.unique:,.1f}", f"{one.rarefied.mean:.2f}", f"{one.rarefied.std:.2f}",
         f"{one.rarefied.effective:,.1f}")
        for one in datasets
    ]  # fmt: skip
    lead = (
        f"What {size:,} of each dataset's parsed instructions would show on average (computed, not drawn). "
        "More pairs, a lower standard deviation and a higher exp(entropy) mean more variety."
    )
    title = f"Verb-noun pairs at {size:,} parsed instructions each"
    header = ("dataset", "pairs", "mean count", "std", "exp(entropy)")
    return PandaTable("coverage", title, lead, header, rows)


def frequent_table(datasets: tuple[DatasetCoverage, ...], *, shown: int = 10) -> PandaTable:
    """The most frequent pairs of each dataset."""

    def cell(one: DatasetCoverage, at: int) -> str:
        if at >= len(one.frequent):
            return ""
        verb, noun, number = one.frequent[at]
        return f"{verb} {noun} ({number:,})"

    most = min(shown, max((len(one.frequent) for one in datasets), default=0))
    rows = [(str(at + 1), *(cell(one, at) for one in datasets)) for at in range(most)]
    header = ("rank", *(one.name for one in datasets))
    lead = "How often each stands in the distinct instructions."
    return PandaTable("coverage", "Most frequent pairs", lead, header, rows,
                      frozenset(range(1, len(header))))  # fmt: skip


def overlap_table(datasets: tuple[DatasetCoverage, ...]) -> PandaTable:
    """ROUGE-L within each dataset, and to the seeds."""
    quantiles = tuple(f"{100 * share:.0f} %" for share in QUANTILES)
    header = ("dataset", "compared", "mean of pairs", "pairs above 0.7",
              *(f"nearest, {name}" for name in quantiles), "seed, median")  # fmt: skip
    rows = []
    for one in datasets:
        found, half = one.overlap, QUANTILES.index(0.5)
        seeds = f"{one.to_seeds[half]:.3f}" if one.to_seeds else ABSENT
        told = [ABSENT] * (3 + len(QUANTILES)) if found is None else [
            f"{found.compared:,} of {found.texts:,}" if found.is_sample else count(found.compared),
            f"{found.mean:.4f}",
            f"{found.above:,} of {found.pairs:,}", *(f"{value:.3f}" for value in found.nearest),
        ]  # fmt: skip
        rows.append((one.name, *told, seeds))
    lead = (
        "ROUGE-L F between instructions, 0 to 1. Nearest: quantiles over the instructions of the highest F "
        "with any other one. Seed: the highest F with a seed example. Where fewer are compared than "
        "there are, they are a sample, each compared with all others."
    )
    return PandaTable("overlap", "Overlap between instructions", lead, header, rows)


def tenths_table(datasets: tuple[DatasetCoverage, ...]) -> PandaTable:
    """The distributions of overlap, in tenths."""
    columns: list[tuple[str, tuple[float, ...]]] = []
    for one in datasets:
        if one.overlap is not None:
            columns.append((f"{one.name}: pairs", one.overlap.tenths))
            columns.append((f"{one.name}: nearest", one.overlap.nearest_tenths))
        if one.to_seeds_tenths:
            columns.append((f"{one.name}: nearest seed", one.to_seeds_tenths))
    rows = [
        (name, *(f"{100 * shares[at]:.2f} %" for _, shares in columns)) for at, name in enumerate(_TENTHS)
    ]
    lead = "Share of the pairs, and of the instructions by their nearest, with F from the first bound up."
    return PandaTable("overlap", "The distributions", lead, ("F", *(name for name, _ in columns)), rows)


def contamination_table(guard: ContaminationFacts) -> PandaTable:
    """Rows that the guard found, by check."""
    rows = [(name, count(number)) for name, number in guard.counts.items()] or [("any check", "0")]
    return PandaTable(
        "contamination", "What the guard found", contamination_sentence(guard), ("check", "rows"), rows
    )


def usage_table(rows: tuple[UsageRow, ...]) -> PandaTable:
    """Calls, tokens and money by step, with their sum."""
    names = ("calls", "cached", "failed", "prompt_tokens", "completion_tokens")
    shown = [(row.step, *(count(getattr(row, name)) for name in names), money(row.usd)) for row in rows]
    sums = [count(sum(getattr(row, name) for row in rows)) for name in names]
    shown.append(("in all", *sums, money(sum(row.usd for row in rows))))
    header = (
        "step",
        "calls paid",
        "from the journal",
        "failed",
        "prompt tokens",
        "completion tokens",
        "money",
    )
    lead = "What the endpoint was asked. Replies from the journal cost nothing."
    return PandaTable("usage", "Calls, tokens, money", lead, header, shown)


def _per(kept: int, calls: int) -> str:
    return f"{kept / calls:.1f}" if calls else ABSENT
