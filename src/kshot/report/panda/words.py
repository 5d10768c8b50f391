"""The words of PANDA, explained plainly, for the tips and the last section of the page."""

from __future__ import annotations

TERMS: dict[str, tuple[str, str]] = {
    "insight": (
        "insight",
        "A few sentences in which the LLM says why an expert prefers one answer to another for one text. It "
        "is learned once, kept in a pool, and shown for texts like it.",
    ),
    "interval": (
        "95 % interval",
        "The items are a draw. Values outside this range would be a surprise if the system were judged on "
        "other items of the same kind.",
    ),
    "difference": (
        "paired difference",
        "Both systems answered the same items, and the difference is taken item by item. An interval that "
        "holds 0 shows no difference.",
    ),
    "holm": (
        "p (Holm)",
        "How often a difference this large would arise by chance alone, raised for the number of comparisons "
        "that were made.",
    ),
    "smallest": (
        "could have shown",
        "The smallest true difference that this number of items finds four times in five. Smaller ones may "
        "be there and stay unseen.",
    ),
    "shuffled": (
        "shuffled",
        "Each record keeps its text and label and gets the explanation of another record.",
    ),
    "irrelevant": (
        "irrelevant",
        "The least similar records instead of the nearest, or those of another task.",
    ),
    "corrupted": (
        "corrupted",
        "The LLM was asked why the wrong answer is preferred, and these explanations are shown.",
    ),
    "neutral": ("neutral", "Filler of the same length that says nothing about any text."),
    "preference": (
        "preferences",
        "The nearest texts with the expert's labels and no explanation: examples in the prompt, learned "
        "without a call.",
    ),
    "cascade": (
        "cascade",
        "The LLM answers several times; where its answers disagree, the expert's answer is taken.",
    ),
    "invalid": (
        "invalid",
        "Replies in which no answer could be read. They count as wrong in every metric.",
    ),
}
