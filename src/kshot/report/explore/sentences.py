"""What an exploration did, in sentences: the same on the page and in the Markdown."""

from __future__ import annotations

from kshot.report.explore.facts import ContaminationFacts, ExploreFacts
from kshot.report.wording import Scale, count, duration, money


def headline(facts: ExploreFacts) -> str:
    """What was explored, how far, and what it took, in one sentence.

    >>> headline(ExploreFacts(domain="rewriting"))
    '“rewriting” is not explored yet: there is no task.'
    """
    if not facts.tasks:
        return f"“{facts.domain}” is not explored yet: there is no task."
    calls = facts.grow_calls + facts.fill_calls
    tasks = "1 task" if len(facts.tasks) == 1 else f"{len(facts.tasks):,} tasks"
    rows = "1 row" if facts.row_count == 1 else f"{facts.row_count:,} rows"
    spent = "without a call" if not calls else f"with {calls:,} calls" if calls != 1 else "with 1 call"
    paid = "" if facts.usd is None else f" for {money(facts.usd)}"
    who = " of a simulated model" if facts.simulated and calls else ""
    return f"“{facts.domain}” became {tasks} and {rows}, {spent}{who}{paid}."


def because(facts: ExploreFacts) -> list[str]:
    """What else to know first: gaps, what was refused, an early end, contamination."""
    found = []
    refused = sum(task.refused for task in facts.tasks)
    came = sum(task.rows_delivered for task in facts.tasks)
    if came:
        found.append(
            f"Of {came:,} rows that came, {refused:,} ({Scale().score(refused / came)}) were refused."
        )
    if facts.evenness and facts.evenness.nodes:
        even = facts.evenness
        found.append(
            f"{even.empty:,} of {even.nodes:,} tasks have no row; {Scale().score(even.enough_share)} have "
            f"{even.least} or more; the rows lie as evenly as over {even.effective:,.1f} equal tasks."
        )
    calls = facts.grow_calls + facts.fill_calls
    if calls:
        share = Scale().score(facts.grow_calls / calls)
        found.append(f"Exploring took {share} of the calls that were made, filling the rest.{planned(facts)}")
    if facts.stopped:
        found.append(f"It ended early: {facts.stopped}.")
    if facts.contamination is not None:
        found.append(contamination_sentence(facts.contamination))
    return found


def planned(facts: ExploreFacts) -> str:
    """How much of the budget exploring might use at most, after a blank; empty where nothing bounds it.

    >>> planned(ExploreFacts(domain="rewriting", share=0.2, budget_calls=300))
    ' Of the budget of 300 calls at most 20.0 % was planned for exploring.'
    """
    if facts.share is None:
        return ""
    of = "" if facts.budget_calls is None else f" of {_calls(facts.budget_calls)}"
    return f" Of the budget{of} at most {Scale().score(facts.share)} was planned for exploring."


def _calls(number: int) -> str:
    return f"{number:,} call" + ("" if number == 1 else "s")


def contamination_sentence(guard: ContaminationFacts | None) -> str:
    """What the guard found; a plain statement where nothing was checked."""
    if guard is None:
        return "Nothing was checked for contamination: there were no test rows or shots to compare with."
    total = sum(guard.counts.values())
    what = "none repeats them" if not total else f"{total:,} repeat them"
    return f"Of {guard.checked:,} rows compared with {guard.against}, {what}."


def tiles(facts: ExploreFacts) -> list[tuple[str, str]]:
    """The first figures of the page, as (name, value)."""
    calls = facts.grow_calls + facts.fill_calls
    of = "" if facts.budget_calls is None else f" of {count(facts.budget_calls)}"
    found = [("tasks", count(len(facts.tasks))), ("rows", count(facts.row_count)),
             ("calls", f"{count(calls)}{of}"), ("tokens", count(facts.tokens))]  # fmt: skip
    found += [("paid", money(facts.usd))] if facts.usd is not None else []
    found += [("time", duration(facts.seconds))] if facts.seconds is not None else []
    return found
