"""An exploration's records become facts: counts, refusals with what they repeat, a fair sample of rows."""

from dataclasses import replace

from kshot.methods.explore.records import Counts, Item, Refusal, Row
from kshot.methods.explore.tree import DomainTree
from kshot.report.explore import rule_facts, shown_rows, spread, task_facts


def explored(each=(7, 2)):
    tree = DomainTree.planted("rewriting", "Texts change.")
    names = [tree.add(tree.root.id, name).id for name in ("paraphrase", "shorten")]
    rows = [
        Row(f"{node}-{at}", node, Item(f"do {at}", "in", "out"), origin="attached" if at == 0 else "fill")
        for node, number in zip(names, each, strict=True)
        for at in range(number)
    ]
    tree.put(replace(tree[names[0]], rows=Counts(2, 20, 12, 6, (("overlap", 6),)), full="count reached"))
    tree.put(replace(tree.root, names=Counts(1, 12, 3, 2, (("repeat", 1),)), closed="dried up"))
    return tree, rows, names


def test_tasks_tell_what_their_nodes_count():
    tree, rows, names = explored()
    root, first, second = task_facts(tree, rows)
    assert (root.names_asked, root.names_kept, root.refused_names, root.closed) == (
        12,
        2,
        {"repeat": 1},
        "dried up",
    )
    assert (first.parent, first.rows, first.attached, first.rows_delivered) == (root.id, 7, 1, 12)
    assert (first.rows_yield, first.refused, first.full) == (0.5, 6, "count reached")
    assert (second.id, second.rows, second.rows_yield, second.refused_rows) == (names[1], 2, None, None)


def test_refusals_stand_by_rule_with_what_they_repeat():
    tree, rows, (first, second) = explored()
    refused = [
        Refusal("row", first, "overlap", "do 0", near=rows[0].id, score=0.9),
        Refusal("row", second, "repeat", "do it", near=first),
        *[Refusal("row", second, "overlap", f"do {at}") for at in range(5)],
        Refusal("name", tree.root.id, "repeat", "Shorten", near=second),
        Refusal("row", "gone", "repeat", "x", near="gone too"),
    ]
    found = rule_facts(refused, tree, rows)
    assert [(one.kind, one.rule, one.count) for one in found] == [
        ("name", "repeat", 1), ("row", "overlap", 6), ("row", "repeat", 2),
    ]  # fmt: skip
    assert found[0].examples[0].near == "shorten"
    assert len(found[1].examples) == 3
    assert (found[1].examples[0].near, found[1].examples[0].task) == ("do 0", "paraphrase")
    assert [(one.task, one.near) for one in found[2].examples] == [
        ("shorten", "paraphrase"),
        ("gone", "gone too"),
    ]


def test_a_sample_is_spread_over_a_task_and_leaves_none_out():
    tree, rows, (first, second) = explored((100, 2))
    tasks = task_facts(tree, rows)
    shown = shown_rows(tasks, rows, each=4)
    assert [row.task for row in shown] == [first] * 4 + [second] * 2
    assert [row.instruction for row in shown[:4]] == ["do 0", "do 25", "do 50", "do 75"]
    assert [row.attached for row in shown] == [True, False, False, False, True, False]
    assert [row.task for row in shown_rows(tasks, rows, most=2)] == [first, second]
    assert shown_rows(tasks, [replace(rows[0], node="gone")]) == ()


def test_spread():
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert spread([], 3) == []
