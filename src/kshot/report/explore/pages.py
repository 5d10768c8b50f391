"""``report.html`` of an exploration: one file that fetches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kshot.report.browse import script_json
from kshot.report.explore.facts import ExploreFacts, ShownRow
from kshot.report.explore.outline import Entry, outline, told
from kshot.report.explore.plots import MOST_POINTS, explore_figures
from kshot.report.explore.sentences import because, contamination_sentence, headline, tiles
from kshot.report.explore.tables import explore_tables
from kshot.report.explore.words import TERMS
from kshot.report.panda.pages import table_views
from kshot.report.shell import environment, policy, scripts, style
from kshot.report.wording import Scale, flat

_SCRIPTS = ("page.js", "plots.js", "explore/explore.js")
_SHEETS = ("style.css", "knowledge.css", "mix.css", "panda/panda.css", "explore/explore.css")
_ROOM = 1_200_000  # characters of sample rows on the page; plotly has 4.8 million
_CUTS = (2_000, 800, 300, 120)  # the longest text of a row that is tried, in turn


def explore_page(facts: ExploreFacts) -> str:
    """The whole page; equal facts give equal text, and every text from data is escaped.

    Example::

        Path("report.html").write_text(explore_page(facts))
    """
    from markupsafe import Markup

    texts, drawn = scripts(_SCRIPTS), explore_figures(facts)
    sections: dict[str, list[dict[str, Any]]] = {}
    for part in table_views(explore_tables(facts)):
        sections.setdefault(part["key"], []).append(part)
    shown, cut = fitting(facts.rows)
    context = {
        "facts": facts, "headline": headline(facts), "because": because(facts), "tiles": tiles(facts),
        "entries": list(_views(outline(facts.tasks), _by_task(shown))), "cut": cut, "shown": len(shown),
        "sections": sections, "plots": drawn, "policy": policy(texts), "terms": TERMS,
        "map_shown": min(len(facts.map), MOST_POINTS), "unchecked": contamination_sentence(None),
        "provenance": list(flat(facts.provenance or {})),
        # made here, never from data: these alone go into the page unescaped
        "style": Markup(style(_SHEETS)),  # noqa: S704
        "scripts": [Markup(script) for script in texts],  # noqa: S704
        "plots_json": Markup(script_json(drawn)),  # noqa: S704
    }  # fmt: skip
    return environment(Scale()).get_template("explore/page.html.j2").render(context)


def fitting(rows: Sequence[ShownRow], *, room: int = _ROOM) -> tuple[list[ShownRow], int]:
    """As many rows as find room in a page, and the length at which their texts are cut.

    The longest cut of a few with which all fit; if none does, the first row of each task, then the second
    and so on, until the room is used.

    >>> rows = [ShownRow(task="a", instruction="x" * 100), ShownRow(task="a", instruction="y")]
    >>> [len(kept) for kept, _ in (fitting(rows), fitting(rows, room=350), fitting(rows, room=600))]
    [2, 1, 2]
    """
    for cut in _CUTS:
        if sum(_size(row, cut) for row in rows) <= room:
            return list(rows), cut
    place: dict[str, int] = {}
    ranked = []
    for at, row in enumerate(rows):
        place[row.task] = place.get(row.task, -1) + 1
        ranked.append((place[row.task], at))
    kept, used = [], 0
    for _, at in sorted(ranked):
        used += _size(rows[at], _CUTS[-1])
        if used > room:
            break
        kept.append(at)
    return [rows[at] for at in sorted(kept)], _CUTS[-1]


def _size(row: ShownRow, cut: int) -> int:
    # 200 for the markup around it
    return 200 + sum(min(len(text), cut) for text in (row.instruction, row.input, row.output))


def _by_task(rows: Iterable[ShownRow]) -> dict[str, list[ShownRow]]:
    found: dict[str, list[ShownRow]] = {}
    for row in rows:
        found.setdefault(row.task, []).append(row)
    return found


def _views(entries: Iterable[Entry], rows: dict[str, list[ShownRow]]) -> Iterator[dict[str, Any]]:
    for at, entry in enumerate(entries):
        task = entry.task
        yield {
            "id": f"task-{at}", "task": task, "entry": entry, "told": told(entry),
            "rows": rows.get(task.id, []),
            "state": "full" if task.full else "closed" if task.closed else "open",
        }  # fmt: skip
