"""What reaches layers: each row's own tokens, whatever the batch, and no hook is left behind."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch

from kshot.errors import ModelError
from kshot.methods.moe.watch import token_ids, watched

TURNS, TARGETS = tiny.conversations(), tiny.targets()
NAME = "model.layers.1.self_attn.q_proj"


def inputs(loaded, rows):
    layer = loaded.model.get_submodule(NAME)
    return [found[NAME] for found in watched(loaded, rows, {NAME: layer}, lambda _, x: x)]


@pytest.mark.parametrize("batch_tokens", [1, 8192])
def test_every_row_is_seen_by_itself(batch_tokens):
    loaded = tiny.loaded(batch_tokens=batch_tokens)
    rows = token_ids(loaded, TURNS, TARGETS)
    for row, found in zip(rows, inputs(loaded, rows), strict=True):
        assert found.shape == (len(row), 32)
        (alone,) = inputs(loaded, [row])
        np.testing.assert_allclose(found, alone, atol=1e-5)


def test_no_hook_is_left_even_after_an_error():
    loaded = tiny.loaded()
    layer = loaded.model.get_submodule(NAME)
    inputs(loaded, [(5, 6)])
    with pytest.raises(ZeroDivisionError):
        watched(loaded, [(5, 6)], {NAME: layer}, lambda *_: 1 / 0)
    assert not layer._forward_pre_hooks


def test_a_layer_that_no_token_reaches_is_named():
    loaded = tiny.loaded()
    with pytest.raises(ModelError, match="layer apart is not reached"):
        watched(loaded, [(5, 6)], {"apart": torch.nn.Linear(2, 2)}, lambda _, x: x)


def test_tokens_are_those_of_training_and_scoring():
    loaded = tiny.loaded()
    assert token_ids(loaded, TURNS, TARGETS) == [
        loaded.text.encode(c, t).ids for c, t in zip(TURNS, TARGETS, strict=True)
    ]
    assert token_ids(loaded, TURNS) == [tuple(loaded.text.encode_prompt(c)) for c in TURNS]
