"""Which rows stay in a batch of several experts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kshot.models.hf.group.decode import _kept


@given(st.integers(1, 4), st.integers(1, 5), st.data())
def test_all_that_go_on_are_kept_and_every_expert_keeps_as_many(experts, rows, data):
    cells = [(e, i) for e in range(experts) for i in range(rows)]
    alive = data.draw(st.lists(st.booleans(), min_size=len(cells), max_size=len(cells)))
    kept = _kept(cells, alive)
    assert {at for at, goes_on in enumerate(alive) if goes_on} <= set(kept)
    assert kept == sorted(set(kept))
    counts = [sum(cells[at][0] == e for at in kept) for e in range(experts)]
    live = [sum(alive[at] for at in range(len(cells)) if cells[at][0] == e) for e in range(experts)]
    assert counts == [max(live) if count else 0 for count in live]
