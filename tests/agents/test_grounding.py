import random

import pytest

from kshot.agents.grounding import nearest_valid, parse, same_action, similarity, trimmed

VALID = [
    "close door to kitchen",
    "focus on bee 3",
    "focus on crocodile egg",
    "focus on orange",
    "go to greenhouse",
    "look around",
    "move metal pot to red box",
    "move orange to red box",
    "open door to hall",
    "open cupboard",
    "pick up flower pot 2",
    "pick up flower pot 3",
    "pick up metal pot",
    "pour water in metal pot",
    "wait",
]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("open the hall door", "open door to hall"),
        ("Pick up pot", "pick up metal pot"),
        ("move the pot to the box", "move metal pot to red box"),
        ("pour water into the pot", "pour water in metal pot"),
        ("focus on egg crocodile", "focus on crocodile egg"),  # the same words in another order
        ("focus on crocodile", None),
        ("focus on egg", None),
        ("focus on bee 4", None),
        ("focus on the bee", None),
        ("focus on apple", None),
        ("pick up flower pot", None),  # two answer
        ("pick up flower pot 4", None),
        ("pick up crocodile", None),
        ("move pot", None),  # another number of objects
        ("open", None),
        ("close the hall door", None),  # another object
        ("eat orange", None),  # another verb
        ("look at orange", None),  # not the same as look around
        ("", None),
        ("...", None),
    ],
)
def test_only_the_same_thing_is_taken(said: str, expected: str | None) -> None:
    assert nearest_valid(said, VALID) == expected


def test_the_order_of_the_valid_actions_does_not_matter() -> None:
    draw = random.Random(3)
    for said in ("open the hall door", "pick up pot", "pick up flower pot"):
        found = {nearest_valid(said, draw.sample(VALID, len(VALID))) for _ in range(20)}
        assert len(found) == 1


def test_the_floor_refuses_what_is_too_far() -> None:
    valid = ["pick up large old rusty metal pot"]
    assert nearest_valid("pick up pot", valid) is None
    assert nearest_valid("pick up pot", valid, floor=0.3) == valid[0]


def test_trimmed_keeps_one_line_and_the_spelling_of_the_greenhouse() -> None:
    assert trimmed("  > go to the Green House. \nthen wait") == "go to the greenhouse"


def test_objects_whose_names_hold_a_separator() -> None:
    assert parse("move soil in pot to red box").objects == (("soil", "in", "pot"), ("red", "box"))
    assert parse("focus on soil in flower pot 3").objects == (("soil", "in", "flower", "pot", "3"),)
    assert parse("use thermometer on water").objects == (("thermometer",), ("water",))
    assert parse("use stopwatch").objects == (("stopwatch",),)


def test_similarity_wants_all_words_of_one_in_the_other() -> None:
    assert similarity(("wood", "cup"), ("tin", "cup")) == 0
    assert similarity(("cup",), ("cup", "2")) == 0
    assert similarity(("to",), ("to",)) == 0


def test_same_action_spelled_otherwise() -> None:
    assert same_action("focus on egg giant tortoise", "focus on giant tortoise egg")
    assert not same_action("open door to hall", "close door to hall")
    assert not same_action("pick up orange", "pick up pot")
