"""The outline: what a line says, and that lists open and close as the tree does."""

from hypothesis import given
from hypothesis import strategies as st

from kshot.methods.explore.grow import ProbeResult
from kshot.methods.explore.records import TaskNode
from kshot.report.explore import TaskFacts, outline_text, task_facts
from kshot.report.explore.outline import outline


def tree(parents):
    """Tasks in preorder; ``parents`` names an earlier task for each but the first."""
    below = {at: [] for at in range(len(parents) + 1)}
    for at, parent in enumerate(parents, start=1):
        below[parent % at].append(at)
    made, waiting = [], [(0, None, 0)]
    while waiting:
        at, parent, depth = waiting.pop()
        name = None if parent is None else f"t{parent}"
        made.append(TaskFacts(id=f"t{at}", name=f"task {at}", parent=name, depth=depth, rows=at,
                              rows_delivered=2 * at))  # fmt: skip
        waiting.extend((child, at, depth + 1) for child in reversed(below[at]))
    return made


@given(st.lists(st.integers(0, 100), max_size=30))
def test_lists_close_where_they_end(parents):
    tasks = tree(parents)
    depth = 0
    entries = list(outline(tasks))
    assert [entry.task for entry in entries] == tasks
    for entry in entries:
        assert entry.task.depth == depth == len(entry.last)
        depth += 1 if entry.has_children else -entry.closes
    assert depth == 0
    assert (entries[0].below, entries[0].tasks_below) == (sum(task.rows for task in tasks), len(tasks) - 1)


def test_lines_of_the_terminal(facts):
    assert outline_text(facts.tasks).splitlines() == [
        "rewriting · 3 tasks below · 61 rows below · no row · 8 names refused (overlap 8) · closed: dried up",
        "├─ paraphrase · 1 task below · 61 rows below · 60 rows · 10 attached · yield 62.5 % "
        "· 30 refused (overlap 25, repeat 5) · full: count reached",
        "│  └─ in verse · 1 row · yield 25.0 % · 3 refused (too short 3)",
        "└─ 改写 · no row",
    ]
    assert outline_text(()) == ""


def test_a_name_cannot_break_the_lines():
    hostile = TaskFacts(id="r", name="a\n\x1b[31mb\u202e" + "x" * 100, closed="why\x07")
    text = outline_text([hostile])
    assert "\n" not in text
    assert "\x1b" not in text
    assert "⟨1B⟩" in text
    assert "closed: why⟨7⟩" in text
    assert "…" in text


def test_the_yield_of_a_branch_counts_what_is_below(facts):
    root, para, verse, empty = outline(facts.tasks)
    assert root.yield_below == para.yield_below == 51 / 84
    assert (verse.yield_below, empty.yield_below) == (0.25, None)


def test_a_blind_probe_tells_its_estimate_and_whether_it_is_a_guess():
    def line(common):
        probe = ProbeResult("r", known=8, probed=6, common=common)
        return outline_text(task_facts([TaskNode("r", "rivers")], probed=[probe]))

    assert line(5) == "rivers · no row · about 10 subtasks in all by a blind probe"
    assert line(2).endswith("about 20 subtasks in all by a blind probe, a guess: few were met again")
