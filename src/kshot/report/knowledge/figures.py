"""All pictures of open knowledge, by the id of their place in the page."""

from __future__ import annotations

from typing import Any

from kshot.report.knowledge.data_plot import data_figure
from kshot.report.knowledge.expert_plot import expert_figure
from kshot.report.knowledge.facts import OpenKnowledge
from kshot.report.knowledge.router_plot import router_figure
from kshot.report.knowledge.training_plot import training_figure


def knowledge_figures(knowledge: OpenKnowledge) -> dict[str, dict[str, Any]]:
    """Every plot that there are figures for."""
    drawn = {
        "plot-experts": expert_figure(knowledge.experts) if knowledge.experts else {},
        "plot-data": data_figure(knowledge.data) if knowledge.data else {},
        "plot-router": router_figure(knowledge.router) if knowledge.router else {},
        "plot-training": training_figure(knowledge.training),
    }
    return {place: figure for place, figure in drawn.items() if figure}
