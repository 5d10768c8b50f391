"""The words of exploring, explained plainly, for the last section of the page."""

from __future__ import annotations

TERMS: dict[str, tuple[str, str]] = {
    "task": ("task", "A node of the tree: something that a model can be asked to do within the domain."),
    "look_ahead": ("look ahead", "A request that splits a task into tasks that are not there yet."),
    "back_track": ("back track", "A later request for more children of a task that has some already."),
    "yield": (
        "yield",
        "Of the rows that came, the share that was kept. It falls as a task runs dry: more and more of what "
        "comes is there already.",
    ),
    "refused": (
        "refused",
        "A name or a row that came and did not stay, with the rule that said so. Nothing that is refused is "
        "lost: refused.jsonl has it.",
    ),
    "closed": ("closed", "The task is asked for no more children; the reason stands beside it."),
    "full": ("full", "The task is asked for no more rows; the reason stands beside it."),
    "attached": ("attached", "A row that the user had already, sorted under the nearest task."),
    "pair": (
        "verb-noun pair",
        "The main verb of an instruction and its object, as lemmas: “write poem”. It tells roughly what is "
        "asked for.",
    ),
    "effective": (
        "exp(entropy)",
        "The number of equally frequent things that would be as even. Of 100 pairs of which one has nearly "
        "all instructions, it is near 1.",
    ),
    "rarefied": (
        "at equal size",
        "What so many instructions, drawn from the set without replacement, would show on average; computed, "
        "not drawn.",
    ),
    "rouge": (
        "ROUGE-L F",
        "How much of two texts is the same, in order: twice the longest common subsequence of words over the "
        "words of both, 0 to 1.",
    ),
    "nearest": ("nearest", "Of one instruction, the highest ROUGE-L F with any other one."),
    "simulated": (
        "simulated model",
        "A program that answers as a model would, for tests. Its figures say nothing of any model.",
    ),
}  # fmt: skip
