"""The report of a pairwise judgement: page, Markdown and JSON from one ``JudgeReport``."""

from kshot.report.judge.facts import JudgeReport, ShownPair, shown_pairs
from kshot.report.judge.sentences import headline, warnings
from kshot.report.judge.tables import JudgeTable, judge_tables
from kshot.report.judge.write import judge_markdown, judge_page, write_judge_report

__all__ = [
    "JudgeReport",
    "JudgeTable",
    "ShownPair",
    "headline",
    "judge_markdown",
    "judge_page",
    "judge_tables",
    "shown_pairs",
    "warnings",
    "write_judge_report",
]
