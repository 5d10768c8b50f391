"""The summary of several tasks as page, Markdown and JSON: whole, offline, labelled, deaf to texts."""

import json
from dataclasses import fields, is_dataclass, replace

import pytest
from parsed_page import Page

from kshot.errors import DataError, RunError
from kshot.report.panda import (
    OfficialRow,
    PandaSummary,
    Scored,
    SummaryAblation,
    SummaryCell,
    TaskLine,
    UsageRow,
    VariantCell,
    summary_from_json,
    summary_markdown,
    summary_page,
    summary_to_json,
    write_panda_summary,
)
from kshot.report.panda.summary_tables import summary_tables

EVIL = "</script><script>boom()</script><img src=x onerror=boom()>\"'&{{ 7 * 7919 }}\u202e|`*"


def scored(value):
    return Scored(value=value, interval=(value - 0.05, value + 0.05))


def cell(task, system, value, difference=None, p_holm=None):
    group = "baseline" if difference is None else "insights"
    shift = None if difference is None else (difference - 0.04, difference + 0.04)
    return SummaryCell(
        task=task, system=system, group=group, n=50, score=scored(value), macro_f1=scored(value),
        accuracy=scored(value + 0.1), official=scored(value - 0.1), invalid=5, difference=difference,
        difference_interval=shift, p=p_holm and p_holm / 4, p_holm=p_holm,
        verdict="reference" if difference is None else "better" if p_holm < 0.05 else "too few rows to tell",
    )  # fmt: skip


def variant(task, name, value, difference=None):
    shift = None if difference is None else (difference - 0.1, difference + 0.1)
    return VariantCell(task=task, variant=name, name=name, value=value, interval=(value - 0.1, value + 0.1),
                       n=50, difference=difference, difference_interval=shift,
                       p=None if difference is None else 0.01,
                       p_holm=None if difference is None else 0.02)  # fmt: skip


@pytest.fixture
def summary():
    return PandaSummary(
        systems=("no insights", "insights"), reference="no insights",
        tasks=(TaskLine(name="irony", n=50, metric="macro_f1", official="tweeteval:irony", headline="Used.",
                        tone="better", page="irony/panda.html", notes=("irony: hashtags were cut out.",)),
               TaskLine(name="emotion", n=50, metric="macro_f1", headline="Not used.", tone="tied"),
               TaskLine(name="stance, all targets", n=90, metric="macro_f1", pooled=True)),
        cells=(cell("irony", "no insights", 0.4), cell("irony", "insights", 0.6, 0.2, 0.01),
               cell("emotion", "no insights", 0.5), cell("emotion", "insights", 0.54, 0.04, 0.9),
               cell("stance, all targets", "no insights", 0.2),
               cell("stance, all targets", "insights", 0.25, 0.05, 0.04)),
        missing={"offensive": "the endpoint answered nothing"},
        official=(OfficialRow(system="insights", values={"irony": 0.5}),), official_tasks=("irony",),
        official_missing=("emoji",),
        ablations=(SummaryAblation(question="k", title="Insights in the prompt", variants=("k = 0", "k = 1"),
                                   cells=(variant("irony", "k = 0", 0.4), variant("irony", "k = 1", 0.6, 0.2),
                                          variant("emotion", "k = 0", 0.5))),),
        simulated=True, facts=(("LLM", "simulated"),), notes=("One LLM.",), leaves=("Texts went away.",),
        usage=(UsageRow(step="learn", calls=100, prompt_tokens=1000),),
    )  # fmt: skip


def row_of(summary, key, first, title=""):
    part = next(one for one in summary_tables(summary) if one.key == key and one.title.startswith(title))
    return dict(zip(part.header, next(row for row in part.rows if row[0] == first), strict=True))


def test_every_part_has_its_place(summary):
    page = Page(summary_page(summary))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {"verdicts", "missing", "means", "scores", "official", "ablations", "tasks", "usage"} <= set(
        page.ids
    )
    links = {value for _, name, value in page.attributes if name == "href"}
    assert "irony/panda.html" in links
    assert {value[1:] for value in links if value.startswith("#")} <= set(page.ids)
    assert not [item for item in page.attributes if item[1] in ("src", "onerror", "action", "srcset")]
    assert len(summary_page(summary)) < 500_000


def test_the_tables_say_what_was_found(summary):
    means = row_of(summary, "means", "insights")
    assert (means["tasks"], means["mean macro-F1"]) == ("2", "57.0 %")  # the pooled rows count in no mean
    assert (means["mean against no insights"], means["better / worse on"]) == ("+12.0", "1 / 0")
    assert means["invalid"] == "10.0 %"
    assert row_of(summary, "scores", "irony")["insights"] == "60.0 % [55.0, 65.0]"
    shifts = row_of(summary, "scores", "irony", "Differences")
    assert shifts["insights"] == "+20.0 [+16.0, +24.0] *"
    assert row_of(summary, "scores", "emotion", "Differences")["insights"] == "+4.0 [0.0, +8.0]"
    assert row_of(summary, "official", "insights") == {"system": "insights", "irony": "50.0 %", "TE": "–"}
    assert row_of(summary, "ablations", "irony")["k = 1"] == "60.0 % (+20.0 [+10.0, +30.0]) *"
    assert row_of(summary, "ablations", "mean") == {
        "task": "mean", "k = 0": "45.0 % (2 tasks)", "k = 1": "60.0 % (1 tasks)",
    }  # fmt: skip
    irony = row_of(summary, "tasks", "insights", "irony")
    assert irony["tweeteval:irony, 95 % interval"] == "50.0 % [45.0, 55.0]"
    assert irony["accuracy, 95 % interval"] == "70.0 % [65.0, 75.0]"
    assert (irony["p (Holm)"], irony["verdict"], irony["n"]) == ("0.010", "better", "50")
    assert row_of(summary, "missing", "offensive")["why"] == "the endpoint answered nothing"


def test_a_mean_needs_the_figure_of_every_task(summary):
    fewer = replace(summary, cells=(replace(summary.cells[1], accuracy=None), *summary.cells[2:]))
    assert row_of(fewer, "means", "insights")["mean accuracy"] == "–"
    mixed = replace(summary, tasks=(replace(summary.tasks[0], metric="accuracy"), *summary.tasks[1:]))
    assert row_of(mixed, "means", "insights")["mean score"] == "57.0 %"
    assert row_of(mixed, "means", "insights")["mean macro-F1"] == "57.0 %"


def test_the_markdown_is_labelled_and_names_what_is_missing(summary):
    text = summary_markdown(summary)
    assert text.splitlines()[0] == "# PANDA on 2 of 3 tasks · simulated model · macro_f1"
    assert "offensive: not finished (the endpoint answered nothing)" in text
    assert "**irony**: Used. ([report](irony/panda.html))" in text
    assert "hashtags were cut out" in text
    assert "(simulated model)" in text
    assert "There is no TE: emoji missing." in text


def test_the_json_gives_the_summary_back(summary, tmp_path):
    paths = write_panda_summary(summary, tmp_path / "new")
    assert summary_from_json(json.loads(paths.json.read_text())) == summary
    assert paths.html.read_text(encoding="utf-8") == summary_page(summary)
    with pytest.raises(DataError, match="panda summary"):
        summary_from_json(summary_to_json(summary) | {"version": 9})
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_panda_summary(summary, tmp_path / "file")


def poisoned(value):
    """The same with every text replaced; names that have to be known or match stay."""
    if is_dataclass(value):
        kept = ("group", "question", "tone", "metric", "system", "systems", "reference", "task", "page")
        return replace(value, **{one.name: poisoned(getattr(value, one.name)) for one in fields(value)
                                 if one.name not in kept})  # fmt: skip
    if isinstance(value, tuple):
        return tuple(poisoned(one) for one in value)
    if isinstance(value, dict):
        return {EVIL + str(at): poisoned(one) for at, one in enumerate(value.values())}
    return EVIL if isinstance(value, str) else value


def test_texts_cannot_become_markup(summary):
    text = summary_page(poisoned(summary))
    page = Page(text)
    assert page.open == []
    assert len(page.scripts) == 1
    assert not [item for item in page.attributes if item[1] in ("src", "onerror")]
    assert "55433" not in text
    assert "<img" not in summary_markdown(poisoned(summary))
