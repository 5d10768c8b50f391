"""The report of a PANDA evaluation: verdict, leaderboard, controls, ablations, pool, queries, costs."""

from kshot.report.panda.facts import (
    AblationRows,
    CascadeRow,
    ClaimRow,
    GuideFacts,
    PandaReport,
    QueryRow,
    RuleRow,
    ShownInsight,
    SystemRow,
    UsageRow,
    VariantRow,
)
from kshot.report.panda.markdown import panda_markdown
from kshot.report.panda.pages import panda_page
from kshot.report.panda.summary import (
    OfficialRow,
    PandaSummary,
    Scored,
    SummaryAblation,
    SummaryCell,
    TaskLine,
    VariantCell,
    summary_from_json,
    summary_to_json,
)
from kshot.report.panda.summary_pages import summary_markdown, summary_page, write_panda_summary
from kshot.report.panda.write import report_from_json, report_to_json, write_panda_report

__all__ = [
    "AblationRows",
    "CascadeRow",
    "ClaimRow",
    "GuideFacts",
    "OfficialRow",
    "PandaReport",
    "PandaSummary",
    "QueryRow",
    "RuleRow",
    "Scored",
    "ShownInsight",
    "SummaryAblation",
    "SummaryCell",
    "SystemRow",
    "TaskLine",
    "UsageRow",
    "VariantCell",
    "VariantRow",
    "panda_markdown",
    "panda_page",
    "report_from_json",
    "report_to_json",
    "summary_from_json",
    "summary_markdown",
    "summary_page",
    "summary_to_json",
    "write_panda_report",
    "write_panda_summary",
]
