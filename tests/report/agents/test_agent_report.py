"""The report of interactive tasks: one set of figures in page, Markdown and JSON."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from parsed_page import Page

from kshot.errors import DataError
from kshot.report.agents import (
    AgentReport,
    ScoreRow,
    Scores,
    TaskRows,
    agent_markdown,
    agent_page,
    agent_report_from_json,
    agent_report_to_json,
    write_agent_report,
)
from kshot.report.agents.tables import agent_tables, bounds, points
from kshot.report.panda import ClaimRow, UsageRow

HOSTILE = "<script>alert(1)</script>|*x*"


def row(name: str, score: float | None, difference: float | None = None, **more: object) -> ScoreRow:
    shift = None if difference is None else (difference - 5.0, difference + 5.0)
    facts = {
        "name": name, "score": score, "interval": None if score is None else (score - 4, score + 4),
        "best": score, "solved": 0.25, "steps": 31.5, "n": 10, "episodes": 10, "asked": 320,
        "prompt_tokens": 40_000, "completion_tokens": 900, "difference": difference,
        "difference_interval": shift, "p": None if difference is None else 0.01,
        "p_holm": None if difference is None else 0.03,
        "against": "" if difference is None else "no insights",
        "verdict": "" if difference is None else "better", "smallest": 7.0,
    }  # fmt: skip
    return ScoreRow(**(facts | more))  # type: ignore[arg-type]


def task_rows(task: str) -> TaskRows:
    return TaskRows(task=task, rows=(
        row("no insights", 20.0, group="baseline"),
        row("insights", 47.2, 27.2, group="insights"),
        row("shuffled insights", None, group="control", note=HOSTILE, missing=3),
        row("the gold path", 100.0, 80.0, group="expert"),
    ))  # fmt: skip


@pytest.fixture
def report() -> AgentReport:
    claim = ClaimRow(question="used", a="insights", b="shuffled insights", difference=27.2, p=0.01, n=20,
                     interval=(12.0, 40.0), smallest_difference=18.0, shown=True, sentence="s")  # fmt: skip
    tables = tuple(task_rows(task) for task in ("scienceworld:boil", HOSTILE))
    return AgentReport(
        tasks=("scienceworld:boil", HOSTILE), policy="react", model="m", headline="The insights are used.",
        tone="better", simulated=True, because=("Insights against shuffled insights: higher.",),
        verdicts={"scienceworld:boil": "No effect.", HOSTILE: "Used."}, facts=(("LLM", HOSTILE),),
        conditions=Scores(question="conditions", title="Conditions", tasks=tables, overall=task_rows("")),
        questions=(Scores(question="k", title="How many", tasks=tables, overall=task_rows("")),),
        claims=(claim,), missing=("3 of 9 episodes are missing",), notes=("One LLM was asked.",),
        usage=(UsageRow(step="act", calls=320, cached=5, usd=0.2),), leaves=("All went to nowhere.",),
        provenance={"encoder": "hashing"},
    )  # fmt: skip


def test_every_table_stands_on_the_page_and_in_the_markdown(report: AgentReport) -> None:
    page, text = agent_page(report), agent_markdown(report)
    titles = [table.title for table in agent_tables(report)]
    assert titles == [
        "Do the insights do the work?", "All tasks together", "Score by task", "How many",
        "How many, by task", "scienceworld:boil", HOSTILE, "Calls, tokens, money",
    ]  # fmt: skip
    for title in (one for one in titles if one != HOSTILE):
        assert title in page
        assert f"## {title} (simulated model)" in text
    for figure in ("+27.2", "47.2", "0.030", "higher", "320"):
        assert figure in page
        assert figure in text


def test_the_page_is_whole_and_what_data_say_stays_text(report: AgentReport) -> None:
    text = agent_page(report)
    page = Page(text)
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert "<script>alert" not in text
    assert [kind for kind, _ in page.scripts] == [None]
    assert not [value for _, name, value in page.attributes if name == "src" or value.startswith("http")]
    marked = {value for _, name, value in page.attributes if name == "data-term"}
    assert {f"def-{term}" for term in marked} <= set(page.ids)
    assert "<script>" not in agent_markdown(report)
    assert len(text) < 200_000


def test_a_simulation_says_so_everywhere(report: AgentReport) -> None:
    real = replace(report, simulated=False)
    assert "simulat" not in agent_page(real).replace("data-term", "")
    assert "imulated" not in agent_markdown(real)
    assert "simulated model" in report.title
    assert agent_page(report).count("simulated model") > 5


def test_json_gives_the_report_back(report: AgentReport, tmp_path: Path) -> None:
    paths = write_agent_report(report, tmp_path / "deep")
    plain = json.loads(paths.json.read_text(encoding="utf-8"))
    assert agent_report_from_json(plain) == report
    assert paths.html.read_text(encoding="utf-8") == agent_page(report)
    with pytest.raises(DataError, match="version 9"):
        agent_report_from_json(agent_report_to_json(report) | {"version": 9})


def test_what_was_not_played_is_a_dash_with_its_reason(report: AgentReport) -> None:
    (table,) = [one for one in agent_tables(report) if one.title == "All tasks together"]
    cells = table.rows[2]
    assert set(cells[2:-1]) == {"–"}
    assert cells[-1] == f"{HOSTILE}; 3 episodes are missing"
    assert table.bars[2] is None
    (matrix,) = [one for one in agent_tables(report) if one.title == "Score by task"]
    assert matrix.rows[0] == ("scienceworld:boil", "20.0", "47.2 (+27.2) *", "–", "100.0 (+80.0) *")


def test_one_task_has_one_table() -> None:
    only = Scores(question="conditions", title="c", tasks=(task_rows("boil"),))
    report = AgentReport(tasks=("boil",), policy="saycan", model="m", headline="h", conditions=only)
    assert [one.title for one in agent_tables(report)] == ["boil"]
    assert report.title == "PANDA on boil · saycan"
    assert "Nothing left this machine" in agent_page(report)


def test_points_have_a_true_minus_and_no_minus_zero() -> None:
    assert points(-3.25, signed=True) == "−3.2"
    assert points(float("nan")) == "–"
    assert bounds((-1.0, 2.0), signed=True) == "[−1.0, +2.0]"
