"""Filling: rounds, lanes, counts, what requests show, and when it ends."""

import copy
import json
import random
import re
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from row_writer import Writer, asked_count, asked_name, nonsense, planted, rows_text

from kshot.errors import BudgetError, InputError, ModelError, RunError
from kshot.methods.explore.fill import FillOptions, fill
from kshot.methods.explore.prompts import standard
from kshot.methods.explore.records import Item, Refusal, Row, TaskNode, row_id
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.spending import Limits
from kshot.models.base import Reply
from kshot.models.endpoint import Budget, Endpoint
from kshot.models.fake import FakeServer, Faults

EN = standard("en")


UNLIMITED = Limits()


def filled(found, model, *, limits=UNLIMITED, prompts=EN, **options):
    return list(fill(found, model, prompts=prompts, options=FillOptions(**options), limits=limits))


def kept(found, name=None):
    names = {node.id: node.name for node in found.tree}
    return [row.item.instruction for row in found.rows if name in (None, names[row.node])]


def shown(text, heading):
    part = text.split(f"## {heading}\n", 1)[1].split("\n\n## ", 1)[0]
    return part.split("\n")


def state(found):
    return list(found.tree), found.rows, found.refused, found.spent


def test_every_task_gets_its_count() -> None:
    found = planted("a", "b")
    rounds = filled(found, Writer(), count=25, counts=((planted().tree.root.id, 3),))
    assert [(node.name, node.rows.kept, node.full) for node in found.tree] == [
        ("rewriting", 3, "count reached"),
        ("a", 25, "count reached"),
        ("b", 25, "count reached"),
    ]
    assert [row for progress in rounds for row in progress.rows] == found.rows
    assert (rounds[-1].spent, rounds[-1].stopped) == (found.spent, "")
    assert filled(found, Writer(), count=25, counts=((found.tree.root.id, 3),)) == []


def test_a_larger_count_goes_on() -> None:
    found = planted()
    filled(found, Writer(), count=5)
    filled(found, Writer(), count=12)
    assert (len(found.rows), found.tree.root.full, found.tree.root.rows.calls) == (12, "count reached", 2)


def test_attached_rows_count_and_are_not_repeated() -> None:
    found = planted("a")
    own = Item("Turn this letter into plain words.", "", "x")
    found.rows.append(Row(row_id(found.tree.root.id, own), found.tree.root.id, own, origin="attached"))
    found.tree.put(found.tree.root.with_rows("", kept=1))
    writer = Writer(lambda text, seed: rows_text([replace(own, output="y"), Item(nonsense(text), "", "z")]))
    filled(found, writer, count=1, limits=Limits(calls=9))
    assert [row.origin for row in found.rows] == ["attached", "fill"]
    assert [(r.rule, r.near) for r in found.refused] == [("repeat", found.rows[0].id)]
    assert found.tree.children(found.tree.root.id)[0].recent == "01"
    assert found.tree.root.full == "count reached"


def test_wanted_is_what_is_missing() -> None:
    writer = Writer()
    filled(planted(), writer, count=23)
    assert [asked_count(text) for text in writer.texts] == [10, 10, 3]


def test_leaves_only() -> None:
    found = planted("a")
    filled(found, Writer(), count=3, leaves_only=True)
    assert [node.rows.kept for node in found.tree] == [0, 3]


def test_a_lane_sees_its_own_replies_and_those_of_no_other() -> None:
    found, writer = planted("a", "b"), Writer()
    filled(found, writer, count=20, leaves_only=True)
    first, second = [text for text in writer.texts if asked_name(text) == "a"]
    other = [text for text in writer.texts if asked_name(text) == "b"][1]
    assert shown(first, "Already there") == ["Verbs: (none)", "(none)"]
    seen = {line.removeprefix("- ") for line in shown(second, "Already there")[1:]}
    assert len(seen) == 6
    assert seen <= set(kept(found, "a")[:10])
    verbs = dict(part.rstrip(")").split(" (") for part in shown(second, "Already there")[0][7:].split(", "))
    assert sum(map(int, verbs.values())) == 10
    assert not seen & {line.removeprefix("- ") for line in shown(other, "Already there")}


def test_a_round_sees_what_the_rounds_before_left() -> None:
    found, writer = planted(), Writer()
    filled(found, writer, count=40, lanes=2, lane_calls=1)
    rounds = [shown(text, "Already there")[0] for text in writer.texts]
    assert rounds[0] == rounds[1] == "Verbs: (none)"
    assert rounds[2] == rounds[3] != "Verbs: (none)"
    assert shown(writer.texts[0], "Examples") == ["(none)"]
    examples = [json.loads(line)["instruction"] for line in shown(writer.texts[2], "Examples")]
    assert len(examples) == 2
    assert set(examples) <= set(kept(found)[:20])


def test_examples_of_the_nearest_ancestor() -> None:
    found, writer = planted("a"), Writer()
    found.tree.put(replace(found.tree.root, examples=(Item("Say it in verse."),)))
    filled(found, writer, count=1)
    assert all('"instruction": "Say it in verse."' in text for text in writer.texts)


def test_over_and_under_delivery() -> None:
    def twenty(text, seed):
        return rows_text([Item(nonsense((text, seed, n)), "", "x") for n in range(20)])

    found = planted()
    filled(found, Writer(twenty), count=50)
    assert found.tree.root.rows.to_json() == {
        "calls": 3, "asked": 30, "delivered": 60, "kept": 50, "refused": {"surplus": 10}
    }  # fmt: skip
    assert [one.rule for one in found.refused] == ["surplus"] * 10
    found = planted()
    writer = Writer(lambda text, seed: rows_text([Item(nonsense((text, seed)), "", "x")]))
    filled(found, writer, count=7)
    assert (len(found.rows), writer.calls) == (7, 7)


def test_surplus_says_nothing_about_the_yield() -> None:
    found = planted()
    rows = [Item(nonsense(n), "", "x") for n in range(40)]
    filled(found, Writer(lambda text, seed: rows_text(rows)), count=5)
    assert found.tree.root.recent == "1" * 5


def test_repeats_within_a_reply_a_task_and_the_tree() -> None:
    def script(text, seed):
        name = asked_name(text)
        return rows_text(
            [
                Item("Put the letter into plain words.", "", "x"),
                Item("put the  letter into PLAIN words.", "", "y"),
                Item("Put the long letter into plain words.", "", "z"),
                Item(nonsense((name, text)), "", "x"),
            ]
        )

    found = planted("a")
    filled(found, Writer(script), count=2, limits=Limits(calls=20))
    first = found.rows[0].id
    assert [(one.rule, one.near) for one in found.refused[:2]] == [("repeat", first), ("overlap", first)]
    assert round(found.refused[1].score, 3) == 0.923
    assert found.tree.root.recent == "1001"
    assert len(kept(found, "a")) == 2
    assert "Put the letter into plain words." not in kept(found, "a")
    split = planted("a")
    filled(split, Writer(script), count=2, scope="per_node", limits=Limits(calls=20))
    assert kept(split, "a")[0] == "Put the letter into plain words."


def test_the_first_broken_rule_is_the_reason() -> None:
    rows = [
        Item("Short", "", ""),
        Item("Name the picture you see here.", "<text>", "x"),
        Item("Do it now well.", "", ""),
    ]
    found = planted()
    filled(found, Writer(lambda text, seed: rows_text(rows)), count=10, limits=Limits(calls=1))
    assert [one.rule for one in found.refused] == ["too_short", "placeholder_input", "empty_output"]
    assert found.tree.root.recent == "000"
    assert found.refused[1].item == rows[1]


def test_malformed_entries_are_counted() -> None:
    text = '{"rows": [{"input": "x"}, {"instruction": "Say it in fewer words.", "input": "", "output": "y"}]}'
    found = planted()
    filled(found, Writer(lambda *_: text), count=10, limits=Limits(calls=1))
    assert found.tree.root.rows.to_json() == {
        "calls": 1, "asked": 10, "delivered": 2, "kept": 1, "refused": {"malformed": 1}
    }  # fmt: skip


def test_a_task_that_yields_too_little_is_closed() -> None:
    def script(text, seed):
        return rows_text([Item(nonsense((text, seed)), "", "x"), *[Item("Say the same again.", "", "x")] * 9])

    found = planted()
    filled(found, Writer(script), lanes=1)
    assert found.tree.root.full == "too few of its last rows were new"
    assert found.tree.root.rows.calls == 4  # one lane of one round
    assert filled(found, Writer(script), lanes=1) == []
    still = planted()
    filled(still, Writer(script), lanes=1, least_kept=0.0, limits=Limits(calls=50))
    assert still.tree.root.rows.calls == 50


def test_a_task_without_anything_new_in_two_rounds_is_closed() -> None:
    found = planted("a")

    def script(text, seed):
        if asked_name(text) == "a":
            return rows_text([Item("Say the same again.", "", "x")])
        return rows_text([Item(nonsense((text, seed)), "", "x")])

    filled(found, Writer(script), lanes=2, lane_calls=1, count=6)
    closed = found.tree.children(found.tree.root.id)[0]
    assert (closed.full, closed.rows.kept) == ("two rounds without a new row", 1)
    assert found.tree.root.full == "count reached"


def test_requests_go_where_rows_are_missing() -> None:
    found, writer = planted("a", "b"), Writer()
    ids = [node.id for node in found.tree]
    filled(found, writer, lanes=2, counts=((ids[0], 0), (ids[1], 10), (ids[2], 70)), limits=Limits(calls=8))
    assert [node.rows.calls for node in found.tree] == [0, 1, 7]


# --- order of arrival ---


def served(script, seed, *, latency=(0.0, 0.03), **options):
    found = planted("a", "b", "c")

    def say(body):
        return script(body["messages"][-1]["content"], body["seed"])

    with (
        FakeServer(say, faults=Faults(latency=latency, seed=seed)) as server,
        Endpoint(server.base_url, "fake", concurrency=16) as endpoint,
    ):
        filled(found, endpoint, count=30, lanes=6, lane_calls=2, **options)
    return found


def repeating(text, seed):
    """About a third of the rows repeat rows of any task."""
    draw = random.Random(seed)
    items = [
        Item(
            nonsense(draw.randrange(60)) if draw.random() < 0.4 else nonsense((text, seed, place)),
            "",
            f"{place}",
        )
        for place in range(asked_count(text))
    ]
    return rows_text(items)


def test_the_order_of_arrival_changes_nothing() -> None:
    one, two = served(repeating, 1), served(repeating, 2)
    alone = planted("a", "b", "c")
    filled(alone, Writer(repeating), count=30, lanes=6, lane_calls=2)
    assert state(one) == state(two) == state(alone)
    assert len(alone.rows) == 120
    assert {one.rule for one in alone.refused} == {"repeat", "surplus"}


# --- limits ---


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    calls=st.integers(0, 30),
    tokens=st.integers(0, 60_000),
    words=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    lanes=st.integers(1, 5),
    second_pass=st.booleans(),
    broken=st.integers(2, 5),
)
def test_limits_are_never_exceeded(calls, tokens, words, lanes, second_pass, broken) -> None:
    def script(text, seed):
        draw = random.Random(hash((text, seed)))
        if draw.randrange(broken) == 0:
            return "no rows here " * draw.choice(words)
        if "## Wanted" not in text:
            return "An answer " * draw.choice(words)
        return rows_text(
            [
                Item(nonsense((text, seed, n)), "", "word " * draw.choice(words))
                for n in range(draw.randrange(1, 4))
            ]
        )

    found, writer = planted("a", "b"), Writer(script)
    limits = Limits(calls=calls, tokens=tokens)
    rounds = filled(found, writer, lanes=lanes, lane_calls=3, limits=limits, second_pass=second_pass)
    assert (writer.calls, writer.tokens) == (found.spent.calls, found.spent.tokens)
    assert writer.calls <= calls
    assert writer.tokens <= tokens
    assert rounds[-1].stopped in (
        "the limit on calls, tokens or money is reached",
        "two rounds without a usable reply",
    )


def test_a_limit_on_calls_is_used_up_and_a_larger_one_goes_on() -> None:
    found, writer = planted("a"), Writer()
    rounds = filled(found, writer, limits=Limits(calls=7))
    assert (writer.calls, [p.stopped for p in rounds]) == (
        7,
        ["the limit on calls, tokens or money is reached"],
    )
    assert [node.full for node in found.tree] == ["", ""]
    assert [p.stopped != "" for p in filled(found, writer, limits=Limits(calls=7))] == [True]
    filled(found, writer, limits=Limits(calls=9))
    assert writer.calls == 9


@pytest.mark.parametrize("tokens", range(3_000, 15_000, 1_500))
def test_a_repair_that_does_not_fit_is_not_asked_for(tokens) -> None:
    writer = Writer(lambda *_: "garbage " * 2000)
    filled(planted("a"), writer, limits=Limits(tokens=tokens), lanes=2)
    assert 0 < writer.tokens <= tokens


def test_a_limit_on_tokens_is_nearly_used_up() -> None:
    found, writer = planted("a", "b"), Writer()
    filled(found, writer, limits=Limits(tokens=40_000), lanes=4, count=500)
    assert 36_000 < writer.tokens <= 40_000


def test_a_spent_budget_keeps_what_arrived() -> None:
    def say(body):
        return Writer.fresh(body["messages"][-1]["content"], body["seed"])

    found = planted("a", "b")
    with (
        FakeServer(say) as server,
        Endpoint(server.base_url, "fake", concurrency=2, budget=Budget(calls=5)) as endpoint,
    ):
        rounds = filled(found, endpoint, lanes=4)
    assert len(rounds) == 1
    assert "budget" in rounds[0].stopped
    assert (len(found.rows), found.spent.calls) == (50, 5)
    ordinals = [(row.node, row.request) for row in found.rows]
    order = {node.id: place for place, node in enumerate(found.tree)}
    assert ordinals == sorted(ordinals, key=lambda pair: (order[pair[0]], int(pair[1].split(":")[2])))
    assert [node.dry_rounds for node in found.tree] == [0, 0, 0]


def test_another_error_leaves_the_last_commit() -> None:
    found = planted("a")
    texts = []

    def script(text, seed):
        texts.append(text)
        if len(texts) > 6:
            raise RunError("gone")
        return Writer.fresh(text, seed)

    steps = fill(found, Writer(script), prompts=EN, options=FillOptions(lanes=4, lane_calls=1))
    next(steps)
    before = copy.deepcopy(state(found))
    with pytest.raises(RunError, match="gone"):
        next(steps)
    assert state(found) == before


# --- bad servers ---


@pytest.mark.parametrize(
    "say",
    ["", "I cannot do that.", '{"rows": []}', '{"rows": [{"instruc'],
    ids=["empty", "prose", "no rows", "cut"],
)
def test_a_model_that_never_gives_rows_ends_it(say) -> None:
    found, writer = planted("a"), Writer(lambda *_: say)
    rounds = filled(found, writer, lanes=3, lane_calls=4)
    assert [p.stopped for p in rounds] == ["", "two rounds without a usable reply"]
    assert writer.calls == found.spent.calls <= 2 * 2 * 3 * 4
    assert [node.full for node in found.tree] == ["", ""]  # they are asked again by another start


def test_a_dead_local_model_ends_it() -> None:
    found = planted("a")
    rounds = filled(found, Writer(lambda *_: Reply("", finish_reason="error", error="dead")), lanes=2)
    assert (rounds[-1].stopped, rounds[-1].failed) == ("two rounds without a usable reply", 4)


def test_a_dead_server_is_an_error() -> None:
    found = planted("a", "b", "c")
    with (
        FakeServer(lambda body: "", faults=Faults(server_error=1.0)) as server,
        Endpoint(server.base_url, "fake", concurrency=32) as endpoint,
    ):
        endpoint._options = replace(endpoint._options, retries=0)
        with pytest.raises(ModelError, match="no usable reply"):
            filled(found, endpoint, lanes=64)
    assert found.rows == []


def test_one_row_for_ever_ends_it() -> None:
    found = planted("a", "b")
    writer = Writer(lambda *_: rows_text([Item("Say the same again.", "", "x")]))
    rounds = filled(found, writer, lanes=4)
    assert len(found.rows) == 1
    assert rounds[-1].stopped == ""
    assert all(node.full for node in found.tree)


def test_a_failed_reply_is_asked_once_more_and_counted() -> None:
    def script(text, seed):
        return Writer.fresh(text, seed) if "## Wanted" in text else "repaired"

    asked = []

    class Broken(Writer):
        def generate(self, conversations, **kw):
            asked.extend(len(turns) for turns in conversations)
            self.calls += len(conversations)
            return [
                Reply("nonsense" if len(turns) == 1 else Writer.fresh(turns[0].content, 0))
                for turns in conversations
            ]

    found = planted()
    filled(found, Broken(), count=10)
    assert (asked, found.spent.calls, len(found.rows)) == ([1, 3], 2, 10)
    found = planted()
    filled(found, Broken(), count=10, limits=Limits(calls=1))
    assert (found.spent.calls, found.rows) == (1, [])


# --- resume ---


def reloaded(found):
    """As from the disk: through JSON where there is a form, else copied."""
    rows = [Row.from_json(json.loads(json.dumps(row.to_json()))) for row in found.rows]
    refused = [Refusal.from_json(json.loads(json.dumps(one.to_json()))) for one in found.refused]
    return Exploration(found.tree.copy(), rows, refused, found.spent)


@pytest.mark.parametrize("scope", ["tree", "per_node"])
def test_a_new_start_after_any_round_gives_the_same(scope) -> None:
    options = FillOptions(count=30, lanes=2, lane_calls=2, scope=scope)
    whole, writer = planted("a", "b"), Writer(repeating)
    rounds = len(list(fill(whole, writer, prompts=EN, options=options)))
    assert rounds >= 3
    parts, again = planted("a", "b"), Writer(repeating)
    for _ in range(rounds):
        next(fill(parts, again, prompts=EN, options=options))
        parts = reloaded(parts)
    assert state(parts) == state(whole)
    assert again.texts == writer.texts
    assert list(fill(parts, again, prompts=EN, options=options)) == []


def test_no_two_requests_have_one_name() -> None:
    """Lanes that end early leave ordinals unused; later rounds use none of them again."""

    def twenty(text, seed):
        return rows_text([Item(nonsense(n), "", "x") for n in random.Random(seed).sample(range(150), 20)])

    options = FillOptions(count=120, lanes=3, least_kept=0.0)
    found = planted()
    list(fill(found, Writer(twenty), prompts=EN, options=options))
    made = [row.request for row in found.rows] + [one.request for one in found.refused]
    ordinals = {int(name.split(":")[2]) for name in made}
    assert len(ordinals) == found.tree.root.rows.calls < max(ordinals) + 1
    parts = planted()
    while list(zip(range(1), fill(parts, Writer(twenty), prompts=EN, options=options), strict=False)):
        parts = reloaded(parts)
    assert state(parts) == state(found)


# --- second pass, Chinese ---


def test_the_second_pass_asks_for_outputs_of_kept_rows() -> None:
    def script(text, seed):
        if "## Wanted" in text:
            return rows_text(
                [Item("Say the same again.", "", "first")] * 2 + [Item(nonsense(text), "", "first")]
            )
        return "second" if "## Input" in text and "Say the same again." not in text else ""

    found, writer = planted(), Writer(script)
    filled(found, writer, count=2, second_pass=True)
    assert [(row.item.output, row.answer_request) for row in found.rows] == [
        ("first", ""), ("second", f"answer:{found.rows[1].id}:0")
    ]  # fmt: skip
    assert (writer.calls, found.spent.calls, found.tree.root.rows.calls) == (4, 4, 1)  # one answer repaired
    assert found.refused[0].near == found.rows[0].id


def test_a_second_pass_without_budget_keeps_first_outputs() -> None:
    def script(text, seed):
        return Writer.fresh(text, seed) if "## Wanted" in text else "second"

    found, writer = planted(), Writer(script)
    filled(found, writer, count=10, second_pass=True, limits=Limits(calls=4))
    assert writer.calls == 4
    assert [row.item.output == "second" for row in found.rows] == [True] * 3 + [False] * 7


def test_a_budget_that_ends_in_the_second_pass_keeps_the_rows() -> None:
    def script(text, seed):
        if "## Wanted" not in text:
            raise BudgetError("the budget is spent")
        return Writer.fresh(text, seed)

    found = planted()
    rounds = filled(found, Writer(script), count=10, second_pass=True)
    assert (len(found.rows), [p.stopped for p in rounds]) == (10, ["the budget is spent"])


def test_chinese_rows() -> None:
    marks = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏云腾致雨露结为霜金生丽水玉出昆冈"

    def script(text, seed):
        draw = random.Random(f"{seed}{text}")
        rows = [
            Item("请写出" + "".join(draw.choices(marks, k=12)) + "。", "", "好")
            for _ in range(asked_count(text))
        ]
        same = rows[0].instruction
        return rows_text(
            [*rows, Item(same[:8] + "很" + same[8:], "", "好"), Item("Say it in English now.", "", "x")]
        )

    found, writer = planted("改写"), Writer(script)
    filled(found, writer, count=15, prompts=standard("zh"))
    assert [node.rows.kept for node in found.tree] == [15, 15]
    assert {"overlap", "wrong_language"} <= {one.rule for one in found.refused}
    assert "请" not in shown_verbs(writer.texts[-1])


def shown_verbs(text):
    return re.search(r"^动词：(.*)$", text, re.M)[1]


# --- speed ---


def seconds(rows):
    found = planted(*[f"task {n}" for n in range(24)])
    began = time.process_time()
    filled(found, Writer(), count=rows // 25)
    assert len(found.rows) == rows
    return time.process_time() - began


def test_five_thousand_rows_in_seconds() -> None:
    assert seconds(5_000) < 10


@pytest.mark.slow
def test_time_grows_as_the_rows_do() -> None:
    assert seconds(20_000) < 4 * seconds(10_000)


BAD = [
    {"count": -1},
    {"batch": 0},
    {"lanes": 0},
    {"lane_calls": 0},
    {"overlap": 1.0},
    {"least_kept": 2},
    {"scope": "x"},
    {"counts": (("a", -1),)},
]


@pytest.mark.parametrize("options", BAD)
def test_bad_options(options) -> None:
    with pytest.raises(InputError, match="FillOptions"):
        FillOptions(**options)


def test_a_task_that_is_not_in_the_tree_is_not_asked_for() -> None:
    found = planted()
    filled(found, Writer(), count=1, counts=(("nowhere", 5),))
    assert isinstance(found.tree.root, TaskNode)
    assert len(found.rows) == 1
