"""The words of the report, explained plainly; tooltips and the last section of the page read them here."""

from __future__ import annotations

from kshot.report.result import TaskFacts

METRICS = {
    "exact_match": "Share of rows whose reply states exactly the right answer.",
    "accuracy": "Share of rows with the right label.",
    "choice": "Share of rows whose reply names the letter of the right choice.",
    "number": "Share of rows whose reply ends in the right number.",
    "macro_f1": "F1 of each label, averaged with equal weight, rare labels as much as common ones.",
    "token_f1": "Overlap of the words of reply and answer: harmonic mean of precision and recall, averaged.",
    "rouge_l": "Longest common word sequence of reply and answer, as an F score, averaged over rows.",
    "pass_at_1": "Share of rows whose code passes its tests at the first try, run in a sandbox.",
}


TERMS: dict[str, tuple[str, str]] = {
    "metric": ("{metric}", "{metric_text}"),
    "n": ("n", "How many rows a figure rests on. {evidence}"),
    "interval": (
        "95 % interval",
        "Where the true score plausibly lies, given only this many rows: were the test repeated with "
        "fresh rows, such intervals would hold the true value about 95 times in 100. Wilson's "
        "interval for shares of right rows, a bootstrap over rows otherwise.",
    ),
    "reference": (
        "reference",
        "The system that every other one has to beat: {reference}. Differences are score minus "
        "its score, on the same rows.",
    ),
    "difference": (
        "difference",
        "Score minus the score of the reference, row against row on the same rows; a paired comparison "
        "tells small differences apart that two separate intervals would hide.",
    ),
    "p": (
        "p",
        "How often chance alone would give a difference at least this large, if the system were no "
        "better and no worse than the reference. Exact McNemar test for right or wrong, paired "
        "bootstrap otherwise.",
    ),
    "holm": (
        "p (Holm)",
        "p, made stricter because many systems were tried: with twenty tries, one is likely to look good "
        "by luck. Holm's correction keeps the chance of even one false alarm at 5 %.",
    ),
    "verdict": (
        "verdict",
        "better or worse: the difference is clear of zero after Holm. tied: the whole interval of the "
        "difference lies within the margin. too few rows to tell: neither can be said "
        "with {n} rows.",
    ),
    "margin": (
        "margin",
        "A difference of less than {margin} either way counts as no difference that matters.",
    ),
    "smallest": (
        "smallest difference",
        "The smallest true difference that this many rows would probably have shown. If a smaller gain "
        "would matter to you, add test rows.",
    ),
    "invalid": ("invalid", "Replies in which no answer could be read. They count as wrong."),
    "selection": (
        "selection score",
        "A score on the shots themselves. It serves to choose, and flatters what was chosen by it: "
        "it never stands as evidence.",
    ),
    "oracle": (
        "oracle",
        "Chosen with knowledge of the test rows, which nobody has in practice. It shows how much room "
        "there is and competes with nobody.",
    ),
    "perplexity": (
        "perplexity",
        "How surprised a model is by the right text, token by token: 1 is no surprise at all, 10 is as "
        "unsure as between ten equal words. It is exp of the loss in nats per token. Lower is better.",
    ),
    "latency": ("latency", "Seconds for one row, once the system is built."),
    "size": ("size", "Bytes on disk that a system adds to the base model."),
}


def definitions(task: TaskFacts) -> dict[str, tuple[str, str]]:
    """Key to (term, explanation), in the order in which a reader meets them.

    >>> task = TaskFacts(name="t", kind="choice", metric="choice", k=5, seed=0, n_test=9)
    >>> definitions(task)["holm"][0]
    'p (Holm)'
    """
    margin = f"{task.margin * 100:g} points"
    evidence = (
        f"Every system answers the same {task.n_test:,} test rows, which none of them has seen."
        if task.held_out
        else f"No test file was given: the figures come from {task.evaluation}. Each row is judged by "
        "systems built without it, but the folds share rows, so treat close calls with care."
    )
    words = {
        "metric": task.metric.replace("_", " "),
        "metric_text": METRICS.get(task.metric, "The metric named by the task."),
        "n": f"{task.n_test:,}",
        "evidence": evidence,
        "margin": margin,
        "reference": task.reference,
    }
    return {key: (term.format(**words), text.format(**words)) for key, (term, text) in TERMS.items()}
