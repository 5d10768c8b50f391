import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy_world import GOLD, ToyWorld

from kshot.agents import Agent, run_episode, strategy_named
from kshot.agents.episode import Episode
from kshot.agents.stopping import is_stuck
from kshot.data.example import Conversation
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Insight
from kshot.methods.panda.retrieve import Retrieval, Retriever
from kshot.methods.panda.seams import Chosen, Retrieved
from kshot.models.base import Reply
from kshot.models.embed import HashingEncoder
from kshot.models.fake import ScriptedModel


def agent(script: list[str | Reply], strategy: str = "react", **more: object) -> Agent:
    return Agent(ScriptedModel(script), strategy_named(strategy), **more)  # type: ignore[arg-type]


def requests(one: Agent) -> list[Conversation]:
    return one.model.conversations  # type: ignore[attr-defined]


def test_the_gold_path_reaches_100_and_builds_no_list_of_valid_actions() -> None:
    world = ToyWorld()
    episode = run_episode(world, agent(list(GOLD)), 6)
    assert (episode.score, episode.ended, len(episode.steps)) == (100, "solved", 5)
    assert episode.scores == (0, 0, 10, 10, 20, 100)
    assert world.valid_lists == 0
    assert world.sent == list(GOLD)


def test_a_thought_is_not_carried_out_and_the_key_stays() -> None:
    keys: list[str] = []

    def look(key: str) -> Retrieved:
        keys.append(key)
        return Retrieved()

    world = ToyWorld()
    script = ["think: to the garden", "fly to garden", "go to kitchen", "go to garden", "focus on dove egg"]
    episode = run_episode(world, agent(script, insights=look), 6)
    assert [step.kind for step in episode.steps] == ["thought", "refused", "own", "own", "own"]
    assert episode.steps[0].observation == "OK."
    assert world.sent == script[1:]
    assert keys[0] == keys[1] == keys[2]
    assert keys[0].startswith("[observation]: Room 6: the hall.")
    assert keys[0].endswith("Focus on the egg.")
    assert (
        keys[3]
        == "[observation]: You go to the kitchen.; nothing ; Room 6: the kitchen.  doors: hall, garden "
    )


def test_a_refused_action_is_seen_alone_and_the_list_is_built_once() -> None:
    world = ToyWorld()
    one = agent(["fly", *GOLD])
    episode = run_episode(world, one, 6)
    assert world.valid_lists == 1
    assert episode.steps[0].observation == "I do not know that."
    assert requests(one)[1][0].content.endswith("> fly\nI do not know that.\n>")


def test_grounding_takes_the_nearest_and_the_history_shows_it() -> None:
    world = ToyWorld()
    one = agent(["pick up the apple", *GOLD])
    episode = run_episode(world, one, 6)
    assert (episode.steps[0].said, episode.steps[0].sent) == ("pick up the apple", "pick up red apple")
    assert episode.steps[0].kind == "grounded"
    assert "> pick up red apple\n" in requests(one)[1][0].content


@pytest.mark.parametrize("said", ["focus on apple", "focus on egg", "focus on the red pear", "focus on"])
def test_a_refused_focus_never_becomes_another(said: str) -> None:
    world = ToyWorld()
    episode = run_episode(world, agent([said, *GOLD]), 6)
    assert episode.steps[0].kind == "refused"
    assert [action for action in world.sent if action.startswith("focus")] == [said, "focus on dove egg"]
    assert episode.score == 100


def test_a_negative_score_ends() -> None:
    episode = run_episode(ToyWorld(), agent(["go to kitchen", "focus on orange", "wait"]), 6)
    assert (episode.ended, episode.scores) == ("lost", (0, 10, -100))


def test_moves_over_the_limit_end() -> None:
    assert run_episode(ToyWorld(), agent(["wait", "go to kitchen"]), 6).ended == "moves"


def test_steps_are_capped_at_twice_the_limit() -> None:
    names = ["look around", "nothing", "never"]
    episode = run_episode(ToyWorld(), agent([names[place % 3] for place in range(40)]), 6)
    assert (episode.ended, len(episode.steps), episode.steps[-1].moves) == ("steps", 20, 0)


def test_going_in_circles_ends_it() -> None:
    said = ["a b", "c d", "think: x", "a b", "c d", "A B", "c d", "never"]
    episode = run_episode(ToyWorld(), agent(said), 6)
    assert (episode.ended, len(episode.steps)) == ("stuck", 7)
    episode = run_episode(ToyWorld(), agent(said, stop="two_of_five"), 6)
    assert (episode.ended, len(episode.steps)) == ("stuck", 6)


def test_waiting_is_not_stuck() -> None:
    world = ToyWorld(move_limit=100)
    assert run_episode(world, agent([*["wait"] * 6, *GOLD]), 6).score == 100
    ended = run_episode(world, agent([*["wait"] * 6, *GOLD], stop="two_of_five"), 6).ended
    assert ended == "stuck"


@pytest.mark.parametrize(
    ("actions", "answers", "stuck"),
    [
        ("ababab", "xyxyxy", True),
        ("aabbab", "xxyyxy", True),
        ("ababab", "xyxyxz", False),  # another answer
        ("aaaaab", "xxxxxy", False),  # waiting, then an act
        ("aaabbb", "xxxyyy", False),
        ("abcabc", "xyzxyz", False),
        ("aaaaaa", "xxxxxx", False),
        ("babab", "yxyxy", False),  # five
        ("cbababab", "zyxyxyxy", True),
    ],
)
def test_circles(actions: str, answers: str, stuck: bool) -> None:
    assert is_stuck(list(zip(actions, answers, strict=True))) is stuck


def test_a_question_back_is_answered_next() -> None:
    world = ToyWorld()
    episode = run_episode(world, agent(["go", *GOLD]), 6)
    assert episode.steps[0].kind == "asks_back"
    assert (world.valid_lists, episode.score) == (0, 100)


def test_saycan_takes_the_most_frequent_that_is_accepted() -> None:
    world = ToyWorld()
    first = ["fly", "fly", "look around", "go to kitchen", "go to kitchen"]
    rest = [action for action in GOLD[2:] for _ in range(5)]
    episode = run_episode(world, agent([*first, *rest], "saycan"), 6)
    assert world.sent[:2] == ["fly", "go to kitchen"]
    assert world.valid_lists == 0
    assert episode.usage.asked == 5 * len(episode.steps)


def test_saycan_grounds_the_most_frequent_where_none_is_accepted() -> None:
    world = ToyWorld()
    first = ["sing", "take apple", "pick up apple", "pick up apple", "fly"]
    rest = [action for action in GOLD for _ in range(5)]
    episode = run_episode(world, agent([*first, *rest], "saycan"), 6)
    assert (episode.steps[0].sent, episode.steps[0].kind) == ("pick up red apple", "grounded")


def test_reflexion_tries_again_keeps_the_best_and_shows_three_notes() -> None:
    lose = ["go to kitchen", "focus on orange"]
    script = ["focus on red apple", "note one", *lose, "note two", "focus on crocodile"]
    one = agent(script, "reflexion")
    episode = run_episode(ToyWorld(), one, 6)
    assert (episode.trials, episode.score, episode.ended) == (3, -100, "lost")
    assert (episode.scores, episode.reflections) == ((0, 10, -100), ("note one",))
    last = requests(one)[-1][0].content
    assert "- note one\n- note two" in last
    assert requests(one)[1][0].content.count("think:") == 0  # the request for a note is another text
    assert episode.usage.asked == len(requests(one))


def test_reflexion_stops_when_solved_and_asks_again_for_short_replies() -> None:
    script = ["go", "a", "", "look around", *GOLD[1:]]
    one = agent(script, "reflexion")
    episode = run_episode(ToyWorld(), one, 6)
    assert (episode.trials, episode.score, episode.usage.asked) == (1, 100, 8)


def test_a_model_that_fails_ends_the_episode_with_its_reason() -> None:
    failed = Reply("", finish_reason="error", error="filtered")
    episode = run_episode(ToyWorld(), agent(["go to kitchen", failed]), 6)
    assert (episode.ended, episode.error, episode.failed) == ("model", "filtered", True)
    assert episode.scores == (0, 10)


def test_an_empty_reply_is_a_refused_step() -> None:
    world = ToyWorld()
    episode = run_episode(world, agent(["", *GOLD]), 6)
    assert episode.steps[0].kind == "refused"
    assert episode.score == 100


@pytest.mark.parametrize("strategy", ["react", "saycan", "reflexion"])
def test_an_empty_pool_sends_byte_for_byte_the_same(strategy: str) -> None:
    pool = InsightPool([], PoolHeader("toy", "agent"))
    look = Retriever(pool, HashingEncoder(), Retrieval(k=1)).nearest
    script = [action for action in GOLD for _ in range(5 if strategy == "saycan" else 1)]
    with_pool, without = agent(list(script), strategy, insights=look), agent(list(script), strategy)
    one, other = run_episode(ToyWorld(), with_pool, 6), run_episode(ToyWorld(), without, 6)
    assert requests(with_pool) == requests(without)
    assert one == other


def test_insights_stand_in_the_request_and_in_the_record() -> None:
    insight = Insight(0, "[observation]: x", "Go out at once.")
    one = agent(list(GOLD), insights=lambda key: Retrieved((Chosen(insight, 0.5),)))
    episode = run_episode(ToyWorld(), one, 6)
    assert all("- Go out at once." in request[0].content for request in requests(one))
    assert {step.insights for step in episode.steps} == {(insight.id,)}


def test_an_episode_travels_as_json() -> None:
    episode = run_episode(ToyWorld(), agent(["fly", *GOLD]), 6)
    assert Episode.from_json(json.loads(json.dumps(episode.to_json()))) == episode


PROGRAM = """
import hashlib, json, sys
sys.path.insert(0, {folder!r})
from toy_world import ToyWorld
from kshot.agents import Agent, run_episode, strategy_named
from kshot.agents.simulated import SimulatedActor
one = Agent(SimulatedActor(), strategy_named("saycan"), example="> go to kitchen\\nx\\n> pick up pot\\nx")
found = [run_episode(ToyWorld(40), one, number).to_json() for number in range(3)]
print(hashlib.sha256(json.dumps(found).encode()).hexdigest())
"""


def test_the_same_under_another_hash_seed() -> None:
    program = PROGRAM.format(folder=str(Path(__file__).parent))
    found = set()
    for seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.add(result.stdout.strip())
    assert len(found) == 1
    assert len(found.pop()) == hashlib.sha256().digest_size * 2
