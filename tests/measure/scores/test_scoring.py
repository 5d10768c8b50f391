"""Experts of one base asked together: the same scores, the same cache, the same refusals."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.data.template import Template
from kshot.errors import AdapterError, DataError, InputError
from kshot.measure.scores import BankScores, score_bank
from kshot.measure.scores import scoring as scoring_module
from kshot.measure.scores.cache import ScoreCache
from kshot.miniature import bank_folder, base_folder, task_file
from kshot.models.hf import HfModel
from kshot.models.hf.group import ExpertGroup, StoredExpert

sys.path.insert(0, str(Path(__file__).parent))
from test_bank_scores import knowing, same

DORA = "potter-trade"  # no sum of s B A, so PEFT alone can ask it
NAMES = ("smith-lora", "smith-pro", "dyer-lora", "fletcher-lora", "mason-lora", "quarry-words", DORA)


@pytest.fixture(scope="module")
def base():
    return HfModel.load(base_folder(), device="cpu")


@pytest.fixture(scope="module")
def task():
    return Task.load(task_file("mixed"))


@pytest.fixture(scope="module")
def alone(base, task):
    return score(base, task, group_size=1)


def score(base, task, names=NAMES, shots=None, template=None, **running):
    experts = [(name, StoredExpert(base, bank_folder() / name)) for name in names]
    shots = task.shots[:8] if shots is None else shots
    limit = {"metric": task.metric, "max_new_tokens": 12}
    return score_bank(experts, shots, template or task.template, **limit, **running)


def check_same(one, other):
    assert (one.experts, one.shot_ids) == (other.experts, other.shot_ids)
    np.testing.assert_array_equal(one.right, other.right)
    for name in ("answer_loss", "reasoning_loss", "target_loss"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5, atol=1e-5)


@pytest.fixture
def asked(monkeypatch):
    """The groups that are asked, by names and number of rows."""
    found = []
    ask = ExpertGroup.ask

    def noted(self, conversations, **questions):
        found.append((self.names, len(conversations), sorted(questions)))
        return ask(self, conversations, **questions)

    monkeypatch.setattr(ExpertGroup, "ask", noted)
    return found


@pytest.mark.parametrize("size", [2, 4, 32])
def test_groups_of_any_size_score_as_each_expert_alone(base, task, alone, asked, size):
    scores = score(base, task, group_size=size)
    check_same(scores, alone)
    assert scores.right.any()
    assert not scores.right.all()
    assert [len(names) for names, _, _ in asked] == [min(size, 6 - at) for at in range(0, 6, size)]
    assert not any(DORA in names for names, _, _ in asked)
    assert {(rows, tuple(questions)) for _, rows, questions in asked} == {(8, ("decoding", "targets"))}


def test_the_order_of_the_experts_only_orders_the_rows(base, task, alone):
    order = [4, 0, 6, 2, 5, 1, 3]
    scores = score(base, task, [NAMES[at] for at in order])
    np.testing.assert_array_equal(scores.right, alone.right[order])
    np.testing.assert_allclose(scores.target_loss, alone.target_loss[order], rtol=1e-5, atol=1e-5)


def test_labels_are_chosen_in_the_same_pass(base, task, asked):
    labels = task.shots[0].answer, task.shots[1].answer
    shots = [Example(shot.prompt, labels[at % 2]) for at, shot in enumerate(task.shots[:6])]
    template = Template(instruction=task.template.instruction, kind="classification", labels=labels)
    one = score(base, task, NAMES[:4], shots, template, group_size=1)
    assert len({tuple(row) for row in one.right.tolist()}) > 1
    check_same(score(base, task, NAMES[:4], shots, template), one)
    assert asked == [(NAMES[:4], 6, ["choices", "targets"])]


def test_a_bank_of_all_kinds_is_scored_in_its_own_order(base, task, alone):
    """A plain model, one that PEFT holds and stored ones; told in the order in which they are asked."""
    told = []
    experts = [
        ("script", knowing(name="script")),
        *((name, StoredExpert(base, bank_folder() / name)) for name in NAMES[:2]),
        ("dyer-lora", base.adapted(bank_folder() / "dyer-lora")),
    ]
    scores = score_bank(
        experts, task.shots[:8], task.template, metric=task.metric, max_new_tokens=12, group_size=2,
        on_progress=lambda *facts: told.append(facts),
    )  # fmt: skip
    assert scores.experts == ("script", *NAMES[:3])
    np.testing.assert_array_equal(scores.right[1:], alone.right[:3])
    assert told == [(name, at, 4) for at, name in enumerate(("script", *NAMES[:3]))]


# -- the cache -------------------------------------------------------------------------------------


def test_an_expert_or_row_that_is_known_is_not_asked_again(base, task, asked, tmp_path):
    cache = tmp_path / "scores.jsonl"
    first = score(base, task, NAMES[:3], task.shots[:5], cache=cache)
    asked.clear()
    assert same(score(base, task, NAMES[:3], task.shots[:5], cache=cache), first)
    assert asked == []
    wider = score(base, task, NAMES[:5], task.shots[:6], cache=cache)
    assert [(names, rows) for names, rows, _ in asked] == [(NAMES[:3], 1), (NAMES[3:5], 6)]
    np.testing.assert_array_equal(wider.target_loss[:3, :5], first.target_loss)


def test_one_by_one_and_in_groups_share_a_cache(base, task, asked, tmp_path):
    cache = tmp_path / "scores.jsonl"
    one = score(base, task, NAMES[:2], cache=cache, group_size=1)
    assert same(score(base, task, NAMES[:2], cache=cache), one)
    assert asked == []


def test_the_same_adapter_under_two_names_is_asked_once(base, task, asked):
    folder = bank_folder() / NAMES[0]
    experts = [("a", StoredExpert(base, folder)), ("b", StoredExpert(base, folder))]
    shots = (*task.shots[:2], task.shots[0])
    scores = score_bank(experts, shots, task.template, metric=task.metric)
    assert [(names, rows) for names, rows, _ in asked] == [((NAMES[0],), 2)]
    np.testing.assert_array_equal(scores.target_loss[0], scores.target_loss[1])
    assert scores.target_loss[0, 0] == scores.target_loss[0, 2]


def test_a_kill_in_the_middle_loses_one_group_at_most(base, task, monkeypatch, tmp_path):
    cache, ask = tmp_path / "scores.jsonl", ExpertGroup.ask

    def deadly(self, *args, **questions):
        if NAMES[2] in self.names:
            raise KeyboardInterrupt
        return ask(self, *args, **questions)

    monkeypatch.setattr(ExpertGroup, "ask", deadly)
    with pytest.raises(KeyboardInterrupt):
        score(base, task, NAMES[:4], task.shots[:3], cache=cache, group_size=2)
    assert len(cache.read_text().splitlines()) == 2 * 3
    assert ScoreCache(cache)
    monkeypatch.setattr(ExpertGroup, "ask", ask)
    check_same(
        score(base, task, NAMES[:4], task.shots[:3], cache=cache),
        score(base, task, NAMES[:4], task.shots[:3], group_size=1),
    )


# -- what is refused -------------------------------------------------------------------------------


def test_an_adapter_that_does_not_fit_is_named_before_the_long_work(base, task, asked, tmp_path):
    copy = shutil.copytree(bank_folder() / NAMES[0], tmp_path / "broken")
    text = (copy / "adapter_config.json").read_text().replace('"r": 16', '"r": 4')
    (copy / "adapter_config.json").write_text(text)
    experts = [(name, StoredExpert(base, bank_folder() / name)) for name in NAMES[:2]]
    experts.append(("broken", StoredExpert(base, copy)))
    with pytest.raises(AdapterError, match="broken"):
        score_bank(experts, task.shots[:2], task.template, metric=task.metric)
    assert asked == []


@pytest.mark.parametrize("size", [0, -3])
def test_a_group_of_nobody(base, task, size):
    with pytest.raises(InputError, match=f"group_size is {size}, expected 1 or more"):
        score(base, task, group_size=size)


def test_a_row_without_answer_is_refused_before_anybody_is_asked(base, task, asked):
    with pytest.raises(DataError, match="has no answer"):
        score(base, task, shots=[Example("x", "")])
    assert asked == []


def test_an_empty_bank_and_one_whose_scores_are_known_open_no_group(base, task, monkeypatch):
    monkeypatch.setattr(scoring_module, "together", None)
    assert score(base, task, ()).right.shape == (0, 8)


# -- what methods read -----------------------------------------------------------------------------


def test_perplexity_is_the_mean_over_shots_of_exp_of_the_mean_loss():
    """Token log-probabilities -.1, -2.3, -.5 give 2.629166."""
    loss = np.array([[(0.1 + 2.3 + 0.5) / 3, np.log(4.0)], [1e4, 0.0]])
    scores = BankScores(("a", "b"), ("x", "y"), np.array([[True, False], [True, True]]), loss, loss, loss)
    np.testing.assert_allclose(scores.perplexity(), [(2.629166 + 4) / 2, np.inf], atol=1e-6)
    assert scores.accuracy().tolist() == [0.5, 1.0]
    none = np.zeros((1, 0))
    empty = BankScores(("a",), (), none > 0, none, none, none)
    assert np.isnan([empty.perplexity()[0], empty.accuracy()[0]]).all()
