"""``kshot explore evaluate``: what an exploration covers, beside other datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.errors import InputError
from kshot.measure.coverage import (
    DatasetCoverage,
    Parser,
    default_parser,
    hanta_parser,
    plain_parser,
    side_by_side,
    spacy_parser,
)
from kshot.methods.explore.attach import item_of_example
from kshot.models.embed import load_embedder
from kshot.pipeline.explore.facts import Measured, explore_facts, map_of
from kshot.pipeline.explore.folder import ExploreFolder
from kshot.pipeline.explore.guard import NO_ROWS, guard_rows
from kshot.pipeline.open_pool import dataset_files, read_rows
from kshot.report.explore import write_explore_report
from kshot.report.terminal import printable
from kshot.runs import Listener, silent

PARSERS = {
    "auto": default_parser,
    "spacy": spacy_parser,
    "hanta": hanta_parser,
    "plain": plain_parser,
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Coverage of an exploration, first, and of what stands beside it."""

    datasets: tuple[DatasetCoverage, ...]
    contamination: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"datasets": [asdict(one) for one in self.datasets], "contamination": dict(self.contamination)}

    def text(self) -> str:
        """A few lines for the terminal."""
        lines = [
            f"verb-noun pairs by {self.datasets[0].parser}; at equal size n = {self.datasets[0].rarefied.n}"
        ]
        for one in self.datasets:
            within = "" if one.overlap is None else f", mean pair ROUGE-L {one.overlap.mean:.3f}"
            lines.append(
                f"{one.name}: {one.rows:,} rows, {one.unique:,} pairs (mean count {one.mean:.2f}, "
                f"sd {one.std:.2f}), at equal size {one.rarefied.unique:.1f}{within}"
            )
        lines += [f"near protected rows: {count}, {name}" for name, count in self.contamination.items()]
        return "\n".join(map(printable, lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What an exploration is measured with.

    Attributes:
        against: ``NAME=FILE`` each: rows in any format, or another exploration's folder.
        seeds: Rows that overlap is told against, too.
        parser: Of verbs and nouns.
        embedder: Places rows on the map.
    """

    against: tuple[str, ...] = ()
    seeds: Path | None = None
    parser: str = "auto"
    embedder: str = "hashing"


def evaluate_folder(
    place: Path,
    beside: Beside,
    *,
    protected: Mapping[str, Sequence[Example]] = NO_ROWS,
    listener: Listener = silent,
) -> Evaluation:
    """Measures, and writes the report anew; ``protected`` rows must not come back, by group.

    Raises:
        InputError: An option cannot be used, or the exploration has no rows.
        DataError: A file cannot be read.
    """
    chosen = parser_named(beside.parser)
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        if not saved.found.rows:
            raise InputError(f"{place}: no rows yet; `kshot explore fill {place}` brings some")
        texts = {"explored": [row.item.instruction for row in saved.found.rows], **_others(beside.against)}
        listener("note", text=f"measuring {sum(map(len, texts.values())):,} instructions")
        datasets = side_by_side(
            texts, parser=chosen, seeds=_instructions(beside.seeds) if beside.seeds else ()
        )
        encoder = load_embedder(beside.embedder)
        guarded = guard_rows(saved.found.rows, protected, embedder=encoder)
        measured = Measured(datasets=datasets, map=map_of(texts, encoder), embedder=encoder.id)
        write_explore_report(place, explore_facts(place, saved, guarded, measured))
    return Evaluation(datasets, guarded.counts)


def parser_named(name: str) -> Parser:
    """A parser of verbs and nouns by name; ``auto`` takes the best that is there.

    Raises:
        InputError: There is none of that name, or it is not installed.
    """
    if name not in PARSERS:
        raise InputError(f"--parser: {name!r} is none of {', '.join(PARSERS)}")
    found: Parser = PARSERS[name]()
    return found


def _others(against: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in against:
        name, given, place = text.partition("=")
        if not given or not name.strip() or not place:
            raise InputError(f"--against is {text!r}; expected NAME=FILE")
        if name in found or name == "explored":
            raise InputError(f"--against: the name {name!r} stands twice; give each dataset its own")
        found[name] = _instructions(Path(place))
    return found


def _instructions(place: Path) -> list[str]:
    if ExploreFolder(place).exists:
        place = place / "rows.jsonl"
    found = [item_of_example(row).instruction for row in read_rows(dataset_files([place]))]
    if not found:
        raise InputError(f"{place}: no rows")
    return found
