"""The operations as their papers write them, slowly, on whole float64 arrays; the base stands first."""

from __future__ import annotations

import math

import numpy as np

from kshot.models.checkpoint.operations.dare import drawn


def linear(values, weights):
    return sum(w * v for w, v in zip(weights, values, strict=True))


def task_arithmetic(values, weights, scale=1.0):
    return values[0] + scale * sum(w * (v - values[0]) for w, v in zip(weights, values, strict=True))


def slerp(values, weights):
    a, b = values
    angle = np.arccos(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b))
    return (np.sin(weights[0] * angle) * a + np.sin(weights[1] * angle) * b) / np.sin(angle)


def trimmed(delta, density):
    """The largest stay, with all that share the last one's exponent and 12 bits of fraction."""
    last = np.sort(np.abs(delta))[::-1][max(1, int(density * delta.size)) - 1]
    fraction, exponent = math.frexp(last)
    edge = math.ldexp(math.floor(fraction * 2**13) / 2**13, exponent)
    return np.where(np.abs(delta) >= edge, delta, 0.0)


def ties(values, weights, density, scale=1.0):
    deltas = np.stack([trimmed(v - values[0], density) for v in values[1:]])
    weights = np.array(weights[1:])[:, None]
    sign = np.sign((weights * deltas).sum(0))
    agree = (np.sign(deltas) == sign) & (sign != 0)
    share = (weights * agree).sum(0)
    mean = (weights * agree * deltas).sum(0) / np.where(share, share, 1)
    return values[0] + scale * mean


def dare(values, weights, density, *, scale=1.0, seed=0, name="layer.weight"):
    whole = values[0].copy()
    for at in range(1, len(values)):
        stream = (at, ".", name)
        kept = drawn(len(whole), 0, density=density, seed=seed, stream=stream)
        whole += scale * weights[at] * kept * (values[at] - values[0]) / density
    return whole
