"""What a reader should take home from a report, never more than the evidence carries."""

from __future__ import annotations

from dataclasses import dataclass

from kshot.report.result import RunReport, SystemResult


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The answer in one breath. ``tone`` is better, unsure, tied or none."""

    tone: str
    kicker: str
    title: str
    sentence: str


def conclusion(report: RunReport) -> Conclusion:
    """What the reader should take home, never more than the evidence carries."""
    reference = report.task.reference
    chosen = report.system(report.recommended)
    if not report.systems:
        return Conclusion("none", "No result", "No system could be measured", report.because)
    if chosen is None and report.system(reference) is None:
        return Conclusion("none", "No recommendation", "There is nothing to compare with", report.because)
    if chosen is None:
        return Conclusion(
            "tied", "No recommendation", f"Nothing is shown to beat {reference}", report.because
        )
    if chosen.verdict == "better":
        return Conclusion("better", "Recommended", chosen.name, report.because)
    if chosen.name == reference:
        return Conclusion(
            "tied", f"Recommended: nothing is shown to beat {reference}", chosen.name, report.because
        )
    kicker = f"Recommended, though not shown to be better than {reference}"
    return Conclusion("unsure", kicker, chosen.name, report.because)


def chip(system: SystemResult) -> str:
    """The class of a verdict: better, worse, tied, unsure, reference, oracle or other."""
    if system.oracle:
        return "oracle"
    known = {"too few rows to tell": "unsure", "oracle, for orientation only": "oracle"}
    plain = ("better", "worse", "tied", "reference")
    return system.verdict if system.verdict in plain else known.get(system.verdict, "other")
