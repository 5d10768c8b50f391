"""The report of an exploration: its tree, budget, refusals, coverage, contamination and what to do next."""

from kshot.report.explore.facts import (
    ContaminationFacts,
    ExploreFacts,
    FoundRow,
    MapPoint,
    RuleFacts,
    ShownRefusal,
    ShownRow,
    TaskFacts,
)
from kshot.report.explore.gather import rule_facts, shown_rows, spread, task_facts
from kshot.report.explore.markdown import explore_markdown
from kshot.report.explore.outline import outline_text
from kshot.report.explore.pages import explore_page
from kshot.report.explore.write import explore_from_json, explore_to_json, write_explore_report

__all__ = [
    "ContaminationFacts",
    "ExploreFacts",
    "FoundRow",
    "MapPoint",
    "RuleFacts",
    "ShownRefusal",
    "ShownRow",
    "TaskFacts",
    "explore_from_json",
    "explore_markdown",
    "explore_page",
    "explore_to_json",
    "outline_text",
    "rule_facts",
    "shown_rows",
    "spread",
    "task_facts",
    "write_explore_report",
]
