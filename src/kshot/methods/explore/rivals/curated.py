"""A baseline that asks nobody: rows from a file of the user's, under the same rules and filters."""

from __future__ import annotations

from collections.abc import Iterable

from kshot.methods.explore.fill import Arrived, FillOptions, Judged, Sieve, commit, sifted
from kshot.methods.explore.records import Item
from kshot.methods.explore.rules import broken, row_rules
from kshot.methods.explore.seams import Exploration, Language, Progress


def curated(
    found: Exploration, items: Iterable[Item], options: FillOptions, *, language: Language = "en"
) -> Progress:
    """Puts rows that somebody wrote under the root: those that break no rule and repeat none before them.

    The root takes ``options.count`` of them at most; the others are refused as ``surplus``.

    Args:
        found: Changed in place.
        items: In the order in which they are taken.
        options: Their rules, overlap, scope and count.
        language: Of the rows.

    Returns:
        Kept rows, of origin ``attached``, and refusals.

    >>> from kshot.methods.explore.tree import DomainTree
    >>> found = Exploration(DomainTree.planted("rivers"))
    >>> told = curated(found, [Item("Name a long river.", "", "The Nile.")] * 2, FillOptions())
    >>> len(told.rows), told.refused[0].rule
    (1, 'repeat')
    """
    root = found.tree.root
    rules = row_rules(options.rules, language)
    sieve = Sieve(found.rows, overlap=options.overlap, scope=options.scope)
    rows = []
    for item in items:
        wrong = broken(item, rules)
        rows.append(Judged(item, wrong, None if wrong else sieve.known(root.id, item)))
    arrived = [
        Arrived(root.id, place, f"row {place + 1}", (judged,), wanted=1) for place, judged in enumerate(rows)
    ]
    wanted = options.wanted(root.id)
    result = sifted(arrived, sieve=sieve, missing={root.id: wanted - root.rows.kept}, origin="attached")
    commit(found, result, sieve=sieve, counts={root.id: wanted}, least_kept=0.0)
    return Progress("fill", 1, rows=result.kept, refused=result.refused, spent=found.spent)
