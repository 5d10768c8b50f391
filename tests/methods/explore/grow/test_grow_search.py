"""Growing: the expected tree, order and state in requests; whatever the replies are, it ends."""

from __future__ import annotations

import copy
import json
import random
from contextlib import suppress
from dataclasses import replace

import pytest

from kshot.errors import InputError, ModelError
from kshot.methods.explore.grow import GrowOptions, grow
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.spending import Limits, Spent
from kshot.models.base import Reply
from kshot.models.endpoint import Budget, Endpoint, EndpointOptions
from kshot.models.fake import FakeReply, FakeServer, Faults, ScriptedModel

WORLD = {
    "rewriting": ["style", "grammar", "length"],
    "style": ["tone", "register"],
    "grammar": ["tense"],
    "length": ["shorten", "expand", "headline"],
}


def outline(found):
    return [(node.depth, node.name, node.origin, node.closed) for node in found.tree]


def state(found):
    """All that is written down."""
    return [list(found.tree), found.refused, found.spent]


def wide(branch=16, leaves=10):
    world = {"rewriting": [f"branch{at}" for at in range(branch)]}
    return world | {name: [f"{name} leaf{at}" for at in range(leaves)] for name in world["rewriting"]}


def test_the_expected_tree(planted, prompts, speaker):
    found, told = planted(), speaker(WORLD)
    rounds = list(grow(found, ScriptedModel(told.script), prompts=prompts))
    done = "complete, and confirmed"
    assert outline(found) == [
        (0, "rewriting", "root", done),
        (1, "style", "look_ahead", done),
        (2, "tone", "look_ahead", ""),
        (2, "register", "look_ahead", ""),
        (1, "grammar", "look_ahead", done),
        (2, "tense", "look_ahead", ""),
        (1, "length", "look_ahead", done),
        (2, "shorten", "look_ahead", ""),
        (2, "expand", "look_ahead", ""),
        (2, "headline", "look_ahead", ""),
    ]
    assert [one.round for one in rounds] == [1, 2, 3]
    assert {one.stage for one in rounds} == {"grow"}
    assert rounds[-1].spent.calls == found.spent.calls == 9  # with the check of the root's names
    assert [one.stopped for one in rounds] == ["", "", ""]
    node = found.tree.children(found.tree.root.id)[0]
    assert node.reason == "style belongs here"
    assert node.requests == (f"extend:{found.tree.root.id}:0",)
    assert node.examples == (Item("Do the style thing.", "", "Done."),)
    assert (node.names.calls, node.names.asked, node.names.delivered, node.names.kept) == (2, 24, 2, 2)


def test_a_grown_tree_stays_as_it_is(planted, prompts, speaker):
    found = planted()
    model = ScriptedModel(speaker(WORLD).script)
    for options in (GrowOptions(), GrowOptions(breadth=(3, 2)), GrowOptions(order="depth_first")):
        list(grow(found, model, prompts=prompts, options=options))
        before = copy.deepcopy(state(found))
        assert list(grow(found, model, prompts=prompts, options=options)) == []
        assert state(found) == before


def test_requests_see_the_state_at_the_start_of_their_round(planted, prompts, speaker):
    told = speaker(WORLD)
    list(grow(planted(), ScriptedModel(told.script), prompts=prompts))
    all_three = ("style", "grammar", "length")
    assert told.requests == [
        (("rewriting",), (), 12),
        (("rewriting",), all_three, 12),
        (("rewriting", "style"), (), 12),
        (("rewriting", "grammar"), (), 12),
        (("rewriting", "length"), (), 12),
        (("rewriting", "style"), ("tone", "register"), 12),
        (("rewriting", "grammar"), ("tense",), 12),
        (("rewriting", "length"), ("shorten", "expand", "headline"), 12),
    ]
    assert told.texts[-1]["Sibling tasks"] == "- style\n- grammar"


def test_examples_are_the_parents(planted, prompts, speaker):
    found, told = planted(), speaker(WORLD)
    list(grow(found, ScriptedModel(told.script), prompts=prompts, options=GrowOptions(depth=3)))
    shown = {text["Task"].splitlines()[0]: text["Examples"] for text in told.texts}
    assert "Do the style thing." in shown["Name: tone"]
    assert "Do the style thing." in shown["Name: style"]  # its own: its parent has none
    assert "Do the" not in shown["Name: rewriting"]


def test_examples_are_drawn_by_seed(planted, prompts, speaker):
    drawn = []
    for seed in (0, 0, 1, 2):
        found, told = planted(), speaker({})
        items = tuple(Item(f"Mind the gap {number}.") for number in range(20))
        found.tree.put(replace(found.tree.root, examples=items))
        list(grow(found, ScriptedModel(told.script), prompts=prompts, options=GrowOptions(seed=seed)))
        assert all(text["Examples"].count("Mind the gap") == 2 for text in told.texts)
        drawn.append([text["Examples"] for text in told.texts])
    assert drawn[0] == drawn[1] != drawn[2] != drawn[3]


def test_depth_first_is_the_serial_search(planted, prompts, speaker):
    """The golden trace: a task's children are done before it is widened."""
    found, told = planted(), speaker(WORLD)
    options = GrowOptions(order="depth_first", breadth=(3, 2), batch=2)
    rounds = list(grow(found, ScriptedModel(told.script), prompts=prompts, options=options))
    assert [(path[-1], known, wanted) for path, known, wanted in told.requests] == [
        ("rewriting", (), 2),
        ("style", (), 2),
        ("grammar", (), 2),
        ("grammar", ("tense",), 1),
        ("grammar", ("tense",), 1),
        ("rewriting", ("style", "grammar"), 1),
        ("length", (), 2),
    ]
    assert len(rounds) == 7
    assert [(node.name, node.origin) for node in found.tree.children(found.tree.root.id)] == [
        ("style", "look_ahead"),
        ("grammar", "look_ahead"),
        ("length", "back_track"),
    ]
    closed = {node.name: node.closed for node in found.tree if node.depth < 2}
    assert closed.pop("grammar") == "no new name in two calls running"
    assert set(closed.values()) == {"breadth reached"}


def test_a_fixed_breadth_asks_for_what_is_missing(planted, prompts, speaker):
    found, told = planted(), speaker(wide())
    list(grow(found, ScriptedModel(told.script), prompts=prompts, options=GrowOptions(breadth=(14, 6))))
    assert [wanted for _, _, wanted in told.requests] == [12, 2] + [6] * 14
    assert {len(node.children) for node in found.tree if node.depth == 1} == {6}


def test_a_higher_target_goes_on(planted, prompts, speaker):
    found, told = planted(), speaker(wide())
    for breadth in ((3,), (5,)):
        list(
            grow(
                found,
                ScriptedModel(told.script),
                prompts=prompts,
                options=GrowOptions(depth=1, breadth=breadth),
            )
        )
    assert [wanted for _, _, wanted in told.requests] == [3, 2]
    assert found.tree.root.closed == "breadth reached"


def test_more_than_asked_is_refused_as_surplus(planted, prompts, said):
    found = planted()
    model = ScriptedModel(lambda turns: said(["red", "red", "green", "blue", "Yellow", "rewriting"]))
    rounds = list(grow(found, model, prompts=prompts, options=GrowOptions(depth=1, breadth=(2,))))
    assert [node.name for node in found.tree] == ["rewriting", "red", "green"]
    refused = [(one.text, one.rule) for one in rounds[0].refused]
    assert refused == [
        ("red", "repeat"),
        ("blue", "surplus"),
        ("Yellow", "surplus"),
        ("rewriting", "same name elsewhere"),
    ]
    assert found.refused == list(rounds[0].refused)
    assert found.refused[0].near == found.tree.root.children[0]
    assert found.tree.root.names.refused == (("repeat", 1), ("same name elsewhere", 1), ("surplus", 2))


def test_refused_names_and_names_elsewhere_are_told(planted, prompts, speaker):
    world = {"rewriting": ["write a poem", "write a long poem", "songs"], "songs": ["odes to a poem"]}
    told = speaker(world)
    list(grow(planted(), ScriptedModel(told.script), prompts=prompts))
    by_name: dict[str, list[dict[str, str]]] = {}
    for text in told.texts:
        by_name.setdefault(text["Path"].splitlines()[-1].removeprefix("- "), []).append(text)
    assert [text["Refused names"] for text in by_name["rewriting"]] == ["(none)", "- write a long poem"]
    assert [text["Other tasks"] for text in by_name["write a poem"]] == ["(none)", "- odes to a poem"]
    assert [text["Other tasks"] for text in by_name["songs"]] == ["(none)", "(none)"]
    assert by_name["songs"][0]["Sibling tasks"] == "- write a poem"


@pytest.mark.parametrize(
    ("reply", "closed"),
    [
        ("no JSON at all", "no usable reply"),
        ('{"subtasks": 7}', "no usable reply"),
        ("one name", "few new names in two calls running"),
        ("", "no usable reply"),
    ],
)
@pytest.mark.parametrize("order", ["rounds", "depth_first"])
@pytest.mark.parametrize("breadth", ["adaptive", (8, 6)])
def test_it_ends_whatever_is_said(planted, prompts, said, reply, closed, order, breadth):
    found = planted()
    model = ScriptedModel(lambda turns: said(["always this"]) if reply == "one name" else reply)
    options = GrowOptions(order=order, breadth=breadth)
    list(grow(found, model, prompts=prompts, options=options, limits=Limits(calls=100)))
    assert found.spent.calls == len(model.conversations) <= 12
    assert found.tree.root.closed == closed or breadth != "adaptive"
    assert found.tree.root.closed


def test_a_server_that_never_gives_enough(planted, prompts, said):
    found, count = planted(), iter(range(10_000))
    model = ScriptedModel(lambda turns: said([f"thing{next(count)}"]))
    list(grow(found, model, prompts=prompts, options=GrowOptions(breadth=(8, 6)), limits=Limits(calls=20)))
    assert found.spent.calls == len(model.conversations) == 20
    assert {node.closed for node in found.tree if node.depth < 2} == {"budget spent", "breadth reached"}
    list(grow(found, model, prompts=prompts, options=GrowOptions(breadth=(8, 6))))  # no limits: to the end
    assert len(found.tree) == 1 + 8 + 48


def test_a_dead_server(planted, prompts):
    found = planted()
    with (
        FakeServer(lambda body: "x", faults=Faults(server_error=1.0)) as server,
        Endpoint(server.base_url, "fake", options=EndpointOptions(retries=0)) as model,
    ):
        progress = grow(found, model, prompts=prompts, limits=Limits(calls=100))
        with suppress(ModelError):
            list(progress)
    assert len(server.requests) <= 100
    assert len(found.tree) == 1


def test_an_error_leaves_the_state_of_the_last_round(planted, prompts, speaker):
    told, found = speaker(WORLD), planted()

    class Fails:
        """Answers one round, and half of the next."""

        id = "fails"

        def ask(self, questions):
            for position, question in enumerate(questions):
                if question is not None:
                    if len(told.requests) == 3:
                        raise ModelError("gone")
                    yield position, Reply(told.script(question.conversation), 1, 1)

        def generate(self, conversations, **fields):
            raise AssertionError("an Asker is asked")

    progress = grow(found, Fails(), prompts=prompts)
    next(progress)
    before = copy.deepcopy(state(found))
    with pytest.raises(ModelError, match="gone"):
        next(progress)
    assert state(found) == before


def test_replies_before_the_budgets_end_are_kept(planted, prompts, speaker):
    found, told = planted(), speaker(wide())
    with (
        FakeServer(told.serve) as server,
        Endpoint(server.base_url, "fake", concurrency=1, budget=Budget(calls=5)) as model,
    ):
        rounds = list(grow(found, model, prompts=prompts, options=GrowOptions(relevance=False)))
    assert "budget" in rounds[-1].stopped
    assert [one.stopped for one in rounds[:-1]] == [""]
    assert found.spent.calls == len(server.requests) == 5
    assert len(found.tree) == 1 + 16 + 30  # the root twice, then three of its children


def test_a_cut_reply_gives_its_whole_entries(planted, prompts, said):
    whole = said(["tone", "register", "voice"])
    cut = whole[: whole.index("voice") + 3]
    found = planted()
    model = ScriptedModel(lambda turns: Reply(cut, 3, 9, "length"))
    list(grow(found, model, prompts=prompts, options=GrowOptions(depth=1)))
    assert [node.name for node in found.tree] == ["rewriting", "tone", "register"]


@pytest.mark.parametrize("share", [0.1, 0.2, 1.0])
@pytest.mark.parametrize("calls", [1, 2, 3, 9, 30, 100])
def test_the_exploration_share_holds(planted, prompts, speaker, share, calls):
    found = planted()
    model = ScriptedModel(speaker(wide()).script)
    options = GrowOptions(share=share, relevance=share == 0.1)
    rounds = list(grow(found, model, prompts=prompts, options=options, limits=Limits(calls=calls)))
    assert (calls > 29) <= len(model.conversations) == found.spent.calls <= max(1, calls * share)
    assert len(found.tree) <= max(1, (calls - int(calls * share)) // 2) or share == 1.0
    assert list(grow(found, model, prompts=prompts, options=options, limits=Limits(calls=calls))) == []
    assert all(not one.stopped for one in rounds) or share == 1.0


def test_few_tasks_are_shared_between_the_branches(planted, prompts, speaker):
    found = planted()
    model = ScriptedModel(speaker(wide()).script)
    list(grow(found, model, prompts=prompts, limits=Limits(calls=160)))
    sizes = [len(node.children) for node in found.tree if node.depth == 1]
    assert len(sizes) == 16
    assert max(sizes) - min(sizes) <= 1
    assert found.tree.root.closed in ("as many tasks as can be filled", "complete, and confirmed")


def test_a_malformed_reply_never_exceeds_the_limit(planted, prompts, speaker):
    """Repairs are planned for: with every second reply unusable, the limit holds to the call."""
    for calls in range(1, 40):
        count, told = [0], speaker(wide())

        def script(turns, count=count, told=told):
            count[0] += 1
            return "?" if count[0] % 2 else told.script(turns[:1])

        found = planted()
        options = GrowOptions(breadth=(16, 10))
        list(grow(found, ScriptedModel(script), prompts=prompts, options=options, limits=Limits(calls=calls)))
        assert count[0] == found.spent.calls <= calls


def test_tokens_are_a_limit_too(planted, prompts, speaker):
    found = planted()
    model = ScriptedModel(speaker(wide()).script)
    options = GrowOptions(breadth=(16, 10))
    whole = planted()
    list(grow(whole, model, prompts=prompts, options=options))
    most = whole.spent.tokens // 2
    rounds = list(grow(found, model, prompts=prompts, options=options, limits=Limits(tokens=most)))
    assert rounds[-1].stopped == "budget spent"
    assert 0.8 * most < found.spent.tokens <= most


@pytest.mark.parametrize("order", ["rounds", "depth_first"])
def test_the_order_of_arrival_changes_nothing(planted, prompts, speaker, order):
    world = wide(7, 5)
    world |= {leaf: ["shared leaf", "branch3 leaf1", f"own of {leaf}"] for leaf in world["branch1"]}
    depth = 3 if order == "rounds" else 2
    trees = []
    for seed in (0, 1):
        drawn, told = random.Random(seed), speaker(world)

        def serve(body, told=told, drawn=drawn):
            return FakeReply(told.serve(body), latency=drawn.random() * 0.02)

        found = planted()
        with FakeServer(serve) as server, Endpoint(server.base_url, "fake", concurrency=8) as model:
            list(grow(found, model, prompts=prompts, options=GrowOptions(order=order, depth=depth)))
        trees.append(state(found))
    assert trees[0][:2] == trees[1][:2]
    assert trees[0] == trees[1]
    plain = planted()
    model = ScriptedModel(speaker(world).script)
    list(grow(plain, model, prompts=prompts, options=GrowOptions(order=order, depth=depth)))
    assert state(plain)[:2] == trees[0][:2]


def reloaded(found):
    """As if written down and read again, in another order of insertion."""
    nodes = {node.id: node for node in found.tree}
    tree = type(found.tree)(found.tree.root)
    tree._nodes = dict(nodes)
    return Exploration(
        tree,
        refused=[type(one).from_json(json.loads(json.dumps(one.to_json()))) for one in found.refused],
        spent=Spent(found.spent.calls, found.spent.prompt_tokens, found.spent.completion_tokens),
    )


@pytest.mark.parametrize("order", ["rounds", "depth_first"])
@pytest.mark.parametrize("extras", [False, True])
def test_stopped_after_any_round_it_goes_on_to_the_same_tree(planted, prompts, speaker, order, extras):
    world = {
        "rewriting": ["style of a text", "grammar", "length", "style of a long text", "off topic"],
        "style of a text": ["tone", "grammar", "style of a short text", "tone down", "tone up"],
        "grammar": ["tense", "tense of verbs", "tone"],
    }
    options = GrowOptions(order=order, batch=2, probe=extras, relevance=extras)
    whole = planted()
    model = ScriptedModel(speaker(world, says_complete=False).script)
    count = len(list(grow(whole, model, prompts=prompts, options=options)))
    assert count > 3
    assert any(one.rule == "not relevant" for one in whole.refused) == extras
    for stop in range(1, count):
        found = planted()
        model = ScriptedModel(speaker(world, says_complete=False).script)
        for _, _ in zip(range(stop), grow(found, model, prompts=prompts, options=options), strict=False):
            pass
        found = reloaded(found)
        list(grow(found, model, prompts=prompts, options=options))
        assert state(found) == state(whole)


def test_the_check_of_relevance_refuses_and_counts(planted, prompts, speaker):
    found, told = planted(), speaker({"rewriting": ["tone", "off topic one", "voice"]})
    options = GrowOptions(depth=1, relevance=True)
    list(grow(found, ScriptedModel(told.script), prompts=prompts, options=options, limits=Limits(calls=50)))
    assert [node.name for node in found.tree] == ["rewriting", "tone", "voice"]
    assert {(one.text, one.rule) for one in found.refused} == {("off topic one", "not relevant")}
    assert found.spent.calls == len(told.texts) + len(told.checks)
    assert found.tree.root.names.calls == found.spent.calls
    assert [line.split(":")[0] for line in told.checks[0]["Proposed subtasks"].splitlines()] == [
        "1. tone",
        "2. off topic one",
        "3. voice",
    ]


@pytest.mark.parametrize(
    ("relevance", "breadth", "checked"),
    [
        (True, "adaptive", {"rewriting", "style", "grammar", "length"}),
        ("upper", "adaptive", {"rewriting"}),
        ("upper", (3, 2), set()),
        (False, "adaptive", set()),
    ],
)
def test_whose_names_are_checked(planted, prompts, speaker, relevance, breadth, checked):
    told = speaker(WORLD)
    options = GrowOptions(relevance=relevance, breadth=breadth)
    list(grow(planted(), ScriptedModel(told.script), prompts=prompts, options=options))
    assert {text["Path"].split("- ")[-1] for text in told.checks} == checked


def test_seeds_and_shots_are_not_asked_for_again(planted, prompts, speaker):
    found, told = planted(), speaker(WORLD)
    for name in ("style", "voice"):
        found.tree.add(found.tree.root.id, name, origin="shots", examples=(Item(f"Mind the {name}."),) * 3)
    list(grow(found, ScriptedModel(told.script), prompts=prompts))
    assert told.requests[0] == (("rewriting", "style"), (), 12) or told.requests[0][1] == ("style", "voice")
    by_name = {node.name: node for node in found.tree}
    assert by_name["style"].origin == "shots"
    assert by_name["grammar"].origin == "back_track"


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": -1},
        {"batch": 13},
        {"batch": 0},
        {"cap": 0},
        {"breadth": (8,)},
        {"breadth": (8, 0)},
        {"breadth": "wide"},
        {"order": "random"},
        {"share": 0},
        {"overlap": 1.0},
        {"least_yield": 2},
        {"cosine": -1},
        {"calls_a_task": -1},
        {"relevance": "some"},
    ],
)
def test_options_out_of_range(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        GrowOptions(**wrong)
