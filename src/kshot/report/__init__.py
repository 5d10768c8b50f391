"""The report of one run: page, Markdown, JSON and terminal table, all made from one ``RunReport``."""

from kshot.report.cocktail import CocktailFacts
from kshot.report.knowledge import OpenKnowledge
from kshot.report.result import (
    BankRow,
    Finding,
    Refused,
    RowResult,
    RunReport,
    SystemResult,
    TaskFacts,
    headline_of,
)
from kshot.report.terminal import closing_lines, leaderboard_table
from kshot.report.write import ReportPaths, write_report

__all__ = [
    "BankRow",
    "CocktailFacts",
    "Finding",
    "OpenKnowledge",
    "Refused",
    "ReportPaths",
    "RowResult",
    "RunReport",
    "SystemResult",
    "TaskFacts",
    "closing_lines",
    "headline_of",
    "leaderboard_table",
    "write_report",
]
