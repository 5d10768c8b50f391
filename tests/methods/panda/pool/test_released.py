"""The released pools: counts of the paper's release, and out again as they came in."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from kshot.errors import DataError
from kshot.methods.panda.pool import InsightPool, PoolHeader, merge, prune, released_variations
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference

SHARED = Path(__file__).parents[4].parent / "shared" / "data" / "panda_pools"
# task: trajectories, records, distinct keys, train variations
RELEASED = {2: (16, 136, 115, 16), 12: (6, 37, 31, 6), 13: (4, 109, 105, 4), 17: (50, 205, 101, 62), 25: (10, 189, 155, 10)}  # fmt: skip  # noqa: E501


def released(task: int) -> Path:
    file = SHARED / f"task{task}__expert_insights.json"
    if not file.is_file():
        pytest.skip("the development data is absent")
    return file


@pytest.mark.parametrize("task", RELEASED)
def test_released_pools_have_their_counts_and_come_out_as_they_came_in(tmp_path: Path, task):
    file = released(task)
    plain = json.loads(file.read_bytes())
    trajectories, records, keys, n_train = RELEASED[task]
    pool = InsightPool.import_released(file)
    assert (len(pool), len({insight.key for insight in pool})) == (records, keys)
    assert pool.header.counts == {"trajectories": trajectories, "insights": records}
    assert (pool.header.task, pool.header.kind) == (f"scienceworld:{task}", "agent")
    assert all(insight.key.startswith("[observation]") and insight.insight for insight in pool)
    assert [int(name.split("-")[1]) for name in plain] == list(released_variations(n_train))
    pool.save(tmp_path / "pool")
    again = InsightPool.load(tmp_path / "pool")
    assert again.insights == pool.insights
    again.export_released(tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_bytes())
    assert found == plain
    assert list(found) == list(plain)


def test_the_released_draw():
    assert released_variations(150)[:3] == (120, 46, 77)
    assert [len(released_variations(n)) for n in (4, 50, 135, 692)] == [4, 50, 50, 50]
    random.seed(2024)
    assert released_variations(62) == tuple(random.sample(list(range(62)), 50))
    assert released_variations(5, most=2) == released_variations(5, most=2)
    assert len(released_variations(5, most=2)) == 2


TRAJECTORIES = {
    "12-3": [
        {"[action]: look; [observation]: a room": "one"},
        {"[action]: go; [observation]: a room": "two"},
        {"[action]: go; [observation]: a room": "three \ud83d"},
    ],
    "12-0": [],
    "12-7": [{"x [observation]: [observation]: b": ""}],
}


def written(tmp_path: Path, content: object, name: str = "pool.json") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_trajectories_keep_repeated_keys_in_order_and_empty_ones(tmp_path: Path):
    pool = InsightPool.import_released(written(tmp_path, TRAJECTORIES))
    assert [insight.key for insight in pool][:3] == ["[observation]: a room"] * 3
    assert pool[3].key == "[observation]: [observation]: b"
    assert [insight.insight for insight in pool][:2] == ["one", "two"]
    pool.save(tmp_path / "pool")
    InsightPool.load(tmp_path / "pool").export_released(tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == TRAJECTORIES
    pruned = prune(pool, ids=[pool[1].id]).pool
    pruned.export_released(tmp_path / "out.json")
    assert [len(v) for v in json.loads((tmp_path / "out.json").read_text()).values()] == [2, 0, 1]
    assert prune(pool, ids=pool.ids[1]).pool.insights == pruned.insights


def test_merged_trajectories_all_come_out(tmp_path: Path):
    one = InsightPool.import_released(written(tmp_path, TRAJECTORIES))
    two = InsightPool.import_released(written(tmp_path, {"12-3": [{"[observation]: a room": "four"}]}))
    both = merge([one, two]).pool
    assert len(both) == 5
    both.export_released(tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    assert [len(found[name]) for name in ("12-3", "12-0", "12-7")] == [4, 0, 1]
    assert merge([one, one]).counts() == {"is in an earlier pool": 4}


WRONG_FILES = [
    ("", "is empty, expected JSON"),
    ("{", "is no JSON in UTF-8"),
    ("[" * 50_000, "is no JSON in UTF-8"),
    ("[]", "holds nothing, expected a list of objects"),
    ("{}", "holds nothing"),
    ("3", "holds int"),
    ('{"12-1": [], "12-1": []}', "an object names '12-1' twice"),
    ({"12": []}, "'12': expected a trajectory like '12-3'"),
    ({"12-1": {}}, "'12-1': expected a trajectory"),
    ({"12-1": [], "13-1": []}, "trajectories of tasks 12, 13, expected one task"),
    ({"12-1": [{"[action]: look": "x"}]}, r"'12-1', entry 0: the situation has no '\[observation\]'"),
    ({"12-1": [{}, {"a": "b", "c": "d"}]}, "'12-1', entry 0: expected an object with one entry"),
    ({"12-1": [{"[observation]: a": 3}]}, "'12-1', entry 0: the insight is int, expected text"),
    ([{"insight": "x"}], "entry 0: expected an object with text"),
    ([{"text": "a", "insight": "x"}, {"text": "b", "insight": None}], "entry 1: the insight is NoneType"),
    ([{"text": "a", "insight": {"choices": []}}], "entry 0: the insight is dict"),
    ([{"text": "a", "insight": {"choices": [{"message": {"content": 3}}]}}], "entry 0: the insight is dict"),
    ([[]], "entry 0: expected an object"),
]


@pytest.mark.parametrize(("content", "told"), WRONG_FILES, ids=[str(n) for n in range(len(WRONG_FILES))])
def test_a_wrong_file_is_said_with_its_place(tmp_path: Path, content, told):
    with pytest.raises(DataError, match=rf"pool.json: .*{told}"):
        InsightPool.import_released(written(tmp_path, content))


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(DataError, match=r"none.json: cannot be read"):
        InsightPool.import_released(tmp_path / "none.json")


RESPONSE = {"id": "c", "choices": [{"message": {"content": "Because."}, "finish_reason": "length"}]}
TEXTS = [
    {"text": "a", "query_prompt": "why a", "insight": "It is sad."},
    {"text": "b", "query_prompt": "why b", "insight": RESPONSE},
    {"text": "a", "insight": "It is sad."},
]
RANKED = [{"text": "a", "preferences": "[2, 0, 1]"}, {"text": "other", "preferences": [1]}]


def test_texts_with_their_rankings(tmp_path: Path):
    file, expert = written(tmp_path, TEXTS), written(tmp_path, RANKED, "expert.json")
    pool = InsightPool.import_released(file, expert_file=expert, task="sentiment", labels=["-", "0", "+"])
    assert [insight.insight for insight in pool] == ["It is sad.", "Because.", "It is sad."]
    assert [insight.answer for insight in pool] == ["+", None, "+"]
    assert [insight.finish_reason for insight in pool] == ["stop", "length", "stop"]
    assert pool[1].flags == ("cut",)
    assert pool[0].preference is not None
    assert [c.probability for c in pool[0].preference.candidates] == [None] * 3
    assert pool.header.counts == {"without_ranking": 1, "insights": 3}
    assert pool.header.expert == ExpertFacts("imported", "expert.json")
    pool.save(tmp_path / "pool")
    again = InsightPool.load(tmp_path / "pool")
    assert again.insights == pool.insights
    again.export_released(tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == TEXTS
    plain = InsightPool.import_released(file, expert_file=expert)
    assert (plain.header.task, plain[0].answer) == ("pool", "2")


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"a": "[1]"}, "holds dict, expected a list"),
        ([{"text": "a"}], "entry 0: preferences are None"),
        ([{"text": "a", "preferences": "__import__('os')"}], "are no JSON list of class indices"),
        ([{"text": "a", "preferences": "[0, 0]"}], "expected different class indices"),
        ([{"text": "a", "preferences": "[]"}], "expected different class indices"),
        ([{"text": "a", "preferences": "[true, 0]"}], "expected different class indices"),
        ([{"text": "a", "preferences": "[-1]"}], "expected different class indices"),
        ([{"text": "a", "preferences": "[3]"}], "name class 3, but there are 3 labels"),
        ([{"text": "a", "preferences": "[1]"}, {"text": "a", "preferences": "[2]"}], "entry 1: its text has"),
        ([3], "entry 0: expected an object with text and preferences"),
    ],
)
def test_a_wrong_expert_file_is_said(tmp_path: Path, entries, told):
    file, expert = written(tmp_path, TEXTS), written(tmp_path, entries, "expert.json")
    with pytest.raises(DataError, match=rf"expert.json: .*{told}"):
        InsightPool.import_released(file, expert_file=expert, labels=["-", "0", "+"])


def test_trajectories_have_no_expert_file(tmp_path: Path):
    file = written(tmp_path, TRAJECTORIES)
    with pytest.raises(DataError, match="has no labels and no expert file"):
        InsightPool.import_released(file, expert_file=file)


def test_a_pool_that_was_learned_here_is_exported_as_its_kind_demands(tmp_path: Path):
    ranking = Preference("t", (Candidate("a"),), ExpertFacts("agent"), source="6-120 step 0")
    step = Insight(0, "[observation]: x", "why.", opening="The expert", preference=ranking)
    pool = InsightPool([step], PoolHeader("find a thing", "agent"))
    pool.export_released(tmp_path / "out.json")
    assert list(json.loads((tmp_path / "out.json").read_text())) == ["6-120"]
    again = InsightPool.import_released(tmp_path / "out.json")
    assert (again[0].key, again[0].insight) == (step.key, "The expert why.")
    lost = InsightPool([replace(step, preference=None, source="task12-3.jsonl:4")], pool.header)
    with pytest.raises(DataError, match="does not tell its trajectory"):
        lost.export_released(tmp_path / "out.json")
    InsightPool([step], PoolHeader("irony", "classification")).export_released(tmp_path / "out.json")
    plain = json.loads((tmp_path / "out.json").read_text())
    assert plain == [{"text": step.key, "query_prompt": "", "insight": "The expert why."}]
