"""The miniature's simulated teacher, and the path from exploring to data selection with it."""

from __future__ import annotations

import doctest
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kshot import miniature
from kshot.data.example import Conversation
from kshot.data.task import Task
from kshot.data.taskfile.settings import EndpointSection
from kshot.errors import InputError
from kshot.methods.explore.fill import FillOptions
from kshot.methods.explore.prompts import standard
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import ExtendRequest, FillRequest, Named, Place
from kshot.methods.explore.tree import DomainTree
from kshot.miniature import teacher as teacher_module
from kshot.miniature.teacher import DESCRIPTION, DOMAIN, Teacher
from kshot.miniature.world import INSTRUCTION
from kshot.models.embed import load_embedder
from kshot.models.fake import FakeServer
from kshot.pipeline.choose_data import choose_data
from kshot.pipeline.explore.asked import ExploreJob
from kshot.pipeline.explore.job import explore
from kshot.pipeline.open_pool import pool_of

PROMPTS = standard()
TRADES = miniature.truth().trades
OWNER = {word: trade for trade, words in TRADES.items() for word in words}


@cache
def teacher(s: float = 1.0) -> Teacher:
    return Teacher(s=s)


def body(conversation: Conversation, seed: int = 0) -> dict[str, Any]:
    return {"messages": [{"role": m.role, "content": m.content} for m in conversation], "seed": seed}


def children(place: Place, wanted: int = 12, *, seed: int = 0, s: float = 1.0) -> tuple[list[str], bool]:
    asked = PROMPTS.extend(ExtendRequest("extend:x:0", place, wanted))
    said = PROMPTS.read_names(teacher(s)(body(asked.conversation, seed)))
    return [one.name for one in said.named], said.is_complete


def rows(place: Place, wanted: int = 10, *, nearby: tuple[str, ...] = (), seed: int = 0) -> tuple[Item, ...]:
    asked = PROMPTS.fill(FillRequest("fill:x:0", place, wanted, nearby=nearby))
    return PROMPTS.read_rows(teacher()(body(asked.conversation, seed))).items


def trades_of(item: Item) -> set[str | None]:
    return {OWNER.get(word) for word in item.instruction.partition("\n")[2].split()}


def test_examples() -> None:
    assert doctest.testmod(teacher_module).failed == 0


def test_the_root_has_the_trades_and_those_that_are_listed_do_not_come_again() -> None:
    first, complete = children(Place((DOMAIN,)), 5)
    assert len(first) == 5
    assert not complete
    rest, complete = children(Place((DOMAIN,), children=tuple(first)), 12)
    assert complete
    assert sorted(first + rest) == sorted(TRADES)


def test_a_trade_has_three_groups_and_a_group_or_an_unknown_task_nothing() -> None:
    groups, complete = children(Place((DOMAIN, "weaver")))
    assert sorted(groups) == ["weaver customs", "weaver tools", "weaver wares"]
    assert complete
    assert children(Place((DOMAIN, "weaver", "weaver tools"))) == ([], True)
    assert children(Place((DOMAIN, "sailor"))) == ([], True)


def test_what_comes_to_mind_first_follows_the_bias() -> None:
    weights = Teacher(s=2.0).weights
    firsts = [children(Place((DOMAIN,)), 1, seed=seed, s=2.0)[0][0] for seed in range(150)]
    foremost = max(weights, key=weights.__getitem__)
    assert firsts.count(foremost) > 60  # 64 % of all weight
    assert set(Teacher(s=0.0).weights.values()) == {1.0}


@pytest.mark.parametrize(
    ("path", "owner", "parts"),
    [
        ((DOMAIN, "weaver"), "weaver", {"expert", "data", "both"}),
        ((DOMAIN, "Weaver", "weaver  tools"), "weaver", {"expert"}),
        ((DOMAIN, "smith", "smith wares"), "smith", {"data"}),
    ],
)
def test_rows_are_of_the_task_right_and_of_no_task_file(
    path: tuple[str, ...], owner: str, parts: set[str]
) -> None:
    files = (miniature.data_folder() / "tasks").glob("*/*.jsonl")
    taken = {json.loads(line)["prompt"] for file in files for line in file.read_text("utf-8").splitlines()}
    found = [item for seed in range(12) for item in rows(Place(path), seed=seed)]
    assert len(found) == 120
    words = TRADES[owner]
    seen = set()
    for item in found:
        instruction, _, asked = item.instruction.partition("\n")
        assert instruction == INSTRUCTION
        assert item.input == ""
        assert asked not in taken
        assert item.output.partition("\n")[0] == " ".join(words[word]["meaning"] for word in asked.split())
        seen |= {words[word]["part"] for word in asked.split()}
    assert seen == parts
    assert 0.3 < sum("\n" in item.output for item in found) / 120 < 0.7


def test_at_the_root_rows_are_of_many_trades_and_an_unknown_task_gets_half_junk() -> None:
    found = [trades_of(item) for seed in range(30) for item in rows(Place((DOMAIN,)), seed=seed)]
    assert all(None not in trades and len(trades) == 1 for trades in found)
    assert len(set.union(*found)) == 12
    strange = [trades_of(item) for seed in range(30) for item in rows(Place((DOMAIN, "cooking")), seed=seed)]
    assert 0.4 < sum(None in trades for trades in strange) / 300 < 0.6


def test_rows_that_are_shown_do_not_come_again_and_equal_requests_get_equal_replies() -> None:
    place = Place((DOMAIN, "weaver", "weaver tools"))
    first = rows(place)
    assert rows(place) == first != rows(place, seed=1)
    shown = tuple(item.instruction for item in first)
    for seed in range(20):
        assert not set(shown) & {item.instruction for item in rows(place, nearby=shown, seed=seed)}


def test_relevance_and_second_answers() -> None:
    named = (Named("weaver"), Named("sailor"), Named("Smith"))
    asked = PROMPTS.relevance(Place((DOMAIN,)), named)
    said = teacher()(body(asked.conversation))
    assert PROMPTS.read_relevance(said, 3) == (True, False, True)
    item = rows(Place((DOMAIN, "mason")))[0]
    again = PROMPTS.answer(Item(item.instruction), Place((DOMAIN, "mason")))
    said = PROMPTS.read_answer(teacher()(body(again.conversation)))
    assert said == item.output.partition("\n")[0]
    strange = PROMPTS.answer(Item("sing a song"), Place((DOMAIN,)))
    assert "none of these words" in teacher()(body(strange.conversation))


def test_it_answers_any_body_and_says_that_it_is_simulated() -> None:
    assert "simulated" in Teacher().id
    assert teacher()({"messages": []})
    assert teacher()({"messages": [{"role": "user", "content": "hello"}]})
    with pytest.raises(InputError, match="s is -1"):
        Teacher(s=-1)


def test_explored_rows_go_through_data_selection_and_the_chosen_are_of_the_right_trade(
    tmp_path: Path,
) -> None:
    """Miniature and simulated teacher: it shows that the path works, and nothing of a real model."""
    with FakeServer(Teacher(s=1.0), models=("teacher",)) as server:
        job = ExploreJob(
            llm=EndpointSection(base_url=server.base_url, model="teacher"),
            calls=200,
            fill=FillOptions(count=12, overlap=0.9, lanes=16),
            simulated=True,
        )
        saved = explore(tmp_path / "out", DomainTree.planted(DOMAIN, DESCRIPTION), job)
    assert len(saved.found.tree) == 1 + 12 + 36
    file = tmp_path / "task.yaml"
    source = miniature.task_file("single").read_text("utf-8")
    folder = miniature.data_folder() / "tasks"
    for old, new in (
        ("single/", f"{folder}/single/"),
        ("../base", str(miniature.base_folder())),
        ("adapters: [../bank], datasets: [../open/rows.jsonl]", f"datasets: [{tmp_path / 'out/rows.jsonl'}]"),
    ):
        source = source.replace(old, new)
    file.write_text(source, "utf-8")
    task = Task.load(file)
    pool = pool_of(task, load_embedder("hashing"), folder=tmp_path / "store")
    chosen = choose_data(task.shots, pool, count=40)

    def share(examples: list[str]) -> float:
        owners = [{OWNER.get(word) for word in text.partition("\n")[2].split()} for text in examples]
        return sum(owner == {"weaver"} for owner in owners) / len(owners)

    explored = [row.item.instruction for row in saved.found.rows]
    right = share([row.prompt for row in chosen.rows])
    assert len(explored) > 300
    assert share(explored) < 0.2
    assert right > 0.7
    assert len(pool.guarded.kept) > 0.8 * len(explored)
