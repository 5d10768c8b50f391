"""Packing rows into batches, and halving a batch that does not fit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import ModelError
from kshot.models.hf.batches import packed, run_batches

LENGTHS = st.lists(st.integers(1, 30), max_size=25)


@given(lengths=LENGTHS, batch_tokens=st.integers(1, 100))
def test_every_row_is_in_one_batch_and_batches_keep_the_limit(lengths, batch_tokens):
    batches = packed(lengths, batch_tokens=batch_tokens)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= batch_tokens
    flat = [lengths[row] for batch in batches for row in batch]
    assert flat == sorted(lengths, reverse=True)


@given(lengths=LENGTHS, batch_tokens=st.integers(1, 100), fits=st.integers(1, 5))
def test_results_come_in_order_however_often_memory_runs_out(lengths, batch_tokens, fits):
    seen = []

    def run(rows):
        if len(rows) > fits:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        seen.extend(rows)
        return [row * 10 for row in rows]

    found = run_batches(lengths, run, batch_tokens=batch_tokens, what="m")
    assert found == [row * 10 for row in range(len(lengths))]
    assert sorted(seen) == list(range(len(lengths)))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("whatever"[:0] + "CUDA out of memory"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_one_row_that_does_not_fit_is_named_with_its_size(error):
    def run(rows):
        if 1 in rows:
            raise error
        return rows

    with pytest.raises(ModelError, match=r"tiny: row 1 with 7 tokens does not fit into memory even alone"):
        run_batches([3, 7, 3], run, batch_tokens=100, what="tiny")


def test_other_errors_pass():
    def run(rows):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        run_batches([1, 1], run, batch_tokens=10, what="m")
