"""One rounding, seen against exact fractions."""

from fractions import Fraction

import pytest
import torch

from kshot.models.checkpoint.rounding import round_into, torch_dtype


def nearest(value: float, dtype: torch.dtype) -> float:
    """The neighbour of ``dtype`` that is nearest to a double, the even one of two."""
    start = torch.tensor([value], dtype=torch.float64).to(dtype)
    bits = start.view(torch.int16).item()
    around = torch.tensor([bits + step for step in (-1, 0, 1)], dtype=torch.int16).view(dtype)
    exact = [
        (abs(Fraction(float(one)) - Fraction(value)), int(b) & 1, float(one))
        for one, b in zip(around, around.view(torch.int16), strict=True)
    ]
    return min(exact)[2]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_doubles_are_rounded_once(dtype):
    torch.manual_seed(0)
    # near half-way points, where a rounding by way of float32 goes wrong
    coarse = torch.randn(300).to(dtype).double()
    step = (coarse.abs() * 2 ** (-8 if dtype == torch.bfloat16 else -11)).log2().floor().exp2()
    values = torch.cat([coarse + step * (1 + sign * 2.0**-40) for sign in (-1, 0, 1)])
    values = torch.cat([values, torch.randn(300, dtype=torch.float64), -values[:50]])
    found = round_into(values.clone(), torch.empty(values.shape, dtype=dtype))
    assert found.double().tolist() == [nearest(value, dtype) for value in values.tolist()]
    assert (values.to(dtype) != found).any()  # torch alone rounds twice


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_below_the_smallest_normal_number_there_are_fewer_bits(dtype):
    torch.manual_seed(0)
    least = torch.finfo(dtype).smallest_normal
    step = least * torch.finfo(dtype).eps
    size = step + 2 * least * torch.rand(300, dtype=torch.float64)
    values = torch.cat([size, step * (torch.arange(1, 40) + 0.5).double()])
    found = round_into(values.clone(), torch.empty(values.shape, dtype=dtype))
    assert found.double().tolist() == [nearest(value, dtype) for value in values.tolist()]
    assert torch.equal(round_into(-values, torch.empty(values.shape, dtype=dtype)), -found)


def test_the_ends():
    values = torch.tensor([1e-60, -1e-60, 0.0, 3.0], dtype=torch.float64)
    assert round_into(values, torch.empty(4, dtype=torch.bfloat16)).tolist() == [0.0, 0.0, 0.0, 3.0]
    huge = torch.tensor([1e300, 1e39, float("inf"), float("nan"), -1e39], dtype=torch.float64)
    assert not round_into(huge, torch.empty(5, dtype=torch.bfloat16)).isfinite().any()


def test_the_rest_is_left_to_torch():
    single = torch.tensor([1.0039062500000002], dtype=torch.float64)
    assert round_into(single, torch.empty(1)).item() == 1.00390625
    assert torch_dtype("BF16") == torch.bfloat16
