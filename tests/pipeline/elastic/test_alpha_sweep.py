"""The sweep: the table that each alpha alone gives, the choice by it, and what its reader is told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kshot import miniature
from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.template import Template
from kshot.errors import InputError, MetricError
from kshot.methods.cocktail import recommend_alpha
from kshot.models.hf.model import HfModel
from kshot.pipeline.elastic.alpha_sweep import ALPHAS, SweepRows, alpha_sweep
from kshot.pipeline.elastic.between import models_between
from kshot.pipeline.elastic.row_values import check_row_metric, is_better_high, judged, own_words

SMITH = miniature.bank_folder() / "smith-lora"
TRADE, REPEAT = Template(instruction="translate the trade words"), Template(instruction="repeat the words")


@pytest.fixture(scope="module")
def base():
    return HfModel.load(miniature.base_folder(), device="cpu")


@pytest.fixture(scope="module")
def rows():
    tasks = miniature.data_folder() / "tasks"
    smith = set(miniature.truth().trades["smith"])
    target = [
        row for row in read_examples(tasks / "mixed/shots.jsonl").examples if {*row.prompt.split()} <= smith
    ]
    general = read_examples(tasks / "echo/shots.jsonl").examples
    return SweepRows(target[:12], general[:6], TRADE, REPEAT)


@pytest.fixture(scope="module")
def sweep(base, rows):
    seen = []
    found = alpha_sweep(base, SMITH, rows, alphas=(0, 0.5, 1), on_point=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    return found


def test_every_alpha_is_judged_as_if_alone(base, rows, sweep):
    with models_between(base, SMITH) as at:
        for place, alpha in enumerate((0, 0.5, 1)):
            alone = judged(at(alpha), rows.target, TRADE, metric="exact_match")
            np.testing.assert_array_equal(sweep.target[place], alone.values)
            np.testing.assert_array_equal(sweep.target_losses[place], alone.losses)
            other = judged(at(alpha), rows.general, REPEAT, metric="exact_match")
            np.testing.assert_array_equal(sweep.general[place], other.values)
    assert sweep.target[0].mean() == 0  # the base knows no trade
    assert sweep.target[2].mean() > 0.5
    assert sweep.general[0].mean() == 1


def test_the_choice_is_the_methods(sweep):
    choice = recommend_alpha((0, 0.5, 1), sweep.target, sweep.general, higher_is_better=True)
    assert (sweep.choice.alpha, sweep.choice.reason) == (choice.alpha, choice.reason)
    told = json.loads(json.dumps(sweep.to_json()))
    assert told["chosen"] == choice.alpha
    assert [row["alpha"] for row in told["rows"]] == told["alphas"] == [0, 0.5, 1]
    assert told["target"]["n"] == 12
    assert told["target"]["mean"] == sweep.target.mean(axis=1).tolist()
    assert told["selection"] is True
    assert told["higher_is_better"] is True
    assert told["rows"][2]["target_loss"] == pytest.approx(sweep.target_losses[2].mean())
    assert any("only 12 target rows" in note for note in sweep.notes)


def test_by_loss_less_is_better(base, rows, sweep):
    found = alpha_sweep(base, SMITH, rows, alphas=(0, 0.5, 1), metric="loss")
    np.testing.assert_array_equal(found.target, sweep.target_losses)
    np.testing.assert_array_equal(found.general, sweep.general_losses)
    assert found.choice.higher_is_better is False
    assert found.to_json()["higher_is_better"] is False


def test_a_value_that_never_moves_is_told(base, rows):
    silly = [Example(row.prompt, "nothing like it") for row in rows.general]
    found = alpha_sweep(base, SMITH, SweepRows(rows.target, silly, TRADE), alphas=(0, 1))
    assert any("the general value is 0 at every alpha" in note for note in found.notes)


def test_what_cannot_be_swept_is_refused(base, rows):
    with pytest.raises(InputError, match="no general rows"):
        SweepRows(rows.target, [], TRADE)
    with pytest.raises(InputError, match="macro_f1 gives no number for each row"):
        alpha_sweep(base, SMITH, rows, metric="macro_f1")
    with pytest.raises(MetricError, match="did you mean 'exact_match'"):
        alpha_sweep(base, SMITH, rows, metric="exact_mach")


def test_the_grid_has_both_ends():
    assert ALPHAS[0] == 0
    assert ALPHAS[-1] == 1
    assert len(ALPHAS) == 11


def test_row_metrics():
    for metric in ("loss", "exact_match", "number", "rouge_l"):
        check_row_metric(metric)
    for metric in ("macro_f1", "pass_at_1", "tweeteval:irony"):
        with pytest.raises(InputError, match="no number for each row"):
            check_row_metric(metric)
    assert is_better_high("exact_match")
    assert not is_better_high("loss")
    assert own_words([Example("q", "a", choices=("a", "b"))]).kind == "choice"


def test_replies_have_room_for_the_longest_answer(base):
    """An answer of more tokens than the usual limit can still be right."""
    long = Example("x", " ".join(["chair"] * 80))

    class Repeating:
        id = "repeating"

        def token_losses(self, conversations, targets):
            return base.token_losses(conversations, targets)

        def choice_scores(self, conversations, choices):
            raise NotImplementedError

        def generate(self, conversations, *, max_new_tokens=64, temperature=0.0, seed=0, stop=()):
            from kshot.models.base import Reply

            return [Reply(" ".join(["chair"] * min(80, max_new_tokens)))] * len(conversations)

    assert judged(Repeating(), [long], TRADE, metric="exact_match").values.tolist() == [1.0]
