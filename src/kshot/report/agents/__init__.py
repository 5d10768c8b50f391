"""The report of interactive tasks: verdict, scores by condition and task, the paper's questions, costs."""

from kshot.report.agents.facts import AgentReport, ScoreRow, Scores, TaskRows
from kshot.report.agents.markdown import agent_markdown
from kshot.report.agents.pages import agent_page
from kshot.report.agents.write import agent_report_from_json, agent_report_to_json, write_agent_report

__all__ = [
    "AgentReport",
    "ScoreRow",
    "Scores",
    "TaskRows",
    "agent_markdown",
    "agent_page",
    "agent_report_from_json",
    "agent_report_to_json",
    "write_agent_report",
]
