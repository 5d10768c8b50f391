"""ScienceWorld itself, one Java machine for the file; skipped, with the reason, where it cannot run."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kshot.agents import Agent, ProcessEnvironment, run_episode, strategy_named
from kshot.agents.learning import gold_preference, replayed
from kshot.agents.memory import tree
from kshot.agents.observation import observation_text, query_key
from kshot.agents.scienceworld import (
    PAPER_TASKS,
    TASKS,
    ScienceWorld,
    ScienceWorldMaker,
    learning_order,
    simulator,
    why_absent,
)
from kshot.errors import InputError
from kshot.methods.panda.records import ExpertFacts
from kshot.models.fake import ScriptedModel

POOLS = Path(__file__).parents[3] / "shared" / "data" / "panda_pools"
needs_java = pytest.mark.skipif(bool(why_absent()), reason=why_absent() or "ScienceWorld is here")


@pytest.fixture(scope="module")
def world() -> Iterator[ScienceWorld]:
    with closing(ScienceWorld("identify-life-stages-1")) as opened:
        yield opened


def scripted(*actions: str) -> Agent:
    return Agent(ScriptedModel(list(actions)), strategy_named("react"))


@needs_java
def test_splits_are_the_released_ones(world: ScienceWorld) -> None:
    assert world.variations("train") == (0, 1, 2, 3, 4, 5)
    assert world.variations("dev") == (6, 7, 8)
    assert world.variations("test") == (9, 10, 11, 12, 13)
    assert [world.label(variation) for variation in learning_order(12, range(6))][:3] == [
        "12-3",
        "12-1",
        "12-2",
    ]


@needs_java
@pytest.mark.skipif(not POOLS.is_dir(), reason="the released pools are not here")
def test_keys_are_byte_for_byte_those_of_the_released_pool(world: ScienceWorld) -> None:
    pool = json.loads((POOLS / "task12__expert_insights.json").read_text(encoding="utf-8"))
    first, second = (next(iter(entry)) for entry in pool["12-3"][:2])
    state = world.reset(3)
    assert first.endswith(query_key(observation_text(state, first=True)))
    state = world.step("focus on baby baby beaver")
    assert second.endswith(query_key(observation_text(state)))


@needs_java
def test_a_gold_path_through_the_loop_scores_as_in_the_raw_environment(world: ScienceWorld) -> None:
    actions = world.gold_actions(3)
    world.reset(3)
    raw = [state.score for action in actions[:25] for state in [world.step(action)]]
    episode = run_episode(world, scripted(*actions), 3)
    assert (episode.score, episode.ended) == (100, "solved")
    assert list(episode.scores[1:]) == raw[: len(episode.steps)]
    assert {step.kind for step in episode.steps} == {"own"}


@needs_java
def test_refusals_cost_nothing_and_a_wrong_focus_ends(world: ScienceWorld) -> None:
    before = world.reset(3)
    state = world.step("fly to the moon")
    assert (state.accepted, state.moves, state.score) == (False, before.moves, before.score)
    assert world.step("LOOK AROUND").accepted
    state = world.step("focus on axe")
    assert (state.accepted, state.score, state.done) == (True, -100, True)


@needs_java
def test_a_refused_focus_stays_refused(world: ScienceWorld) -> None:
    agent = scripted("focus on crocodile", "focus on beaver egg", "focus on axe", "never")
    episode = run_episode(world, agent, 3)
    assert [step.kind for step in episode.steps] == ["refused", "refused", "own"]
    assert episode.ended == "lost"


@needs_java
def test_no_list_is_built_while_actions_are_accepted(
    world: ScienceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    build = ScienceWorld.valid_actions

    def counted(self: ScienceWorld) -> list[str]:
        built.append(1)
        return build(self)

    monkeypatch.setattr(ScienceWorld, "valid_actions", counted)
    actions = ["look around", "inventory", "wait1", "go to kitchen", "look around", "sing", "focus on air"]
    run_episode(world, scripted(*actions), 3)
    assert len(built) == 1  # for the refused one alone


@needs_java
def test_a_question_back_takes_a_number_or_is_cancelled(world: ScienceWorld) -> None:
    world.reset(3)
    state = world.step("go door")
    assert (state.asks_back, state.accepted) == (True, True)
    assert "0:" in state.observation
    assert world.step("1").observation.startswith("You move")
    world.reset(3)
    world.step("go door")
    assert world.step("look around").observation.startswith("This outside location")


@needs_java
def test_valid_actions_are_sorted_and_accepted(world: ScienceWorld) -> None:
    world.reset(3)
    valid = world.valid_actions()
    assert valid == sorted(valid)
    assert {"look around", "focus on axe"} <= set(valid)
    assert world.step("look at axe").accepted


@needs_java
def test_a_replay_draws_rivals_of_the_same_verb(world: ScienceWorld) -> None:
    path = replayed(world, 3, world.gold_actions(3)[:2], label="12-3")
    decision = path.decisions[1]
    expert = ExpertFacts("gold")
    ranked = gold_preference("t", decision, expert=expert, source="12-3 step 1", seed=0)
    assert ranked.top.answer == "focus on baby beaver in outside"
    assert all(candidate.answer.startswith("focus on ") for candidate in ranked.candidates)
    assert all("baby beaver" not in candidate.answer for candidate in ranked.candidates[1:])


@needs_java
def test_a_variation_that_is_none_is_named(world: ScienceWorld) -> None:
    with pytest.raises(InputError, match="variation 14; expected 0 to 13"):
        world.reset(14)


@needs_java
def test_java_ends_with_its_process_even_when_that_is_killed() -> None:
    with closing(ProcessEnvironment(ScienceWorldMaker("find-living-thing"))) as other:
        state = other.reset(0)
        assert state.task.startswith("Your task is to find")
        assert 100e6 < other.peak_bytes() < 700e6
        below = tree(other.process_id)
        assert len(below) >= 2
        os.kill(other.process_id, signal.SIGKILL)
        for _ in range(100):
            if not any(running(member) for member in below):
                break
            time.sleep(0.1)
        assert not any(running(member) for member in below)


def running(process_id: int) -> bool:
    status = Path(f"/proc/{process_id}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_tasks_of_the_paper_have_their_names() -> None:
    assert len(PAPER_TASKS) == 20
    assert (TASKS[0], TASKS[15]) == ("boil", "inclined-plane-friction-named-surfaces")
    assert (TASKS[25], TASKS[29]) == ("power-component", "use-thermometer")


def test_where_java_is_absent_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "java" in why_absent()
    with pytest.raises(InputError, match="java"):
        ScienceWorld("boil")
    monkeypatch.setattr(simulator, "find_spec", lambda name: None)
    assert "pip install 'kshot[scienceworld]'" in why_absent()
