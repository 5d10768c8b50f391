"""The words of open knowledge, explained plainly, for the tips and the last section of the page."""

from __future__ import annotations

TERMS: dict[str, tuple[str, str]] = {
    "expert": (
        "expert",
        "An adapter of the bank, trained by somebody for some task. Which of them suit this task is "
        "judged by the shots alone.",
    ),
    "ranksum": (
        "rank sum",
        "Every expert has a place by its share of right shots and a place by its perplexity, 1 being "
        "best, ties sharing the better place. The sum of the two decides who comes into question.",
    ),
    "pool": ("pool", "The experts with the smallest rank sums. The final group is chosen among them."),
    "diversity": (
        "diversity rank",
        "Groups ordered by how alike their experts are on average, the least alike first. Copies of one "
        "expert add nothing, however good it is.",
    ),
    "chance": (
        "chance over the shots",
        "The shots are a draw. Drawn again and again from themselves (bootstrap), in this share of draws "
        "the expert would have come into the pool, or been chosen. Near 100 % it is settled, near the "
        "middle other shots would have told another story.",
    ),
    "duplicate": (
        "near-duplicate",
        "A row whose meaning, as the encoder sees it, is so close to a kept row that it would teach "
        "nothing new. Of two such rows the one less like the shots falls.",
    ),
    "guard": (
        "guard",
        "Rows that repeat a test row or a shot, word for word or nearly. They are removed before anything "
        "is chosen: learning from them would make the test a memory test.",
    ),
    "gate": (
        "gate",
        "For each token and each adapted module a router divides one unit of weight among the experts; "
        "an expert's part is its gate. Load is the gate, averaged over tokens.",
    ),
    "collapse": (
        "collapse",
        "The routers give nearly everything to one expert, or nearly nothing to another. The mixture then "
        "works as fewer experts than it holds.",
    ),
    "mixed": (
        "all right, mixed, all wrong",
        "What the single experts make of a test row. On mixed rows the mixture has to follow the right "
        "one; on rows where all fail, every right answer is something no expert knew alone.",
    ),
    "heldback": (
        "held-back loss",
        "Loss on shots that were kept out of training. Where it rises again, training has begun to learn "
        "the rows by heart.",
    ),
    "parity": (
        "parity",
        "How far an exported form answers as the system that was measured: difference of log-probabilities "
        "token by token, and share of equal replies.",
    ),
}
