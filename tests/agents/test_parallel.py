import os
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from toy_world import GOLD, Maker, ToyWorld, refuse

from kshot.agents import (
    Agent,
    ProcessEnvironment,
    WorldError,
    play,
    run_episode,
    run_episodes,
    strategy_named,
)
from kshot.agents.memory import peak_bytes, tree
from kshot.data.example import Conversation, Message
from kshot.errors import BudgetError, InputError, KshotError
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeServer, ScriptedModel

NEXT = dict(zip(("", *GOLD[:-1]), GOLD, strict=True))


def golden(conversation: Conversation) -> str:
    """The gold action after as many lines as the history has."""
    done = [line for line in conversation[-1].content.split("\n") if line.startswith("> ")]
    return GOLD[len(done)]


def agent() -> Agent:
    return Agent(ScriptedModel(golden), strategy_named("react"))


def test_a_process_is_the_same_environment() -> None:
    with closing(ProcessEnvironment(Maker())) as world:
        assert (world.name, world.move_limit) == ("toy", 10)
        assert list(world.variations("test")) == [6, 7, 8, 9]
        assert list(world.gold_actions(0)) == list(GOLD)
        there = run_episode(world, agent(), 6)
        assert "go to kitchen" in run_valid(world)
        assert world.peak_bytes() > 10_000_000
    assert there == run_episode(ToyWorld(), agent(), 6)
    world.close()
    with pytest.raises(WorldError, match="gone"):
        world.step("wait")


def run_valid(world: ProcessEnvironment) -> list[str]:
    world.reset(6)
    return list(world.valid_actions())


def test_what_cannot_be_opened_says_so() -> None:
    with pytest.raises(InputError, match="not here"):
        ProcessEnvironment(refuse)
    with pytest.raises(InputError, match="not here"):
        list(run_episodes(refuse, agent(), [(6, 0), (7, 0)], processes=2))


def test_a_crash_a_hang_and_a_slip_give_failed_episodes_and_the_others_go_on() -> None:
    jobs = [(variation, 0) for variation in (6, 7, 8, 9, 10)]
    found = {
        episode.variation: episode
        for episode in run_episodes(Maker(dying=True), agent(), jobs, processes=2, patience=8)
    }
    assert {variation: episode.ended for variation, episode in found.items()} == {
        6: "solved", 7: "environment", 8: "environment", 9: "environment", 10: "solved",
    }  # fmt: skip
    assert "exit code 3" in found[7].error
    assert "no answer for 8 s" in found[8].error
    assert "a slip in the world" in found[9].error
    assert len(found[7].steps) == 3
    assert found[7].usage.asked == 4
    assert found[6].peak_bytes > 10_000_000


def test_every_job_once_whatever_the_number_of_processes() -> None:
    jobs = [(variation, repeat) for repeat in range(2) for variation in (6, 7)]
    found = [list(run_episodes(Maker(), agent(), jobs, processes=count)) for count in (1, 3)]
    for episodes in found:
        assert sorted((one.variation, one.round) for one in episodes) == sorted(jobs)
        assert {one.score for one in episodes} == {100}


def test_a_budget_keeps_what_has_ended() -> None:
    asked: list[int] = []

    def reply(conversation: Conversation) -> str:
        asked.append(1)
        if len(asked) > 7:
            raise BudgetError("7 calls are spent")
        return golden(conversation)

    one = Agent(ScriptedModel(reply), strategy_named("react"))
    played = play(Maker(), one, [6, 7, 8], processes=1)
    assert (played.evaluation.episodes, played.left, played.stopped) == (1, 2, "7 calls are spent")
    asked.extend([1] * 9)
    with pytest.raises(KshotError, match="spent"):
        play(Maker(), one, [6], processes=1)


def test_closing_the_iterator_ends_every_process() -> None:
    before = set(tree(os.getpid()))
    episodes = run_episodes(Maker(), agent(), [(variation, 0) for variation in range(40)], processes=2)
    next(episodes)
    episodes.close()
    for _ in range(50):
        left = set(tree(os.getpid())) - before
        names = [
            Path(f"/proc/{member}/cmdline").read_text() for member in left if Path(f"/proc/{member}").exists()
        ]
        if not any("spawn_main" in name for name in names):
            break
        time.sleep(0.1)
    assert not any("spawn_main" in name for name in names)


def test_no_process_is_no_number() -> None:
    with pytest.raises(InputError, match="processes is 0"):
        list(run_episodes(Maker(), agent(), [(6, 0)], processes=0))


def test_memory_counts_children() -> None:
    alone = peak_bytes(os.getpid())
    with closing(ProcessEnvironment(Maker())):
        assert peak_bytes(os.getpid()) > alone + 10_000_000
    assert peak_bytes(2**22 + 5) == 0


def test_several_episodes_ask_one_endpoint(tmp_path: Path) -> None:
    def reply(request: Mapping[str, Any]) -> str:
        return golden((Message("user", request["messages"][-1]["content"]),))

    jobs = [(variation, 0) for variation in (6, 7, 8, 9)]
    with (
        FakeServer(reply) as server,
        Endpoint(server.base_url, "fake", journal=tmp_path / "calls.sqlite") as endpoint,
    ):
        one = Agent(endpoint, strategy_named("react"))
        found = list(run_episodes(Maker(), one, jobs, processes=3))
    assert [(episode.score, episode.usage.asked) for episode in found] == [(100, 5)] * 4
    assert sum(episode.usage.calls for episode in found) == 20
