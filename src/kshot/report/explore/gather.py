"""An exploration's records as facts for its report: tasks, refusals by rule, a sample of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from kshot.report.explore.facts import RuleFacts, ShownRefusal, ShownRow, TaskFacts

if TYPE_CHECKING:
    from kshot.methods.explore.grow import ProbeResult
    from kshot.methods.explore.records import Refusal, Row, TaskNode
    from kshot.methods.explore.tree import DomainTree

_T = TypeVar("_T")


def task_facts(
    tree: Iterable[TaskNode], rows: Iterable[Row] = (), *, probed: Iterable[ProbeResult] = ()
) -> tuple[TaskFacts, ...]:
    """The tasks of a tree in preorder; ``rows`` tell how many are there, and how many were attached.

    ``probed`` are the results of blind probes.

    >>> from kshot.methods.explore.tree import DomainTree
    >>> [one.name for one in task_facts(DomainTree.planted("rewriting"))]
    ['rewriting']
    """
    kept: Counter[str] = Counter()
    attached: Counter[str] = Counter()
    for row in rows:
        kept[row.node] += 1
        attached[row.node] += row.origin == "attached"
    probes = {one.node: one for one in probed}
    return tuple(_task(node, kept[node.id], attached[node.id], probes.get(node.id)) for node in tree)


def _task(node: TaskNode, kept: int, attached: int, probe: ProbeResult | None) -> TaskFacts:
    return TaskFacts(
        id=node.id, name=node.name, parent=node.parent, depth=node.depth, reason=node.reason,
        origin=node.origin, closed=node.closed, full=node.full,
        names_asked=node.names.asked, names_delivered=node.names.delivered, names_kept=node.names.kept,
        name_calls=node.names.calls, refused_names=dict(node.names.refused) or None,
        rows=kept, attached=attached, rows_asked=node.rows.asked, rows_delivered=node.rows.delivered,
        row_calls=node.rows.calls, refused_rows=dict(node.rows.refused) or None,
        estimate=None if probe is None else probe.estimate,
        is_telling=probe is not None and probe.is_telling,
    )  # fmt: skip


def rule_facts(
    refused: Sequence[Refusal], tree: DomainTree, rows: Sequence[Row] = (), *, shown: int = 3
) -> tuple[RuleFacts, ...]:
    """What each rule refused, names before rows, most frequent first, with the first few of each.

    ``near`` becomes the name of the task, or the instruction of the row, that was repeated.

    >>> from kshot.methods.explore.records import Refusal
    >>> from kshot.methods.explore.tree import DomainTree
    >>> tree = DomainTree.planted("rewriting")
    >>> rule_facts([Refusal("name", tree.root.id, "repeat", "Rewriting")], tree)[0].count
    1
    """
    by_rule: dict[tuple[Literal["name", "row"], str], list[Refusal]] = {}
    for one in refused:
        by_rule.setdefault((one.kind, one.rule), []).append(one)
    texts = {row.id: row.item.instruction for row in rows}
    order = sorted(by_rule.items(), key=lambda entry: (entry[0][0], -len(entry[1]), entry[0][1]))
    return tuple(
        RuleFacts(kind=kind, rule=rule, count=len(found),
                  examples=tuple(_refusal(one, tree, texts) for one in found[:shown]))
        for (kind, rule), found in order
    )  # fmt: skip


def _refusal(one: Refusal, tree: DomainTree, texts: Mapping[str, str]) -> ShownRefusal:
    task = tree[one.node].name if one.node in tree else one.node
    near = tree[one.near].name if one.near in tree else texts.get(one.near, one.near)
    return ShownRefusal(text=one.text, task=task, near=near, score=one.score)


def shown_rows(
    tasks: Iterable[TaskFacts], rows: Iterable[Row], *, each: int = 5, most: int = 1_500
) -> tuple[ShownRow, ...]:
    """Some rows of each task, evenly spread over its rows, by task in preorder.

    Up to ``each`` of a task, and so few that there are about ``most`` in all; at least one of each task.

    >>> shown_rows((), ())
    ()
    """
    ids = [task.id for task in tasks]
    by_task: dict[str, list[Row]] = {name: [] for name in ids}
    for row in rows:
        if row.node in by_task:
            by_task[row.node].append(row)
    filled = sum(bool(found) for found in by_task.values())
    room = max(1, min(each, most // max(1, filled)))
    return tuple(
        ShownRow(task=name, instruction=row.item.instruction, input=row.item.input, output=row.item.output,
                 attached=row.origin == "attached")
        for name in ids for row in spread(by_task[name], room)
    )  # fmt: skip


def spread(values: Sequence[_T], most: int) -> list[_T]:
    """At most ``most`` of them at even distances, the first among them.

    >>> spread([0, 1, 2, 3, 4, 5], 3), spread([0, 1], 3)
    ([0, 2, 4], [0, 1])
    """
    if len(values) <= most:
        return list(values)
    return [values[at * len(values) // most] for at in range(most)]
