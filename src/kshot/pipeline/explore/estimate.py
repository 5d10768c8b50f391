"""What exploring will cost, before the first request: rough, from figures of the paper's released demo."""

from __future__ import annotations

from typing import Any, Final

from kshot.data.taskfile.settings import EndpointSection
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore.asked import ExploreJob

PROMPT_TOKENS: Final = 525  # of a request for rows in the demo
ROW_TOKENS: Final = 92
KEPT: Final = 0.55  # share of the rows that the filter left
SECONDS: Final = 15.0  # a reply of ten rows


def estimated(job: ExploreJob, tree: DomainTree | None) -> dict[str, Any]:
    """Calls, rows, tokens, money and time, each about what to expect; the budget is the limit.

    Source: the released demo domain of arXiv 2310.09168: 92 tokens a row, prompts of 525, 55 % kept.

    Example::

        estimated(job, tree)["calls"]
    """
    a_call = PROMPT_TOKENS + ROW_TOKENS * job.fill.batch
    a_kept_row = job.fill.batch * KEPT
    explored = job.grow.share
    wanted = None if job.rows is None else int(job.rows / a_kept_row / (1 - explored)) + 1
    affordable = [limit for limit in (job.calls, job.tokens and job.tokens // a_call) if limit]
    price = job.prices
    if job.usd is not None and price is not None:
        affordable.append(int(job.usd / _usd(1, job, price)))
    calls = min([one for one in (wanted, *affordable) if one is not None], default=0)
    facts: dict[str, Any] = {
        "domain": tree.root.name if tree is not None else "as it stands",
        "model": job.llm_name,
        "calls, about": calls,
        "of these exploring, at most": int(calls * explored),
        "rows kept, about": int(calls * (1 - explored) * a_kept_row),
        "tokens, about": calls * a_call,
        "hours with the requests in flight": round(calls * SECONDS / 3600 / _concurrency(job), 2),
    }
    if price is not None:
        facts["USD, about"] = round(_usd(calls, job, price), 2)
    if job.rows is not None and facts["rows kept, about"] < job.rows:
        facts["note"] = f"the budget will hardly give {job.rows} rows"
    return facts


def _usd(calls: int, job: ExploreJob, price: tuple[float, float]) -> float:
    return calls * (PROMPT_TOKENS * price[0] + ROW_TOKENS * job.fill.batch * price[1]) / 1e6


def _concurrency(job: ExploreJob) -> int:
    return job.llm.concurrency if isinstance(job.llm, EndpointSection) else 1
