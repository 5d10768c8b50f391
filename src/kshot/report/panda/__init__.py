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
from kshot.report.panda.write import report_from_json, report_to_json, write_panda_report

__all__ = [
    "AblationRows",
    "CascadeRow",
    "ClaimRow",
    "GuideFacts",
    "PandaReport",
    "QueryRow",
    "RuleRow",
    "ShownInsight",
    "SystemRow",
    "UsageRow",
    "VariantRow",
    "panda_markdown",
    "panda_page",
    "report_from_json",
    "report_to_json",
    "write_panda_report",
]
