"""The simulated model: it reads the prompt's text alone, and recalls as its parameters say."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from kshot.errors import InputError
from kshot.models.fake.ontology import Ontology, OntologySpeaker, RecallModel, stated_speaker
from kshot.models.fake.ontology.reading import read

WORLD = Ontology.made((4, 5, 3), seed=7)
TOP = WORLD.children[0]


def body(*parts: str, seed: int = 0) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "\n\n".join(parts)}], "seed": seed}


def listed(names: list[str]) -> str:
    return "\n".join(f"- {name}" for name in names) or "(none)"


def extend(path: list[str], wanted: int, existing: list[str] = [], seed: int = 0) -> dict[str, Any]:  # noqa: B006
    return body(
        f"## Task\nName: {path[-1]}\nReason: x",
        f"## Path\n{listed(path)}",
        f"## Existing subtasks\n{listed(existing)}",
        f"## Wanted\nWanted: {wanted} new subtasks",
        seed=seed,
    )


def fill(path: list[str], wanted: int = 10, seed: int = 0, shown: list[str] = []) -> dict[str, Any]:  # noqa: B006
    return body(
        f"## Task\nName: {path[-1]}",
        f"## Path\n{listed(path)}",
        f"## Already there\nVerbs: (none)\n{listed(shown)}",
        f"## Wanted\nWanted: {wanted} rows",
        seed=seed,
    )


def speaker(world: Ontology = WORLD, seed: int = 0, **changed: Any) -> OntologySpeaker:
    honest = {"s": 0.0, "obey": 1.0, "hall": 0.0, "leak": 0.0, "prime": 0.0, "judge": 1.0}
    return OntologySpeaker(world, RecallModel(**(honest | changed)), seed=seed)


def names(reply: str) -> list[int | None]:
    return [WORLD.known(entry["name"]) for entry in json.loads(reply)["subtasks"]]


def leaves(said: OntologySpeaker, reply: str) -> list[int | None]:
    return [WORLD.leaf_of(row["instruction"]) for row in json.loads(reply)["rows"]]


def path_to(node: int) -> list[str]:
    return ["all", *(WORLD.names[at][0] for at in reversed(WORLD.above(node)[:-1]))]


def test_all_children_come_when_enough_are_wanted_and_the_list_is_complete() -> None:
    reply = speaker()(extend(["all"], 12))
    assert sorted(names(reply)) == sorted(TOP)  # type: ignore[type-var]
    assert json.loads(reply)["complete"] is True
    assert json.loads(speaker()(extend(["all"], 2)))["complete"] is False


def test_listed_children_are_avoided_by_one_that_obeys_alone() -> None:
    existing = [WORLD.names[TOP[0]][0], WORLD.names[TOP[1]][2]]  # by any of their names
    assert set(names(speaker()(extend(["all"], 12, existing)))) == set(TOP[2:])
    assert set(names(speaker(obey=0.0)(extend(["all"], 12, existing)))) == set(TOP)


def test_a_child_comes_under_another_name_where_para_says_so() -> None:
    usual = WORLD.names[TOP[0]][0]
    entries = json.loads(speaker(para=1.0)(extend(["all"], 6, [usual])))["subtasks"]
    assert {WORLD.known(entry["name"]) for entry in entries} == {TOP[0]}
    assert usual not in {entry["name"] for entry in entries}


def test_hallucinated_names_are_off_the_ontology_and_differ() -> None:
    entries = json.loads(speaker(hall=1.0)(extend(["all"], 8)))["subtasks"]
    assert {WORLD.known(entry["name"]) for entry in entries} == {None}
    assert len({entry["name"] for entry in entries}) == 8


def test_recall_bias_prefers_low_ranks() -> None:
    found = Counter(names(speaker(s=2.0)(extend(["all"], 1, seed=seed)))[0] for seed in range(300))
    assert max(found, key=lambda child: found[child]) == min(TOP, key=lambda child: WORLD.ranks[child])
    even = Counter(names(speaker()(extend(["all"], 1, seed=seed)))[0] for seed in range(300))
    assert min(even.values()) > 40


def test_rows_come_from_below_the_target() -> None:
    target = WORLD.children[TOP[1]][2]
    found = leaves(speaker(), speaker()(fill(path_to(target))))
    assert len(found) == 10
    assert all(leaf is not None and target in WORLD.above(leaf) for leaf in found)


def test_leaked_rows_come_from_anywhere() -> None:
    target = WORLD.children[TOP[1]][2]
    replies = [leaves(speaker(), speaker(leak=1.0)(fill(path_to(target), seed=seed))) for seed in range(5)]
    assert {WORLD.above(leaf)[-2] for found in replies for leaf in found if leaf is not None} == set(TOP)


def test_half_of_the_rows_of_an_unknown_task_are_junk_and_the_rest_of_its_ancestor() -> None:
    path = ["all", WORLD.names[TOP[2]][0], "something unheard of"]
    found = [leaf for seed in range(20) for leaf in leaves(speaker(), speaker()(fill(path, seed=seed)))]
    assert 70 < found.count(None) < 130
    assert {WORLD.above(leaf)[-2] for leaf in found if leaf is not None} == {TOP[2]}


def test_demonstrations_prime() -> None:
    shown = speaker()(fill(path_to(TOP[3]), 1))
    row = json.dumps(json.loads(shown)["rows"][0])
    asked = body(
        "## Domain\nName: all\nDescription: x", f"## Demonstrations\n{row}", "## Wanted\nWanted: 20 rows"
    )
    found = leaves(speaker(), speaker(prime=1.0, per_reply=20)(asked))
    assert {WORLD.above(leaf)[-2] for leaf in found if leaf is not None} == {TOP[3]}
    assert len({WORLD.above(leaf)[-2] for leaf in leaves(speaker(), speaker()(asked)) if leaf}) > 1


def test_verdicts_on_names_are_right_as_often_as_stated() -> None:
    lines = (
        f"1. {WORLD.names[TOP[0]][2]}: because\n2. odd zzz thing: why\n3. {WORLD.names[TOP[1]][0]}: of course"
    )
    asked = body("## Task\nName: all", "## Path\n- all", f"## Proposed subtasks\n{lines}")
    assert json.loads(speaker()(asked)) == {"relevant": [True, False, True]}
    assert json.loads(speaker(judge=0.0)(asked)) == {"relevant": [False, True, False]}


def test_the_same_request_gets_the_same_reply_in_any_order() -> None:
    asked = [fill(path_to(TOP[0]), seed=seed) for seed in range(6)]
    one, other = speaker(leak=0.3), speaker(leak=0.3)
    forward = [one(request) for request in asked]
    assert forward == [other(request) for request in reversed(asked)][::-1]
    assert len(set(forward)) == 6
    assert [speaker(leak=0.3, seed=1)(request) for request in asked] != forward


def test_a_request_asked_again_is_read_from_its_first_turn() -> None:
    again = extend(["all"], 3)
    again["messages"] += [
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "It is no JSON."},
    ]
    assert read(again).kind == "extend"
    assert len(names(speaker()(again))) == 3


@pytest.mark.parametrize(
    "text", ["", "hello", "## Task", "## Wanted\nWanted: many rows", "## Path\n- \n## Task\n:"]
)
def test_any_text_gets_a_reply(text: str) -> None:
    assert speaker()(body(text))


def test_huge_wishes_are_bounded() -> None:
    assert len(json.loads(speaker(per_reply=99)(fill(["all"], 10**9)))["rows"]) == 64


@pytest.mark.parametrize(
    "text", ["", "8x", "8x6:t=1", "8x6:s=x", "8x6:s=nan", "8x6:obey=2", "axb", "8x6:hall=.6,para=.6"]
)
def test_a_wrong_statement_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        stated_speaker(text)
