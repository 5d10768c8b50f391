"""Markdown: every part with its sentence and its figures, none that is absent."""

import re
from dataclasses import replace

from kshot.report.knowledge import DataFacts, ExpertRow, GroupRow, OpenKnowledge
from kshot.report.knowledge.tables import fates, group_columns, knowledge_tables, ordered
from kshot.report.markdown import markdown
from kshot.report.wording import Scale

TITLES = [
    "Experts, chosen and left", "Groups of experts", "Open data, kept and dropped",
    "Routers of mixture, selected data", "Experts against their mixture", "Score by part of the test rows",
    "Training", "Exports against what was measured",
]  # fmt: skip


def test_every_part_has_a_table(knowledge):
    tables = list(knowledge_tables(knowledge, Scale()))
    assert [table.title for table in tables] == TITLES
    for table in tables:
        assert table.lead
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert list(knowledge_tables(OpenKnowledge(), Scale())) == []


def test_markdown_holds_them_under_one_heading(sample, knowledge):
    text = markdown(replace(sample, knowledge=knowledge))
    assert re.findall(r"(?m)^### (.*)$", text) == TITLES
    assert "## Open knowledge (miniature)" in text
    real = replace(sample, miniature=False, task=replace(sample.task, base_model="x"), knowledge=knowledge)
    assert "## Open knowledge\n" in markdown(real)
    assert markdown(replace(sample, knowledge=OpenKnowledge())) == markdown(sample)
    folds = replace(knowledge, note="the first of 15 folds")
    assert "the first of 15 folds" in markdown(replace(sample, knowledge=folds))


def test_selection_scores_are_called_so(sample, knowledge):
    text = markdown(replace(sample, knowledge=knowledge))
    assert "selection score (share of the 20 shots right)" in text
    assert "All figures are selection scores" in text


def test_warnings_stand_in_the_text(knowledge):
    router = replace(knowledge.router, warnings=("brewer takes 97 % in 60 of 64 modules",))
    table = next(knowledge_tables(OpenKnowledge(router=router), Scale()))
    assert "Warning: brewer takes 97 % in 60 of 64 modules" in table.lead


def test_experts_stand_from_chosen_to_left(knowledge):
    rows = ordered((*knowledge.experts.experts, ExpertRow(name="refused")))
    sums = [row.rank_sum for row in rows if row.state == "left"]
    assert sums[:-1] == sorted(sums[:-1])
    assert sums[-1] is None
    states = [row.state for row in rows[:-1]]
    assert states == ["chosen"] * 3 + ["in the pool"] * 5 + ["left"] * 19


def test_only_ten_groups_are_written_out(knowledge):
    tables = {table.title: table for table in knowledge_tables(knowledge, Scale())}
    assert len(tables["Groups of experts"].rows) == 10
    assert tables["Groups of experts"].lead.startswith("The best 10 of 56")
    assert tables["Groups of experts"].rows[0][-1] == "yes"


def test_groups_show_what_their_rule_judges_by():
    names, cells = group_columns(
        [GroupRow(members=("a",), total=11, rank_sum=9), GroupRow(members=("b",), total=13)]
    )
    assert (names, cells) == (("rank sum", "total"), [("9", "11"), ("–", "13")])
    assert group_columns([]) == ((), [])


def test_fates_keep_their_order_and_further_reasons_follow():
    counts = {"repeats an earlier row": 3, "kept": 5, "shot": 2}
    facts = DataFacts(counts=counts, encoder="e", selector="max", asked=5, threshold=0.9)
    assert fates(facts) == [("shot", 2), ("kept", 5), ("repeats an earlier row", 3)]
