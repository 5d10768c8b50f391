from pathlib import Path

import pytest
from toy_world import GOLD, ToyWorld

from kshot.agents import EpisodeLearning, SimulatedActor, gold_trajectories, learn_from_trajectories
from kshot.agents.examples import solved_example, thoughts_in
from kshot.agents.explanations import EpisodePrompts
from kshot.agents.learning import (
    Decision,
    Trajectory,
    decisions_to_learn,
    gold_preference,
    lessons_of,
    refused_because,
    replayed,
)
from kshot.agents.prompt import Turn, shown_insight
from kshot.data.example import Example
from kshot.errors import BudgetError, DataError, InputError, RunError
from kshot.methods.panda.learn import learning_decoding
from kshot.methods.panda.pool import PoolHeader
from kshot.methods.panda.records import Candidate, ExpertFacts
from kshot.models.base import Reply
from kshot.models.fake import ScriptedModel

EXPERT = ExpertFacts("gold", "toy")
HEADER = PoolHeader("toy", "agent")


def label(variation: int) -> str:
    return f"99-{variation}"


def toy_path(variation: int = 0) -> Trajectory:
    return replayed(ToyWorld(), variation, GOLD, label=label(variation))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0, 0, 0, 0, 0, 0], 3),  # never rises
        ([0, 0], 1),  # L = 1
        ([0, 5], 1),
        ([0, 0, 0, 0, 0, 5], 5),  # rises at the last step: all
        ([0, 5, 8, 8, 8, -100], 5),  # falls at the end: all
        ([0, 5, 8, 8, 8, 8, 8, 8], 5),  # p = 2
        ([7, 7, 7, 7, 7], 3),
        ([7], 0),
    ],
)
def test_how_many_decisions(scores: list[int], expected: int) -> None:
    assert decisions_to_learn(scores) == expected


def test_no_scores_are_an_error() -> None:
    with pytest.raises(DataError, match="without scores"):
        decisions_to_learn([])


def test_which_trajectories() -> None:
    assert refused_because([0, 100], success_only=True) == ""
    assert "solved" in refused_because([0, 90], success_only=True)
    assert refused_because([0, 50], min_score=50) == ""
    assert refused_because([0, 0]) == ""


def test_a_replay_holds_keys_scores_and_valid_actions_of_each_decision() -> None:
    world = ToyWorld()
    path = replayed(world, 0, GOLD, label="99-0")
    assert path.scores == (0, 0, 10, 10, 20, 100)
    assert [turn.said for turn in path.turns] == list(GOLD)
    assert len(path.decisions) == 5
    assert path.decisions[0].key == "[observation]: " + path.first
    assert path.decisions[2].key == "[observation]: " + path.turns[1].observation
    assert "go to garden" in path.decisions[3].valid
    assert world.valid_lists == 5


def test_actions_after_the_end_are_not_carried_out() -> None:
    path = replayed(ToyWorld(), 0, ["focus on orange", "focus on crocodile", "wait"], label="99-0")
    assert path.scores[-1] == -100
    assert len(path.turns) == 2  # the first was refused: the orange is elsewhere


def test_lessons_show_the_trajectory_so_far_and_ask_by_the_observation() -> None:
    lessons = lessons_of(toy_path(), expert=EXPERT, position=10)
    assert [lesson.position for lesson in lessons] == [10, 11, 12, 13, 14]
    assert lessons[0].row.prompt == toy_path().first
    assert lessons[1].row.prompt.endswith("> look around\n" + toy_path().turns[0].observation)
    assert lessons[3].preference.top.answer == "go to garden"
    assert lessons[3].preference.source == "99-0 step 3"
    assert len(lessons[3].preference.candidates) == 3
    assert learning_decoding(lessons[0]).stop == ("\n",)


def test_a_long_trajectory_loses_its_oldest_steps_whole_and_keeps_the_task() -> None:
    turns = tuple(Turn(f"act {number:03d}", "seen " * 100) for number in range(60))
    decisions = tuple(Decision("[observation]: k", turn.said) for turn in turns)
    path = Trajectory("99-0", "THE TASK", turns, (0,) * 60 + (9,), decisions)
    text = lessons_of(path, expert=EXPERT, position=0)[-1].row.prompt
    assert text.startswith("THE TASK")
    assert "act 058" in text
    assert "act 000" not in text
    assert len(text) / 4 <= 4096 - 160


def test_rivals_are_of_the_same_verb_where_there_are_such_and_never_the_same_action() -> None:
    valid = ("go to shed", "go to the lab", "go to hall", "go to yard", "wait", "reset task", "0", "eat pie")
    found = set()
    for seed in range(30):
        decision = Decision("k", "go to lab", valid=valid)
        ranked = gold_preference("t", decision, expert=EXPERT, source="s", seed=seed)
        assert ranked.top.answer == "go to lab"
        found |= {candidate.answer for candidate in ranked.candidates[1:]}
    assert found == {"go to shed", "go to hall", "go to yard"}
    few = gold_preference("t", Decision("k", "wait", valid=valid), expert=EXPERT, source="s", seed=0)
    assert not {"reset task", "0", "wait"} & {candidate.answer for candidate in few.candidates[1:]}
    alone = gold_preference("t", Decision("k", "wait"), expert=EXPERT, source="s", seed=0)
    assert len(alone.candidates) == 1


def test_an_expert_that_ranks_keeps_its_order() -> None:
    decision = Decision("k", "go out", ranked=("go out", "eat", "fly"), valid=("eat", "go out", "wait"))
    path = Trajectory("99-0", "T", (Turn("go out", "o"),), (0, 1), (decision,))
    (lesson,) = lessons_of(path, expert=ExpertFacts("agent"), position=0)
    assert [candidate.answer for candidate in lesson.preference.candidates][:2] == ["go out", "eat"]
    assert "fly" not in [candidate.answer for candidate in lesson.preference.candidates]


def test_the_request_has_the_trajectory_the_action_over_its_rivals_and_why() -> None:
    row = Example("A {hall}.\n> wait\nNothing.", "")
    prompts = EpisodePrompts()
    for ask in ("reason", "reason_without_answer", "strategy"):
        (message,), opening = prompts.explain(row, Candidate("go out"), [Candidate("eat {over}")], ask=ask)
        assert opening == ""
        order = ["A {hall}.", "> wait", '"go out"', '"eat {over}"']
        assert [message.content.index(part) for part in order] == sorted(map(message.content.index, order))
    assert prompts.id == EpisodePrompts().id
    assert prompts.read(Reply("go out\nmore"), setting=None) == "go out"  # type: ignore[arg-type]


def test_a_pool_is_learnt_and_gone_on_with(tmp_path: Path) -> None:
    calls: list[str] = []

    def reply(conversation: object) -> str:
        calls.append("asked")
        if len(calls) == 7:
            raise BudgetError("spent")
        return "It leads to the egg."

    model = ScriptedModel(reply)
    world = ToyWorld()
    with pytest.raises(BudgetError):
        learn_from_trajectories(
            gold_trajectories(world, range(4), label=label), tmp_path / "pool", model, header=HEADER
        )
    learnt = learn_from_trajectories(
        gold_trajectories(world, range(4), label=label), tmp_path / "pool", model, header=HEADER
    )
    assert (len(learnt.pool), learnt.trajectories) == (15, 3)  # variation 3 has no gold path
    assert learnt.new < 15
    again = learn_from_trajectories(
        gold_trajectories(world, range(4), label=label), tmp_path / "pool", model, header=HEADER
    )
    assert (again.new, [one.id for one in again.pool]) == (0, [one.id for one in learnt.pool])
    assert len({insight.row for insight in again.pool}) == 15
    assert again.pool.header.kind == "agent"
    assert "expert preferred" in shown_insight(again.pool[0], render="preference")
    again.pool.export_released(tmp_path / "released.json")
    assert '"99-0"' in (tmp_path / "released.json").read_text()


def test_preferences_alone_need_no_model(tmp_path: Path) -> None:
    learning = EpisodeLearning(render="preference")
    paths = gold_trajectories(ToyWorld(), [0], label=label)
    learnt = learn_from_trajectories(paths, tmp_path / "pool", None, header=HEADER, learning=learning)
    assert {insight.insight for insight in learnt.pool} == {""}


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    paths = [toy_path(0), replayed(ToyWorld(), 1, ["wait"], label="99-1")]
    learning = EpisodeLearning(success_only=True)
    actor = SimulatedActor()
    learnt = learn_from_trajectories(paths, tmp_path / "pool", actor, header=HEADER, learning=learning)
    assert learnt.dropped[0][0] == "99-1"
    with pytest.raises(InputError, match="nothing to learn from"):
        learn_from_trajectories(paths[1:], tmp_path / "none", actor, header=HEADER, learning=learning)


def test_a_pool_without_any_insight_is_a_failed_run_that_says_why(tmp_path: Path) -> None:
    failed = Reply("", finish_reason="error", error="the endpoint gave 500")

    class Down:
        id = "down"

        def generate(self, conversations: list, **how: object) -> list[Reply]:
            return [failed for _ in conversations]

    with pytest.raises(RunError, match=r"pool: no decision gave an insight: .*500.* \(5\)"):
        learn_from_trajectories([toy_path()], tmp_path / "pool", Down(), header=HEADER)
    mended = learn_from_trajectories([toy_path()], tmp_path / "pool", SimulatedActor(), header=HEADER)
    assert len(mended.pool) == mended.new == 5


def test_the_example_is_the_shortest_solved_path_with_thoughts_of_one_request() -> None:
    lost = replayed(ToyWorld(), 0, ["wait"], label="99-0")
    model = ScriptedModel(["2: I need the garden\n9: no such step"])
    found = solved_example([lost, toy_path(1)], thinker=model)
    assert (found.label, found.thoughts) == ("99-1", 1)
    assert "> think: I need the garden\nOK.\n> go to kitchen" in found.text
    assert len(model.conversations) == 1
    assert solved_example([lost]).text == ""
    assert "think" not in solved_example([toy_path(1)]).text


def test_thoughts_are_at_most_five() -> None:
    text = "\n".join(f"{number}: t{number}" for number in range(1, 20))
    assert list(thoughts_in(text, steps=30)) == [1, 2, 3, 4, 5]
