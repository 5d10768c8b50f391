"""Rows to learn from and to stop by: each row in one place, masks exact, shares drawn by the seed."""

from __future__ import annotations

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.errors import ModelError
from kshot.models.hf.model import HfModel
from kshot.models.train import TrainRows, TrainSettings
from kshot.models.train.rows import IGNORED, collated, encoded_rows

TURNS, TARGETS = tiny.conversations(), tiny.targets()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return HfModel.load(tiny.save(tmp_path_factory.mktemp("base"), chat=tiny.CHATML), device="cpu")


def encoded(base):
    return [base.text.encode(c, t) for c, t in zip(TURNS, TARGETS, strict=True)]


def test_labels_are_exactly_the_tokens_of_the_targets(base):
    rows = encoded(base)
    batch = collated(rows)
    for i, row in enumerate(rows):
        learned = [t for t in batch["labels"][i].tolist() if t != IGNORED]
        assert learned == list(row.ids[row.start :])
        assert learned[-1] == base.text.end_id
        assert batch["input_ids"][i][batch["attention_mask"][i] == 1].tolist() == list(row.ids)
        assert (batch["labels"][i][: row.start] == IGNORED).all()


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0, 0.999), seed=st.integers(0, 99), most=st.integers(20, 200))
def test_every_row_is_learned_or_held_or_too_long(base, share, seed, most):
    rows = encoded(base)
    fits = [row for row in rows if len(row.ids) <= most]
    asked = TrainSettings(held_back=share, seed=seed, max_tokens=most)
    if not fits:
        with pytest.raises(ModelError, match="nothing to train on"):
            encoded_rows(base, TrainRows(TURNS, TARGETS), asked)
        return
    found = encoded_rows(base, TrainRows(TURNS, TARGETS), asked)
    assert found.learned
    assert len(found.held) == int(share * len(fits)) == len(found.kept_aside)
    assert [rows[number] for number in found.kept_aside] == list(found.held)
    out = {*found.kept_aside, *found.too_long}
    assert list(found.learned) == [row for number, row in enumerate(rows) if number not in out]
    assert [rows[n] for n in found.too_long] == [row for row in rows if len(row.ids) > most]


def test_the_share_is_drawn_by_the_seed(base):
    def aside(seed):
        asked = TrainSettings(held_back=0.4, seed=seed)
        return encoded_rows(base, TrainRows(TURNS, TARGETS), asked).kept_aside

    assert aside(3) == aside(3)
    assert len({aside(seed) for seed in range(10)}) > 3


def test_given_held_rows_stand_in_for_a_share(base):
    rows = TrainRows(TURNS[:3], TARGETS[:3], TURNS[3:], TARGETS[3:])
    found = encoded_rows(base, rows, TrainSettings(held_back=0.5))
    assert (len(found.learned), len(found.held), found.kept_aside) == (3, 2, ())


class TestRefusals:
    def test_lists_of_different_length(self):
        with pytest.raises(ModelError, match="5 conversations but 4 targets"):
            TrainRows(TURNS, TARGETS[:4])
        with pytest.raises(ModelError, match="1 held conversations but 0 held targets"):
            TrainRows(TURNS, TARGETS, TURNS[:1])

    def test_held_rows_that_are_all_too_long(self, base):
        long = [Example("word " * 40, "x")]
        rows = TrainRows(TURNS[:1], TARGETS[:1], tiny.conversations(long), tiny.targets(long))
        with pytest.raises(ModelError, match="nothing to stop by: all 1 held-back rows have more than 100"):
            encoded_rows(base, rows, TrainSettings(max_tokens=100))
