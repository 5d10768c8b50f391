"""ScienceWorld, a text world of science tasks (package ``scienceworld``, Java)."""

from kshot.agents.scienceworld.environment import ScienceWorld, ScienceWorldMaker
from kshot.agents.scienceworld.simulator import why_absent
from kshot.agents.scienceworld.tasks import (
    PAPER_TASKS,
    TASKS,
    evaluation_order,
    learning_order,
    task_named,
)

__all__ = [
    "PAPER_TASKS",
    "TASKS",
    "ScienceWorld",
    "ScienceWorldMaker",
    "evaluation_order",
    "learning_order",
    "task_named",
    "why_absent",
]
