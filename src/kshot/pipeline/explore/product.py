"""The product of an exploration: rows without those near protected ones, a data card, and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.measure.coverage import plain_parser, side_by_side
from kshot.methods.explore.records import Row
from kshot.methods.explore.sampling import draw
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import Embedder
from kshot.models.embed import HashingEncoder
from kshot.pipeline.explore.export import FILES, Card, check_export_place, export_rows, fault
from kshot.pipeline.explore.facts import Measured, explore_facts, map_of
from kshot.pipeline.explore.folder import ExploreFolder, Saved
from kshot.pipeline.explore.guard import NO_ROWS, GuardedRows, guard_rows
from kshot.pipeline.explore.reviewed import REVIEWS, without_rejected
from kshot.report.explore import write_explore_report
from kshot.report.terminal import printable
from kshot.runs import Listener, silent, write_json

POOL = "pool"
SAMPLED_PAIRS = 2_000  # rows that are compared with all others, for the report that every run writes
POOL_FILES = ("rows.jsonl", "README.md", "dataset_info.json", "axolotl.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What was made.

    Attributes:
        file: The rows; None where there are none.
        rows: How many.
        kept: Rows of the exploration, before guard and draw.
        tasks: Of the tree.
        refused: Names and rows that did not stay.
        contamination: What the guard found, by group and reason.
        calls: Planned and used; ``tokens`` likewise.
        usd: Paid, network repeats included; 0 without prices.
        report: The page.
        simulated: Whether the LLM was a simulation.
        notes: What the reader should know.
    """

    file: Path | None
    rows: int
    kept: int
    tasks: int
    refused: int
    contamination: Mapping[str, int]
    calls: int
    tokens: int
    usd: float
    report: Path
    simulated: bool = False
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {
            "file": None if self.file is None else str(self.file),
            "report": str(self.report),
            "contamination": dict(self.contamination),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """What the terminal is told."""
        usd = f", ${self.usd:.4f}" if self.usd else ""
        lines = ["simulated model: no figure here is a language model's"] if self.simulated else []
        lines.append(
            f"{self.tasks:,} tasks, {self.kept:,} rows kept, {self.refused:,} names and rows refused; "
            f"{self.calls:,} calls, {self.tokens:,} tokens{usd}"
        )
        lines += [f"near protected rows: {count}, {name}" for name, count in self.contamination.items()]
        lines += self.notes
        lines.append(f"rows: {self.file} ({self.rows:,})" if self.file else "rows: none")
        lines.append(f"report: {self.report}")
        return [printable(line) for line in lines]


def make_product(
    place: Path,
    *,
    protected: Mapping[str, Sequence[Example]] = NO_ROWS,
    rows: int | None = None,
    embedder: Embedder | None = None,
    listener: Listener = silent,
) -> Product:
    """Guards, draws, writes ``pool/`` with its card, and the report; nothing is asked.

    Args:
        place: The exploration.
        protected: Rows that must not come back, by group.
        rows: Exactly so many are drawn, evenly over the tasks; fewer where there are fewer, and that is told.
        embedder: Flags rewordings of protected rows, for a look.
        listener: Told of what is done.

    Raises:
        InputError: There is no exploration.
    """
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        listener("note", text=f"guarding {len(saved.found.rows):,} rows")
        guarded = guard_rows(saved.found.rows, protected, embedder=embedder)
        notes = list(saved.notes)
        usable = accepted(place, saved.found.tree, guarded.rows, notes)
        chosen = drawn(saved, usable, rows, seed=_seed(saved), notes=notes)
        file = None
        if chosen:
            card = card_of(saved, guarded)
            file = export_rows(place / POOL, saved.found.tree, chosen, form="jsonl", card=card).rows
        else:
            remove_pool(place)
        write_json(place / "contamination.json", {"counts": guarded.counts, "found": list(guarded.found)})
        measured = measured_quickly([row.item.instruction for row in saved.found.rows])
        report = write_explore_report(place, explore_facts(place, saved, guarded, measured)).html
        found = saved.found
        return Product(
            file=file,
            rows=len(chosen),
            kept=len(found.rows),
            tasks=len(found.tree),
            refused=len(found.refused),
            contamination=guarded.counts,
            calls=found.spent.calls,
            tokens=found.spent.tokens,
            usd=float(saved.paid["usd"]),
            report=report,
            simulated=bool(saved.settings.get("simulated")),
            notes=tuple(notes),
        )


def export_product(
    place: Path,
    out: Path,
    *,
    form: str = "jsonl",
    count: int | None = None,
    protected: Mapping[str, Sequence[Example]] = NO_ROWS,
    licence: str = "",
) -> dict[str, Any]:
    """Rows of an exploration for another tool, guarded; what was found near protected rows stays out.

    Raises:
        InputError: There is no exploration, no such form, or ``out`` holds files that are no export's.
        DataError: There are fewer rows than asked for.
    """
    file = next((file for known, file in FILES.items() if known == form), "rows.jsonl")
    check_export_place(out, exploration=place, file=file)
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        guarded = guard_rows(saved.found.rows, protected)
        notes = list(saved.notes)
        rows = accepted(place, saved.found.tree, guarded.rows, notes)
        if count is not None:
            kept = draw(saved.found.tree, rows, count=count, seed=_seed(saved)).kept
            rows = tuple(rows[at] for at in kept)
        made = export_rows(out, saved.found.tree, rows, form=form, card=card_of(saved, guarded, licence))
    if not guarded.protected:
        notes.append("nothing was given to guard against; give --task or --guard where there are test rows")
    return {
        "folder": str(out),
        "file": str(made.rows),
        "files": [str(file) for file in made.files],
        "rows": made.count,
        "contamination": guarded.counts,
        "notes": notes,
    }


def remove_pool(place: Path) -> None:
    """Removes an earlier product: none of its rows may be used any more.

    >>> remove_pool(Path("nowhere"))
    """
    for name in POOL_FILES:
        (place / POOL / name).unlink(missing_ok=True)


def measured_quickly(texts: Sequence[str]) -> Measured:
    """Coverage by what needs no download and little time: plain parser, hashing embedder, sampled pairs."""
    if not texts:
        return Measured()
    encoder = HashingEncoder()
    found = {"explored": texts}
    datasets = side_by_side(found, parser=plain_parser(), most=SAMPLED_PAIRS)
    return Measured(datasets=datasets, map=map_of(found, encoder), embedder=encoder.id)


def accepted(place: Path, tree: DomainTree, rows: Sequence[Row], notes: list[str]) -> tuple[Row, ...]:
    """The rows that nobody rejected and that can be exported; notes tell how many others there are."""
    kept, rejected = without_rejected(place, rows)
    if rejected:
        notes.append(f"left out: {rejected} rows, rejected in {REVIEWS}")
    faults = [fault(row, tree) for row in kept]
    notes += [f"left out: {count} rows, {why}" for why, count in Counter(filter(None, faults)).most_common()]
    return tuple(row for row, wrong in zip(kept, faults, strict=True) if not wrong)


def drawn(
    saved: Saved, rows: Sequence[Row], count: int | None, *, seed: int, notes: list[str]
) -> tuple[Row, ...]:
    """Exactly ``count`` rows, evenly over the tasks; all of them, with a note, where there are no more."""
    if count is None or count >= len(rows):
        if count is not None and count > len(rows):
            notes.append(
                f"{count:,} rows were wanted, and there are {len(rows):,}: none is made up or repeated"
            )
        return tuple(rows)
    kept = draw(saved.found.tree, rows, count=count, seed=seed).kept
    return tuple(rows[place] for place in kept)


def card_of(saved: Saved, guarded: GuardedRows, licence: str = "") -> Card:
    """What the data card says."""
    asked, filled = saved.settings.get("asked", {}), saved.settings.get("fill", {})
    rules = tuple(name for name in _rules(saved) if name not in filled.get("rules", {}).get("off", ()))
    usd = float(saved.paid["usd"])
    return Card(
        model=str(asked.get("model", "none")),
        licence=licence,
        threshold=float(filled.get("overlap", 0.7)),
        scope="per_node" if filled.get("scope") == "per_node" else "tree",
        rules=rules,
        refusals=dict(Counter(one.rule for one in saved.found.refused).most_common()),
        spent=saved.found.spent,
        usd=usd or None,
        contamination=guarded.counts if guarded.protected else None,
        seed=_seed(saved),
        language=str(saved.settings.get("language", "en")),
        simulated=bool(saved.settings.get("simulated")),
    )


def _rules(saved: Saved) -> tuple[str, ...]:
    from kshot.methods.explore.rules import RuleOptions, row_rules

    return tuple(row_rules(RuleOptions(), "zh" if saved.settings.get("language") == "zh" else "en"))


def _seed(saved: Saved) -> int:
    return int(saved.settings.get("asked", {}).get("seed", 0))
