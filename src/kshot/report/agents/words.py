"""The words of interactive tasks, explained plainly."""

from __future__ import annotations

from kshot.report.panda.words import TERMS as PANDA_TERMS

TERMS: dict[str, tuple[str, str]] = {
    "score": (
        "score",
        "What the environment counts for the task, 0 to 100. Where an action loses the episode, the last "
        "score before it counts.",
    ),
    "variation": (
        "variation",
        "One set-up of a task: other rooms, other things. Insights are learnt on train variations, and "
        "agents are judged on test variations.",
    ),
    "best": ("best", "The mean over variations of the best of their rounds."),
    "solved": ("solved", "The share of episodes that reached 100."),
    "steps": ("steps", "Lines of the agent in an episode, thoughts and refused actions among them."),
    "difference": (
        "paired difference",
        "Both ways of acting played the same variations, and the difference is taken variation by variation. "
        "An interval that holds 0 shows no difference.",
    ),
    "interval": (
        "95 % interval",
        "The variations are a draw. Values outside this range would be a surprise on other variations of the "
        "same kind.",
    ),
    "holm": PANDA_TERMS["holm"],
    "smallest": (
        "could have shown",
        "The smallest true difference that these variations find four times in five. Smaller ones may be "
        "there and stay unseen.",
    ),
    "shuffled": ("shuffled", "Each situation keeps its key and gets the explanation of another one."),
    "irrelevant": (
        "irrelevant",
        "The pool of the next task of the list; of a single task the least similar records.",
    ),
    "corrupted": (
        "corrupted",
        "The LLM was asked why the expert's rival action is preferred, and these explanations are shown.",
    ),
    "path": (
        "the gold path",
        "The environment's own solution, replayed without any LLM. It may run out of moves, and then it is "
        "below 100.",
    ),
}  # fmt: skip
