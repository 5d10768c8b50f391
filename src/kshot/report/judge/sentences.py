"""What the figures of a judgement say in words, and what they do not say."""

from __future__ import annotations

from kshot.report.judge.facts import JudgeReport

ALPHA = 0.05
MANY_SPLITS = 0.3
WEAK_KAPPA = 0.4


def headline(report: JudgeReport) -> str:
    """One sentence: who is preferred, or that it cannot be told.

    >>> from kshot.measure.judge import Tally, figures
    >>> headline(JudgeReport(("A", "B"), "j", figures(Tally(win=9, tie=1, lose=0))))
    'The judge prefers A to B: 9 wins and 0 losses of 10 pairs.'
    """
    tally, p = report.figures.tally, report.figures.p
    a, b = report.names
    counts = f"{tally.win} wins and {tally.lose} losses of {tally.n} pairs"
    if not tally.n:
        return "No pair was judged."
    if p is None or p >= ALPHA:
        return f"No difference between {a} and {b} can be told: {counts}."
    first, second = (a, b) if tally.win > tally.lose else (b, a)
    return f"The judge prefers {first} to {second}: {counts}."


def warnings(report: JudgeReport) -> tuple[str, ...]:
    """What a reader must know before believing the figures."""
    tally, found = report.figures.tally, []
    if report.simulated:
        found.append("The judge is a simulation: these figures say nothing of any model.")
    found += self_judging(report)
    if report.stopped:
        found.append(f"{report.unjudged} pairs were not judged: {report.stopped}")
    if report.failed:
        found.append(f"{report.failed} verdicts did not come; their pairs count as unreadable.")
    asked = tally.n - tally.equal
    if asked and tally.split > MANY_SPLITS * asked:
        found.append(
            f"The judge contradicts itself on {tally.split} of {asked} pairs when the places are swapped; "
            "wins and losses are the rest."
        )
    interval = report.figures.first_interval
    if interval is not None and not interval[0] <= 0.5 <= interval[1]:
        place = "first" if interval[0] > 0.5 else "second"
        found.append(f"The judge is drawn to the {place} place; only pairs on which both orders agree count.")
    found += _of_people(report)
    return tuple(found)


def self_judging(report: JudgeReport) -> list[str]:
    """A judge may favour answers of its own kind; said where a row names the judge as its author."""
    model = report.judge.rpartition(" ")[2]
    if model not in report.answered_by:
        return []
    return [f"{model} judges answers that it wrote itself; models are known to favour their own."]


def _of_people(report: JudgeReport) -> list[str]:
    if report.agreement is None:
        return ["No person's verdicts stand beside the judge's: a judge alone proves little."]
    found = report.agreement
    if not found.joined:
        return ["No verdict of the file of people is on a judged pair; are the ids the same?"]
    if found.kappa is not None and found.kappa < WEAK_KAPPA:
        return [
            f"The judge agrees with people only weakly (kappa {found.kappa:.2f} on {found.compared} pairs)."
        ]
    return []
