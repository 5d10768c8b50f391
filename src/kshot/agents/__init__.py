"""Interactive tasks: one loop for ReAct, SayCan and Reflexion, with and without insights."""

from kshot.agents.base import Environment, Split, State, WorldError
from kshot.agents.episode import Episode, Step, Usage, final_score
from kshot.agents.evaluate import Difference, Evaluation, evaluate_episodes, score_difference
from kshot.agents.learn_pool import (
    EpisodeLearning,
    EpisodesLearned,
    gold_trajectories,
    learn_from_trajectories,
)
from kshot.agents.loop import Agent, run_episode
from kshot.agents.parallel import run_episodes
from kshot.agents.play import Played, play
from kshot.agents.process import ProcessEnvironment
from kshot.agents.simulated import SimulatedActor
from kshot.agents.strategies import STRATEGIES, Strategy, strategy_named

__all__ = [
    "STRATEGIES",
    "Agent",
    "Difference",
    "Environment",
    "Episode",
    "EpisodeLearning",
    "EpisodesLearned",
    "Evaluation",
    "Played",
    "ProcessEnvironment",
    "SimulatedActor",
    "Split",
    "State",
    "Step",
    "Strategy",
    "Usage",
    "WorldError",
    "evaluate_episodes",
    "final_score",
    "gold_trajectories",
    "learn_from_trajectories",
    "play",
    "run_episode",
    "run_episodes",
    "score_difference",
    "strategy_named",
]
