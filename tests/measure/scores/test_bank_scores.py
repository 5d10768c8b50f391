"""Every expert on every shot, once: what is measured, what is cached, what survives a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import DataError, InputError, MetricError, RunError
from kshot.measure.scores import BankScores, score_bank
from kshot.measure.scores.cache import ScoreCache, ShotScore, score_key
from kshot.models.base import ChoiceScores, Reply, TokenLosses

TEMPLATE = Template(instruction="Capital?", reasoning="answer_first")
SHOTS = (
    Example("France", "Paris", reasoning="On the Seine."),
    Example("Peru", "Lima"),
    Example("Česko", "Praha 🏰", reasoning="Na Vltavě."),
)


class Scripted:
    """Knows some capitals; a token is a character and costs ``nats``, the end token costs 1."""

    def __init__(self, name, known, nats=0.5):
        self.id, self.known, self.nats, self.asked, self.limits = name, known, nats, [], []

    def generate(self, conversations, *, max_new_tokens=64, temperature=0.0, seed=0, stop=()):
        assert temperature == 0.0
        prompts = [conversation[-1].content for conversation in conversations]
        self.asked += prompts
        self.limits.append(max_new_tokens)
        return [Reply(self.known.get(prompt, "no idea")) for prompt in prompts]

    def token_losses(self, conversations, targets):
        found = []
        for target in targets:
            nats = np.array([self.nats] * len(target.text) + [1.0], dtype=np.float32)
            masks = [np.zeros(len(nats), dtype=bool) for _ in range(2)]
            for mask, span in zip(masks, (target.answer, target.reasoning), strict=True):
                if span:
                    mask[slice(*span)] = True
            found.append(TokenLosses(nats, *masks))
        return found

    def choice_scores(self, conversations, choices):
        self.asked += [conversation[-1].content for conversation in conversations]
        ones = np.ones(len(choices[0]), dtype=np.int64)
        likely = [
            np.array([-float(c != self.known.get("")) for c in row], dtype=np.float32) for row in choices
        ]
        return [ChoiceScores(row, ones, ones) for row in likely]


def knowing(*capitals, name="expert", nats=0.5):
    known = {shot.prompt: shot.answer for shot in SHOTS if shot.answer in capitals}
    return Scripted(name, known, nats)


def test_every_expert_on_every_shot():
    bank = [("smith", knowing("Paris", "Praha 🏰")), ("mason", knowing("Lima", name="m", nats=2.0))]
    scores = score_bank(bank, SHOTS, TEMPLATE, metric="exact_match")
    assert scores.experts == ("smith", "mason")
    assert scores.shot_ids == tuple(shot.id for shot in SHOTS)
    assert scores.right.tolist() == [[True, False, True], [False, True, False]]
    np.testing.assert_array_equal(scores.answer_loss, [[0.5] * 3, [2.0] * 3])
    np.testing.assert_array_equal(scores.reasoning_loss, [[0.5, np.nan, 0.5], [2.0, np.nan, 2.0]])
    np.testing.assert_allclose(scores.target_loss[:, 1], [(4 * 0.5 + 1) / 5, (4 * 2 + 1) / 5])
    one, other = scores.rows()
    assert (one["name"], one["right"], other["right"]) == ("smith", 2 / 3, 1 / 3)
    assert other["perplexity"] == pytest.approx(np.exp(scores.target_loss[1]).mean())
    assert one["reasoning_loss"] == 0.5


def test_an_empty_bank_has_no_rows():
    scores = score_bank([], SHOTS, TEMPLATE, metric="exact_match")
    assert scores.right.shape == (0, 3)
    assert scores.rows() == []


def test_nothing_to_measure_and_twice_the_same_name():
    with pytest.raises(DataError, match="no shots to score experts on"):
        score_bank([("a", knowing())], (), TEMPLATE, metric="exact_match")
    with pytest.raises(InputError, match="two experts are called 'a'"):
        score_bank([("a", knowing()), ("a", knowing())], SHOTS, TEMPLATE, metric="exact_match")
    with pytest.raises(DataError, match="has no answer"):
        score_bank([("a", knowing())], (Example("x", ""),), TEMPLATE, metric="exact_match")
    with pytest.raises(MetricError):
        score_bank([("a", knowing())], SHOTS, TEMPLATE, metric="no_such_metric")


def test_closed_answers_are_chosen_as_on_the_test():
    """Labels go by likelihood, and macro-F1, no mean of rows, gives right labels."""
    template = Template(kind="classification", labels=("joy", "anger"))
    shots = (Example("a", "joy"), Example("b", "anger"))
    scores = score_bank([("x", Scripted("x", {"": "anger"}))], shots, template, metric="macro_f1")
    assert scores.right.tolist() == [[False, True]]


def test_a_partly_right_row_is_not_right():
    shots = (Example("x", "one two three"),)
    scores = score_bank([("x", Scripted("x", {"x": "one two"}))], shots, TEMPLATE, metric="token_f1")
    assert scores.right.tolist() == [[False]]


def test_progress_is_told_before_each_expert():
    told = []
    bank = ((name, knowing(name=name)) for name in "ab")
    score_bank(bank, SHOTS, TEMPLATE, metric="exact_match", on_progress=lambda *facts: told.append(facts))
    assert told == [("a", 0, 2), ("b", 1, 2)]


@pytest.mark.parametrize(("given", "limit"), [({}, 64), ({"max_new_tokens": 7}, 7)])
def test_replies_are_as_long_as_on_the_test(given, limit):
    model = knowing("Paris")
    score_bank([("x", model)], SHOTS, TEMPLATE, metric="exact_match", **given)
    assert model.limits == [limit]


def test_an_option_that_is_none_is_refused():
    with pytest.raises(TypeError, match="cahce"):
        score_bank([("x", knowing())], SHOTS, TEMPLATE, metric="exact_match", cahce=None)


# -- the cache -------------------------------------------------------------------------------------


def asked(cache, *, name="m", shots=SHOTS, template=TEMPLATE, metric="exact_match", **limit):
    model = knowing("Paris", name=name)
    scores = score_bank([("x", model)], shots, template, metric=metric, cache=cache, **limit)
    return model.asked, scores


def same(one, other):
    return all(
        np.array_equal(getattr(one, n), getattr(other, n), equal_nan=n != "right")
        for n in ("right", "answer_loss", "reasoning_loss", "target_loss")
    ) and (one.experts, one.shot_ids) == (other.experts, other.shot_ids)


def test_an_added_expert_or_shot_costs_only_itself(tmp_path):
    cache = tmp_path / "new" / "scores.jsonl"
    first, scores = asked(cache, shots=SHOTS[:2])
    assert first == ["France", "Peru"]
    again, repeated = asked(cache, shots=SHOTS[:2])
    assert again == []
    assert same(scores, repeated)
    assert asked(cache)[0] == ["Česko"]
    assert asked(cache, shots=SHOTS[::-1])[0] == []
    assert asked(cache, name="other")[0] == ["France", "Peru", "Česko"]


def test_whatever_a_score_depends_on_makes_it_another(tmp_path):
    cache = tmp_path / "scores.jsonl"
    asked(cache)
    assert asked(cache, template=replace(TEMPLATE, instruction="Town?"))[0] != []
    assert asked(cache, metric="accuracy")[0] != []
    assert asked(cache, max_new_tokens=65)[0] == ["France", "Peru", "Česko"]
    assert asked(cache, max_new_tokens=65)[0] == asked(cache, max_new_tokens=64)[0] == []
    assert asked(cache, shots=[replace(shot, source="elsewhere") for shot in SHOTS])[0] == []
    assert asked(cache, shots=[replace(SHOTS[0], reasoning="Because.")])[0] == ["France"]
    key = score_key("m", SHOTS[0], TEMPLATE, how={"stop": []})
    assert key != score_key("m", SHOTS[0], TEMPLATE, how={"stop": ["\n"]})


@pytest.mark.parametrize(
    "tail",
    [
        b"{",
        b'{"key": "x"',
        b"\xff\xfe",
        b'{"key": 3, "right": true}\n',
        b"[]\n",
        b"null\n",
        b"\n\n",
        b"\0" * 50,
    ],
)
def test_a_torn_tail_is_passed_over_and_written_after(tmp_path, tail):
    cache = tmp_path / "scores.jsonl"
    _, whole = asked(cache)
    lines = cache.read_bytes().splitlines(keepends=True)
    cache.write_bytes(b"".join(lines[:2]) + tail)
    missing, scores = asked(cache)
    assert missing == ["Česko"]
    assert same(scores, whole)
    assert asked(cache)[0] == []


def test_every_cut_of_the_file_gives_the_same_scores(tmp_path):
    cache = tmp_path / "scores.jsonl"
    _, whole = asked(cache)
    data = cache.read_bytes()
    for cut in range(0, len(data), 7):
        cache.write_bytes(data[:cut])
        assert same(asked(cache)[1], whole)


def test_a_killed_process_loses_one_expert_at_most(tmp_path):
    """The second expert kills its process without a chance to clean up."""
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_bank_scores as t
class Deadly(t.Scripted):
    def generate(self, *args, **options):
        os.kill(os.getpid(), 9)
bank = [("a", t.knowing("Paris", name="a")), ("b", Deadly("b", {{}}))]
t.score_bank(bank, t.SHOTS, t.TEMPLATE, metric="exact_match", cache=Path({str(tmp_path / "c.jsonl")!r}))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    bank = [("a", knowing("Paris", name="a")), ("b", knowing("Lima", name="b"))]
    scores = score_bank(bank, SHOTS, TEMPLATE, metric="exact_match", cache=tmp_path / "c.jsonl")
    assert (bank[0][1].asked, bank[1][1].asked) == ([], ["France", "Peru", "Česko"])
    assert scores.right.tolist() == [[True, False, False], [False, True, False]]


def test_a_shot_that_stands_twice_is_asked_once():
    model = knowing("Paris")
    scores = score_bank([("x", model)], (SHOTS[0], SHOTS[1], SHOTS[0]), TEMPLATE, metric="exact_match")
    assert model.asked == ["France", "Peru"]
    assert scores.right.tolist() == [[True, False, True]]


def test_a_cache_that_cannot_be_used(tmp_path):
    with pytest.raises(RunError, match="cannot be read"):
        ScoreCache(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        ScoreCache(tmp_path / "file" / "inside").add({"k": ShotScore(True, 0.0, 0.0, 0.0)})


@given(st.lists(st.floats(width=64), min_size=3, max_size=3), st.booleans())
def test_the_cache_gives_back_every_float(tmp_path_factory, values, right):
    file = tmp_path_factory.mktemp("c") / "c.jsonl"
    ScoreCache(file).add({"k": ShotScore(right, *values)})
    found = ScoreCache(file)["k"]
    np.testing.assert_array_equal([found.answer, found.reasoning, found.target], values)
    assert found.right is right


# -- files -----------------------------------------------------------------------------------------


@given(st.integers(0, 3), st.integers(0, 3), st.data())
def test_what_is_saved_is_loaded_bit_by_bit(tmp_path_factory, experts, shots, data):
    file = tmp_path_factory.mktemp("s") / "scores.json"
    floats = st.lists(st.floats(width=64), min_size=experts * shots, max_size=experts * shots)
    losses = [np.array(data.draw(floats)).reshape(experts, shots) for _ in range(3)]
    names, ids = tuple(f"é{at}" for at in range(experts)), tuple(map(str, range(shots)))
    scores = BankScores(names, ids, losses[0] > 0, *losses)
    scores.save(file)
    assert same(BankScores.load(file), scores)
    json.dumps(scores.rows())
    assert [path.name for path in file.parent.iterdir()] == ["scores.json"]


def test_a_mean_that_overflows_is_infinite():
    huge = np.full((1, 2), 1e308)
    scores = BankScores(("a",), ("x", "y"), huge > 0, huge, huge, np.log(huge))
    assert scores.rows()[0]["answer_loss"] == scores.perplexity()[0] == np.inf


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', "\x00"])
def test_files_that_hold_no_scores(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DataError, match=r"s\.json: holds no bank scores .*score the bank anew"):
        BankScores.load(tmp_path / "s.json")
    with pytest.raises(DataError, match="holds no bank scores"):
        BankScores.load(tmp_path / "absent.json")


def test_another_format_and_shapes_that_do_not_agree(tmp_path):
    (tmp_path / "s.json").write_text('{"format": 9}')
    with pytest.raises(DataError, match="has format 9, expected 1"):
        BankScores.load(tmp_path / "s.json")
    ones = np.ones((1, 2))
    with pytest.raises(DataError, match=r"reasoning_loss is \(1, 1\), expected \(1, 2\)"):
        BankScores(("a",), ("x", "y"), ones > 0, ones, ones[:, :1], ones)
