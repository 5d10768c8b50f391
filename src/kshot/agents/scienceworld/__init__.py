"""ScienceWorld, a text world of science tasks (package ``scienceworld``, Java)."""

from kshot.agents.scienceworld.environment import ScienceWorld, ScienceWorldMaker
from kshot.agents.scienceworld.learning import learn_scienceworld
from kshot.agents.scienceworld.preparing import Prepared, prepare
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
    "Prepared",
    "ScienceWorld",
    "ScienceWorldMaker",
    "evaluation_order",
    "learn_scienceworld",
    "learning_order",
    "prepare",
    "task_named",
    "why_absent",
]
