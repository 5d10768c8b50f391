"""Loops over bfloat16 numbers for numba to compile; importing this module compiles or loads them.

Products and sums are double and rounded one after the other, as the torch path does it; numba joins them into
one rounding only where it is told to, and it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

_EXPONENT = 0x7FF0_0000_0000_0000  # of a double
_LEAST = int(
    np.float64(2.0**-126).view(np.int64)
)  # the smallest normal number of bfloat16, as a double's bits
_LIFT = 1.5 * 2.0**45  # see ``rounding.round_into``


def _compiled(function: Callable[..., Any]) -> Any:
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder that it could keep compiled loops in
        return njit(nogil=True)(function)


def _widened(raw: Any, out: Any) -> None:
    """Bits of bfloat16 numbers to those of float32."""
    for at in range(raw.size):
        out[at] = np.uint32(raw[at]) << np.uint32(16)


def _first(values: Any, weight: float, sums: Any) -> None:
    for at in range(values.size):
        sums[at] = weight * np.float64(values[at])


def _next(values: Any, weight: float, sums: Any) -> None:
    for at in range(values.size):
        sums[at] += weight * np.float64(values[at])


def _powers(bits: Any, out: Any) -> None:
    """Bits of 2^exponent of each double, of the smallest normal bfloat16 number at least."""
    for at in range(bits.size):
        power = bits[at] & _EXPONENT
        out[at] = power if power > _LEAST else _LEAST


def _rounded(sums: Any, powers: Any, out: Any) -> None:
    """Doubles to float32 numbers that have the bits of bfloat16 alone."""
    for at in range(sums.size):
        lift = powers[at] * _LIFT
        out[at] = np.float32((sums[at] + lift) - lift)


def _narrowed(bits: Any, out: Any) -> Any:
    """Bits of float32 to those of bfloat16; whether one is not finite."""
    lost = np.uint32(0)
    for at in range(bits.size):
        half = bits[at] >> np.uint32(16)
        out[at] = np.uint16(half)
        lost |= np.uint32(1) if (half & np.uint32(0x7F80)) == np.uint32(0x7F80) else np.uint32(0)
    return lost


_widen, _begin, _add = _compiled(_widened), _compiled(_first), _compiled(_next)
_lift, _round, _narrow = _compiled(_powers), _compiled(_rounded), _compiled(_narrowed)


def _mixed(stored: Any, weights: Any, room: Any, out: Any) -> Any:
    """(n,) bits of the weighted sum of (N, n) bits, block by block; whether a value is not finite.

    ``room`` holds, for one block: bits and values of float32 (one memory), sums and their bits (one memory),
    powers as bits and values (one memory), rounded values and their bits (one memory).
    """
    wide, values, sums, bits, power_bits, power_values, near, near_bits = room
    lost, size = np.uint32(0), wide.size
    for at in range(0, out.size, size):
        count = min(size, out.size - at)
        for member in range(weights.size):
            _widen(stored[member, at : at + count], wide[:count])
            if member == 0:
                _begin(values[:count], weights[member], sums[:count])
            else:
                _add(values[:count], weights[member], sums[:count])
        _lift(bits[:count], power_bits[:count])
        _round(sums[:count], power_values[:count], near[:count])
        lost |= _narrow(near_bits[:count], out[at : at + count])
    return lost


mixed = _compiled(_mixed)
