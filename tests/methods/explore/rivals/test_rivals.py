"""The baselines: same rules, same filters, same budget; what their requests show."""

import json
import re

import pytest
from row_writer import Writer, asked_count, nonsense, planted, rows_text

from kshot.errors import InputError
from kshot.methods.explore.fill import FillOptions
from kshot.methods.explore.grow import GrowOptions
from kshot.methods.explore.prompts import standard
from kshot.methods.explore.records import Item
from kshot.methods.explore.rivals import RIVALS, Plan, curated, depth_zero, self_instruct
from kshot.methods.explore.seams import Exploration, FillRequest, Place
from kshot.methods.explore.spending import Limits
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeServer

EN = standard("en")
SEEDS = tuple(Item(nonsense(("seed", n)), "", "x") for n in range(12))
HEADINGS = re.compile(r"^## (.*)$", re.M)


def fresh(text, seed):
    """Rows, subtasks or verdicts, as the prompt asks."""
    if "## Proposed subtasks" in text:
        return json.dumps({"relevant": [True] * len(re.findall(r"^\d+\. ", text, re.M))})
    if "new subtasks" in text:
        wanted = int(re.search(r"^Wanted: (\d+) new", text, re.M)[1])
        names = [nonsense(("name", text, seed, n), words=3) for n in range(wanted)]
        return json.dumps({"subtasks": [{"name": n, "reason": "r", "examples": []} for n in names]})
    return rows_text([Item(nonsense((text, seed, n)), "", "x") for n in range(asked_count(text))])


def run(name, found, model, *, calls=40, **options):
    options = {"count": 100, "lanes": 4, **options}
    plan = Plan(GrowOptions(), FillOptions(**options), SEEDS)
    return list(
        RIVALS[name].run(found, model, prompts=EN, embedder=None, plan=plan, limits=Limits(calls=calls))
    )


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_keeps_within_the_budget_and_goes_on_where_it_was(name) -> None:
    found, model = planted(), Writer(fresh)
    rounds = run(name, found, model)
    assert model.calls == found.spent.calls <= 40
    assert found.rows
    assert [row for progress in rounds for row in progress.rows] == found.rows
    before = list(found.rows)
    run(name, found, model)
    assert (found.rows, model.calls <= 40) == (before, True)


@pytest.mark.parametrize(
    ("name", "depths"), [("fixed", [1, 8, 48]), ("depth_zero", [1]), ("self_instruct", [1])]
)
def test_the_shape_of_the_tree(name, depths) -> None:
    found = planted()
    run(name, found, Writer(fresh))
    counted = [0, 0, 0]
    for node in found.tree:
        counted[node.depth] += 1
    assert [n for n in counted if n] == depths


def test_a_flat_list_has_one_level() -> None:
    found = planted()
    run("flat", found, Writer(fresh))
    assert max(node.depth for node in found.tree) == 1
    assert len(found.tree) > 2


def test_growing_options_of_the_rivals() -> None:
    given = GrowOptions()
    assert RIVALS["adaptive"].grown(given) == given
    assert RIVALS["fixed"].grown(given).breadth == (8, 6)
    assert RIVALS["fixed"].grown(GrowOptions(depth=1, breadth=(5,))).breadth == (5,)
    assert RIVALS["flat"].grown(GrowOptions(breadth=(5, 4))) == GrowOptions(depth=1, breadth=(5,))
    assert RIVALS["depth_zero"].grown(given).depth == 0


def shown(text):
    lines = text.split("## Demonstrations\n")[1].split("\n\n")[0].split("\n")
    return [json.loads(line)["instruction"] for line in lines]


def test_self_instruct_shows_six_seeds_and_two_generated_rows() -> None:
    found, model = planted(), Writer(fresh)
    run("self_instruct", found, model, lanes=2)
    seeds = {item.instruction for item in SEEDS}
    rounds = [shown(text) for text in model.texts]
    assert [len(one) for one in rounds] == [8] * len(rounds)
    assert len(set(rounds[0]) & seeds) == 8  # nothing was generated before
    assert all(len(set(one) & seeds) == 6 for one in rounds[8:])
    assert {text for one in rounds for text in one} - seeds <= {row.item.instruction for row in found.rows}
    assert len({tuple(one) for one in rounds}) == len(rounds)
    text = model.texts[0]
    assert HEADINGS.findall(text) == ["Purpose", "Domain", "Demonstrations", "Wanted", "Reply"]
    assert "Name: rewriting\nDescription: Texts are changed, their meaning stays." in text
    assert "Wanted: 10 rows" in text


def test_self_instruct_repeats_no_seed() -> None:
    found = planted()
    run("self_instruct", found, Writer(lambda *_: rows_text([SEEDS[3], *SEEDS[:1]])), calls=1)
    assert [(one.rule, one.near) for one in found.refused] == [("overlap", "seed:3"), ("overlap", "seed:0")]


def test_self_instruct_without_seeds_is_an_error() -> None:
    with pytest.raises(InputError, match="give seeds"):
        next(
            self_instruct(
                planted(), Writer(fresh), prompts=EN, options=FillOptions(), limits=Limits(), seeds=()
            )
        )


def test_self_instruct_is_asked_at_its_temperature_and_in_the_language() -> None:
    seen = []

    def say(body):
        seen.append(body)
        return rows_text([Item("请写出一首关于春天的短诗。", "", "好")])

    found = planted("子任务")
    with FakeServer(say) as server, Endpoint(server.base_url, "fake") as endpoint:
        list(
            self_instruct(
                found,
                endpoint,
                prompts=standard("zh"),
                options=FillOptions(lanes=1, lane_calls=1),
                limits=Limits(calls=1),
                seeds=SEEDS,
            )
        )
    text = seen[0]["messages"][-1]["content"]
    assert seen[0]["temperature"] == 0.7
    assert seen[0]["response_format"]["type"] == "json_schema"
    assert HEADINGS.findall(text) == ["目的", "领域", "示范", "数量", "回复格式"]
    assert [row.item.output for row in found.rows] == ["好"]


@pytest.mark.parametrize("form", ["json", "blocks"])
def test_the_reply_is_asked_for_as_in_filling(form) -> None:
    from kshot.methods.explore.rivals import self_instruct_question

    prompts = standard("en", form=form)
    request = FillRequest("fill:a:0", Place(("rewriting",)), 7, SEEDS[:2])
    usual, own = prompts.fill(request), self_instruct_question(request, prompts)
    tail = usual.conversation[-1].content.partition("## Reply\n")[2]
    assert own.conversation[-1].content.endswith("## Wanted\nWanted: 7 rows\n\n## Reply\n" + tail)
    assert (own.decoding, own.step, own.check) == (usual.decoding, usual.step, usual.check)


def test_depth_zero_draws_its_examples_from_the_pool() -> None:
    found, model = planted("a"), Writer(fresh)
    options = FillOptions(count=60, lanes=1, lane_calls=1)
    list(depth_zero(found, model, prompts=EN, options=options, limits=Limits(calls=6)))
    examples = [re.findall(r'^\{"instruction": "(.*?)"', text, re.M) for text in model.texts]
    assert examples[0] == []
    assert all(len(one) == 2 for one in examples[1:])
    kept = {row.item.instruction for row in found.rows}
    assert {text for one in examples for text in one} <= kept
    assert {row.node for row in found.rows} == {found.tree.root.id}


def test_root_only_rivals_spend_the_budget_however_little_is_new() -> None:
    def poor(text, seed):
        return rows_text([Item(nonsense((text, seed)), "", "x"), *[Item("Say the same again.", "", "x")] * 9])

    for name in ("depth_zero", "self_instruct"):
        found = planted()
        run(name, found, Writer(poor), calls=30)
        assert found.spent.calls == 30


def test_curated_rows_pass_the_same_filters() -> None:
    items = [SEEDS[0], SEEDS[0], Item("Short", "", "x"), *SEEDS[1:4]]
    found = planted()
    told = curated(found, items, FillOptions(count=3))
    assert [row.item for row in told.rows] == [SEEDS[0], SEEDS[1], SEEDS[2]]
    assert [(row.origin, row.request) for row in found.rows] == [
        ("attached", "row 1"), ("attached", "row 4"), ("attached", "row 5")
    ]  # fmt: skip
    assert [one.rule for one in found.refused] == ["repeat", "too_short", "surplus"]
    assert (found.tree.root.full, found.tree.root.rows.kept, found.spent.calls) == ("count reached", 3, 0)
    more = curated(found, SEEDS, FillOptions(count=100))
    assert len(more.rows) == 9
    assert isinstance(found, Exploration)
