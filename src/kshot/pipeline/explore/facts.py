"""An exploration's folder as the facts of its report, and as an outline for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.measure.coverage import DatasetCoverage, YieldPoint, coverage_of, yield_curve
from kshot.methods.explore.formats.text import json_text
from kshot.methods.explore.grow import probes
from kshot.pipeline.explore.folder import ExploreFolder, Saved
from kshot.pipeline.explore.guard import GuardedRows
from kshot.report.explore import (
    ContaminationFacts,
    ExploreFacts,
    FoundRow,
    MapPoint,
    outline_text,
    rule_facts,
    shown_rows,
    task_facts,
)
from kshot.report.panda.facts import UsageRow
from kshot.report.terminal import printable

if TYPE_CHECKING:
    from kshot.models.base import Embedder

FOUND_SHOWN = 50
MAP_POINTS = 600  # of a dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured beside the tree itself.

    Attributes:
        datasets: Coverage of this exploration, first, and of others.
        map: Places of some rows of each.
        embedder: Its id, where there is a map.
    """

    datasets: tuple[DatasetCoverage, ...] = ()
    map: tuple[MapPoint, ...] = ()
    embedder: str = ""


NOTHING_MEASURED = Measured()


def explore_facts(
    place: Path, saved: Saved, guarded: GuardedRows, measured: Measured = NOTHING_MEASURED
) -> ExploreFacts:
    """Everything that the report tells.

    Example::

        write_explore_report(place, explore_facts(place, saved, guarded))
    """
    found, asked = saved.found, saved.settings.get("asked", {})
    tasks = task_facts(found.tree, found.rows, probed=probes(found))
    growing = sum(node.names.calls for node in found.tree)
    filling = sum(node.rows.calls for node in found.tree)
    if saved.settings.get("fill", {}).get("second_pass"):  # no task counts these
        filling = max(filling, found.spent.calls - growing)
    return ExploreFacts(
        domain=found.tree.root.name,
        description=found.tree.root.reason,
        tasks=tasks,
        model=str(asked.get("model", "")),
        simulated=bool(saved.settings.get("simulated")),
        row_count=len(found.rows),
        rows=shown_rows(tasks, found.rows),
        grow_calls=growing,
        fill_calls=filling,
        budget_calls=asked.get("calls"),
        share=_share(saved),
        tokens=found.spent.tokens,
        stopped=saved.stopped,
        usd=saved.paid.get("usd") or None,
        seconds=saved.seconds or None,
        refusals=rule_facts(found.refused, found.tree, found.rows),
        datasets=measured.datasets,
        evenness=coverage_of([task.rows for task in tasks]),
        yields=yields_of(saved),
        map=measured.map,
        map_of=f"the two main axes of {measured.embedder}" if measured.map else "",
        contamination=contamination_of(guarded, len(found.rows)),
        usage=tuple(UsageRow(**step) for step in saved.paid.get("steps", ())),
        facts=_options(saved),
        commands=_commands(place),
        notes=saved.notes,
        leaves=_leaves(asked),
    )


def yields_of(saved: Saved) -> tuple[YieldPoint, ...]:
    """Kept rows over requests, in the order of their ordinals and then of the tree."""
    order = {node.id: place for place, node in enumerate(saved.found.tree)}
    fates: dict[str, list[bool]] = {}
    for row in saved.found.rows:
        if row.origin == "fill":
            fates.setdefault(row.request, []).append(True)
    for one in saved.found.refused:
        if one.kind == "row" and one.request:
            fates.setdefault(one.request, []).append(False)

    def key(request: str) -> tuple[int, int, str]:
        _, _, rest = request.partition(":")
        node, _, ordinal = rest.rpartition(":")
        return (int(ordinal) if ordinal.isdecimal() else 0, order.get(node, len(order)), request)

    return yield_curve([fates[request] for request in sorted(fates, key=key)])


def contamination_of(guarded: GuardedRows, checked: int) -> ContaminationFacts | None:
    """What the guard found; None where there was nothing to check against."""
    if not guarded.protected:
        return None
    against = ", ".join(f"{count:,} {name} rows" for name, count in guarded.protected.items())
    shown = tuple(
        FoundRow(
            text=one["instruction"],
            other=f"{one['group']} row {one['protected'] + 1}",
            how=one["reason"],
            score=one.get("score"),
        )
        for one in guarded.found[:FOUND_SHOWN]
    )
    return ContaminationFacts(checked=checked, against=against, counts=guarded.counts, found=shown)


def map_of(texts: Mapping[str, Sequence[str]], embedder: Embedder) -> tuple[MapPoint, ...]:
    """Some texts of each dataset in the plane of their main axes; evenly spread over each dataset."""
    import numpy as np

    from kshot.pipeline.data_map import plane
    from kshot.report.explore import spread

    shown = [(name, text) for name, all_of in texts.items() for text in spread(all_of, MAP_POINTS)]
    if not shown:
        return ()
    places = plane(np.asarray(embedder.encode([text for _, text in shown])))
    return tuple(
        MapPoint(x=round(x, 4), y=round(y, 4), group=name, text=text[:160])
        for (name, text), (x, y) in zip(shown, places.tolist(), strict=True)
    )


def shown(place: Path, *, refused: bool = False, as_json: bool = False) -> str:
    """What ``kshot explore show`` prints.

    Raises:
        InputError: There is no exploration.
    """
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
    found = saved.found
    if as_json:
        facts: dict[str, Any] = {"tree": found.tree.to_json(), "rows": len(found.rows)}
        facts |= {"spent": {"calls": found.spent.calls, "tokens": found.spent.tokens}, "paid": saved.paid}
        facts |= {"stopped": saved.stopped, "notes": list(saved.notes)}
        if refused:
            facts["refused"] = [one.to_json() for one in found.refused]
        return json_text(facts, indent=2)
    lines = [*saved.notes, outline_text(task_facts(found.tree, found.rows, probed=probes(found)))]
    if refused:
        for rule in rule_facts(found.refused, found.tree, found.rows):
            lines.append(printable(f"{rule.kind}s refused: {rule.count}, {rule.rule}"))
            lines += [
                f"    {printable(one.text[:100])}" + (f"   ~ {printable(one.near[:60])}" if one.near else "")
                for one in rule.examples
            ]
    if saved.stopped:
        lines.append(f"stopped: {saved.stopped}")
    return "\n".join(lines)


def _share(saved: Saved) -> float | None:
    """Of the budget, what growing was held to; None where it was not."""
    grown, asked = saved.settings.get("grow", {}), saved.settings.get("asked", {})
    is_bound = grown.get("breadth") == "adaptive" and asked.get("method") in ("adaptive", "flat")
    is_limited = any(asked.get(name) is not None for name in ("calls", "tokens", "usd"))
    share: float | None = grown.get("share") if is_bound and is_limited else None
    return share


def _options(saved: Saved) -> tuple[tuple[str, str], ...]:
    asked = saved.settings.get("asked", {})
    named = {
        name: asked.get(name) for name in ("method", "language", "embedder", "seed", "rows", "tokens", "usd")
    }
    grown, filled = saved.settings.get("grow", {}), saved.settings.get("fill", {})
    named |= {
        f"growing: {name}": grown.get(name) for name in ("depth", "breadth", "order", "overlap", "cosine")
    }
    named |= {
        f"filling: {name}": filled.get(name) for name in ("batch", "lanes", "overlap", "scope", "second_pass")
    }
    return tuple((name, str(value)) for name, value in named.items() if value not in (None, ""))


def _commands(place: Path) -> tuple[tuple[str, str], ...]:
    return (
        ("the tree in the terminal", f"kshot explore show {place}"),
        ("rows for another tool", f"kshot explore export {place} --form messages --out export"),
        ("beside another dataset", f"kshot explore evaluate {place} --against other=FILE"),
        ("rows to look through", f"kshot explore review {place}"),
        (
            "rows near your shots",
            f"kshot data --shots shots.jsonl --pool {place / 'pool' / 'rows.jsonl'} --out chosen",
        ),
    )


def _leaves(asked: Mapping[str, Any]) -> tuple[str, ...]:
    url = str(asked.get("base_url") or "")
    if not url:
        return ()
    return (f"names of tasks, rows and the examples given went to {url}; no test row did",)
