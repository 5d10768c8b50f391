"""The page, the Markdown and the JSON of an exploration: whole, offline, labelled, deaf to what texts try."""

import base64
import hashlib
import json
import re
from dataclasses import fields, is_dataclass, replace

import pytest
from parsed_page import Page

from kshot.errors import DataError, RunError
from kshot.measure.coverage import plain_parser, side_by_side
from kshot.report.explore import (
    ExploreFacts,
    ShownRow,
    TaskFacts,
    explore_from_json,
    explore_markdown,
    explore_page,
    explore_to_json,
    write_explore_report,
)
from kshot.report.explore.pages import fitting
from kshot.report.explore.tables import explore_tables

EVIL = "</script><script>boom()</script><img src=x onerror=boom()>\"'&{{ 7 * 7919 }}\u202e|`*"


def check(text):
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    terms = {value for _, name, value in page.attributes if name == "data-term"}
    assert {f"def-{term}" for term in terms} <= set(page.ids)
    links = {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")}
    assert links <= set(page.ids)
    assert not [item for item in page.attributes if item[1] in ("src", "onerror", "action", "srcset")]
    assert not [item for item in page.attributes if item[1] == "href" and item[2][:1] not in "#d"]
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    bodies = [body for kind, body in page.scripts if kind is None]
    found = {base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies}
    assert found == set(re.findall(r"'sha256-([^']+)'", policy))
    return page


def poisoned(value):
    """The same with every text replaced; ids, kinds and parsers stay."""
    if is_dataclass(value):
        kept = ("id", "parent", "task", "kind", "parser") if not hasattr(value, "group") else ()
        return replace(value, **{f.name: poisoned(getattr(value, f.name)) for f in fields(value)
                                 if f.name not in kept})  # fmt: skip
    if isinstance(value, tuple):
        return tuple(poisoned(one) for one in value)
    if isinstance(value, dict):
        return {EVIL + str(at): poisoned(one) for at, one in enumerate(value.values())}
    return EVIL if isinstance(value, str) else value


def test_every_part_has_its_place(facts):
    page = check(explore_page(facts))
    assert {"tree", "outline", "plot-tree", "budget", "plot-yield", "refused", "coverage", "plot-pairs",
            "overlap", "plot-overlap", "map", "plot-map", "contamination", "next", "usage", "privacy",
            "provenance", "definitions", "task-0", "task-3"} <= set(page.ids)  # fmt: skip


def test_the_figures_are_on_the_page_and_in_markdown(facts):
    page, text = explore_page(facts), explore_markdown(facts).replace("\\", "")
    for figure in (
        "became 4 tasks and 61 rows, with 13 calls of a simulated model for $0.25",
        "Of 84 rows that came, 33 (39.3 %) were refused", "13 of 20", "12,345", "1 min 30 s",
        "60 rows · 10 attached · yield 62.5 % · 30 refused (overlap 25, repeat 5)", "closed: dried up",
        "full: count reached", "改写", "paraphrasing", "0.800", "kshot plain", "Self-Instruct",
        "write poem (3)", "Of 61 rows compared with 94 test rows, 3 repeat them", "say it anew",
        "kshot explore export runs/x --form alpaca", "Prompts went to", "It ended early",
        "Exploring took 15.4 % of the calls that were made, filling the rest. Of the budget of 20 calls at "
            "most 20.0 % was planned for exploring.",
    ):  # fmt: skip
        assert figure in page, figure
        assert figure in text, figure
    for shown in (
        "Say it anew.",
        "It rains.",
        "Rain falls.",
        "2 of 61 rows are on this page",
        "Other words.",
    ):
        assert shown in page


def test_all_figures_of_the_page_are_in_the_json(facts, tmp_path):
    paths = write_explore_report(tmp_path / "new", facts)
    plain = json.loads(paths.json.read_text("utf-8"))
    assert explore_from_json(plain) == facts
    again = explore_from_json(plain)
    assert paths.html.read_text("utf-8") == explore_page(again)
    assert paths.markdown.read_text("utf-8") == explore_markdown(again)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
    ]


@pytest.mark.parametrize(("simulated", "miniature"), [(False, False), (True, False), (False, True)])
def test_the_labels_stand_everywhere_or_nowhere(facts, simulated, miniature):
    labelled = replace(facts, simulated=simulated, miniature=miniature)
    page, text = explore_page(labelled), explore_markdown(labelled)
    for word, on in (("simulated model", simulated), ("miniature", miniature)):
        assert (f"<b>{word}</b>" in page) == on
        assert (f'<span class="kind mini">{word}</span>' in page) == on
        assert (word in labelled.title) == on
        assert (f"## Tree ({word})" in text) == on
    assert ("calls of a simulated model" in page) == simulated


def test_texts_do_nothing(facts):
    evil = poisoned(facts)
    text = explore_page(evil)
    check(text)
    assert "<script>boom()" not in text
    assert "<img" not in text
    assert str(7 * 7919) not in text
    assert "\u202e" not in text
    marked = explore_markdown(evil)
    assert "<img" not in re.sub(r"`[^`]*`", "", marked)
    lines = [line for line in marked.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) >= 3 for line in lines)


def test_a_lone_surrogate_is_written(facts, tmp_path):
    tasks = (replace(facts.tasks[0], name="a\ud800b"),)
    paths = write_explore_report(tmp_path, ExploreFacts(domain="a\ud800b", tasks=tasks))
    assert "⟨D800⟩" in paths.html.read_text("utf-8")


def test_nothing_explored_is_a_whole_page():
    bare = ExploreFacts(domain="d")
    page, text = explore_page(bare), explore_markdown(bare)
    ids = set(check(page).ids)
    assert not ids & {"plot-tree", "budget", "coverage", "overlap", "map", "next", "usage", "outline"}
    for words in ("“d” is not explored yet: there is no task.", "Nothing was checked for contamination",
                  "Nothing left this machine."):  # fmt: skip
        assert words in page
        assert words in text


def test_one_task_has_an_outline_and_no_picture():
    alone = ExploreFacts(domain="d", tasks=(TaskFacts(id="r", name="d", rows=1),), row_count=1)
    page = explore_page(alone)
    assert "plot-tree" not in check(page).ids
    assert "became 1 task and 1 row, without a call." in page


def test_a_large_tree_stays_small_enough():
    tasks = [TaskFacts(id="r", name="root")]
    for group in range(20):
        tasks.append(TaskFacts(id=f"g{group}", name=f"group {group}", parent="r", depth=1))
        tasks += [TaskFacts(id=f"g{group}t{at}", name=f"task {at}", parent=f"g{group}", depth=2, rows=20,
                            rows_delivered=25, reason="It belongs there." * 3,
                            refused_rows={"overlap": 5}) for at in range(49)]  # fmt: skip
    rows = tuple(ShownRow(task=task.id, instruction="say " * 20, input="in " * 200, output="out " * 400)
                 for task in tasks if task.rows for _ in range(3))  # fmt: skip
    page = explore_page(ExploreFacts(domain="d", tasks=tuple(tasks), row_count=19_600, rows=rows))
    assert len(tasks) == 1001
    assert len(page) < 8_000_000
    assert {f"task-{at}" for at in range(1001)} <= set(check(page).ids)


def test_rows_that_find_no_room_go_from_the_ends_of_tasks():
    rows = [ShownRow(task=task, instruction="x" * 3000) for task in "aabb"]
    assert fitting(rows) == (rows, 2000)
    assert fitting(rows, room=4 * 500)[1] == 300
    kept, cut = fitting(rows, room=3 * 320)
    assert (kept, cut) == ([rows[0], rows[1], rows[2]], 120)
    assert fitting(rows, room=2 * 320)[0] == [rows[0], rows[2]]
    assert fitting([])[0] == []


def test_every_row_of_every_table_has_all_its_cells(facts):
    tables = list(explore_tables(facts))
    assert [table.title for table in tables] == [
        "Exploring and filling", "Rows over tasks", "Verb-noun pairs",
        "Verb-noun pairs at 3 parsed instructions each", "Most frequent pairs",
        "Overlap between instructions", "The distributions", "What the guard found", "Calls, tokens, money",
    ]  # fmt: skip
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.header)}, table.title


def test_what_cannot_be_written_or_read_is_said(facts, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written"):
        write_explore_report(tmp_path / "file", facts)
    with pytest.raises(DataError, match="found None"):
        explore_from_json({})
    with pytest.raises(DataError, match="version 2"):
        explore_from_json(explore_to_json(facts) | {"version": 2})
    with pytest.raises(DataError, match="stands there twice"):
        replace(facts, tasks=facts.tasks + facts.tasks[1:2])
    with pytest.raises(DataError, match="stands before its parent"):
        replace(facts, tasks=facts.tasks[::-1])


def test_a_language_that_the_parser_does_not_read_is_said(facts):
    chinese = replace(
        facts, datasets=side_by_side({"中文": ["改写这句话。", "写一首诗。"]}, parser=plain_parser())
    )
    words = "Where little was parsed"
    assert words in explore_page(chinese)
    assert words in explore_markdown(chinese)
    assert words not in explore_page(facts)
