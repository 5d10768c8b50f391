"""All pairs of a bank at once: equal to the pairwise algebra, read from disk module by module."""

import itertools

import numpy as np
import pytest
from small_bank import random_adapter, tensors, write_adapter

from kshot.errors import AdapterError, InputError
from kshot.models.bank import likeness
from kshot.models.bank.likeness import similarity_matrix
from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.delta import LoraDelta, ab_cosines


def turned(pair):
    """The specification's D6: A 2 x 2 turned by 90 degrees, B so that the delta stays."""
    one = LoraDelta(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]), 1.0)
    other = LoraDelta(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([[-2.0, 1.0], [-4.0, 3.0]]), 1.0)
    return [LoraAdapter("one", {"q": one}), LoraAdapter("other", {"q": other})][:pair]


def test_the_example_of_the_specification():
    pair = turned(2)
    assert pair[0].inner(pair[1]) == pytest.approx(30)
    expected = {"delta": 1.0, "ab_signed": 0.0, "ab_abs": 0.0}
    for kind, value in expected.items():
        assert np.allclose(similarity_matrix(pair, kind=kind), [[1, value], [value, 1]], atol=1e-12)


@pytest.fixture
def mixed():
    """Other ranks and modules, a zero adapter, a copy, one with nothing in common."""
    adapters = [random_adapter(seed) for seed in range(3)]
    adapters.append(random_adapter(3, ranks=(4, 3)))
    adapters.append(random_adapter(4, ranks=(2,), modules=("a",)))
    zero = {n: LoraDelta(d.a, np.zeros_like(d.b), d.scaling) for n, d in adapters[0].modules.items()}
    adapters.append(LoraAdapter("zero", zero))
    adapters.append(adapters[1])
    adapters.append(random_adapter(6, ranks=(2,), modules=("c",)))
    return adapters


def test_every_pair_is_the_pairwise_cosine(mixed):
    found = {kind: similarity_matrix(mixed, kind=kind) for kind in likeness.KINDS}
    for (i, one), (j, other) in itertools.combinations(enumerate(mixed), 2):
        signed = ab_cosines(one.modules, other.modules, signed=True)
        absolute = ab_cosines(one.modules, other.modules, signed=False)
        expected = {
            "delta": one.cosine(other),
            "ab_signed": signed.mean() if len(signed) else 0.0,
            "ab_abs": absolute.sum() / 6,  # A and B of the modules a, b and c
        }
        for kind, value in expected.items():
            assert found[kind][i, j] == pytest.approx(value, abs=1e-12), (kind, i, j)
            assert found[kind][i, j] == found[kind][j, i]
    for table in found.values():
        assert np.array_equal(np.diag(table), np.ones(len(mixed)))


def test_folders_give_what_adapters_in_memory_give(tmp_path):
    folders = [write_adapter(tmp_path / f"e{seed}", tensors(seed=seed)) for seed in range(3)]
    folders.append(write_adapter(tmp_path / "wide", tensors(seed=9, rank=3), r=3))
    held = [LoraAdapter.load(folder) for folder in folders]
    for kind in likeness.KINDS:
        assert np.array_equal(similarity_matrix(folders, kind=kind), similarity_matrix(held, kind=kind))


def test_one_module_of_all_is_read_at_a_time(tmp_path, monkeypatch):
    folders = [write_adapter(tmp_path / f"e{seed}", tensors(seed=seed)) for seed in range(3)]
    order = []
    reading = likeness._read

    def noted(adapter, module):
        order.append((module, adapter.name))
        return reading(adapter, module)

    monkeypatch.setattr(likeness, "_read", noted)
    similarity_matrix(folders)
    assert order == sorted(order)
    assert len(order) == 3 * 4


def test_the_order_of_adapters_moves_rows_alone(mixed):
    order = np.random.default_rng(0).permutation(len(mixed))
    for kind in likeness.KINDS:
        table = similarity_matrix(mixed, kind=kind)
        assert np.allclose(
            similarity_matrix([mixed[at] for at in order], kind=kind), table[np.ix_(order, order)]
        )


def test_no_adapter_and_one():
    assert similarity_matrix([]).shape == (0, 0)
    assert similarity_matrix(turned(1), kind="ab_abs").tolist() == [[1.0]]


def test_what_cannot_be_compared_is_refused(tmp_path):
    with pytest.raises(InputError, match="similarity 'cosine' does not exist; expected one of delta"):
        similarity_matrix([], kind="cosine")
    with pytest.raises(AdapterError, match="different base models"):
        similarity_matrix([random_adapter(0), random_adapter(1, shape=(6, 4))])
    broken = {name: np.full_like(value, np.nan) for name, value in tensors().items()}
    folder = write_adapter(tmp_path / "broken", broken)
    with pytest.raises(AdapterError, match=r"broken: .* holds NaN or infinity"):
        similarity_matrix([folder])
    with pytest.raises(AdapterError, match="no such folder"):
        similarity_matrix([tmp_path / "absent"])
