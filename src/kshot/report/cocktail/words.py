"""The words of mixes, explained plainly, for the tips and the last section of the page."""

from __future__ import annotations

TERMS: dict[str, tuple[str, str]] = {
    "mix": (
        "mix",
        "One model whose every weight is a weighted mean of the members' weights. It costs no more to run "
        "than one of them.",
    ),
    "mixweight": (
        "weight of a member",
        "How much of it is in the mix: the softmax of the negative losses on the shots, divided by the "
        "temperature. A high temperature makes all weights alike.",
    ),
    "mixinterval": (
        "interval of a weight",
        "The shots are a draw. Drawn again and again from themselves (bootstrap), the weight lies between "
        "these bounds in 95 of 100 draws. Few shots make it too narrow.",
    ),
    "crossfit": (
        "cross-fit loss",
        "Weights are found without some shots, and the mix is judged on those. It is still a selection "
        "figure: the best of many is chosen by it.",
    ),
    "uniformsoup": ("uniform soup", "The same members with equal weights: what weighing has to beat."),
}
