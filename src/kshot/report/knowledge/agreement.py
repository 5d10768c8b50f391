"""Where single experts agree and where not, and how often their mixture is right in each case."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kshot.errors import MetricError
from kshot.measure.statistics.proportions import wilson
from kshot.report.knowledge.facts import AgreementRow, Group


def agreement(expert_right: NDArray[np.bool_], mixture_right: NDArray[np.bool_]) -> tuple[AgreementRow, ...]:
    """Rows on which all N experts are right, some are, none is; with the mixture's share in each.

    The order is always all right, mixed, all wrong; each of the R rows counts in exactly one. With one
    expert no row is mixed.

    Args:
        expert_right: (N, R), whether expert n is right on row r.
        mixture_right: (R,)

    Raises:
        MetricError: The arrays are not boolean, do not fit, or there is no expert.

    >>> import numpy as np
    >>> experts = np.array([[True, True, False, False], [True, False, False, False]])
    >>> [(row.group, row.n, row.right) for row in agreement(experts, np.array([True, True, False, True]))]
    [('all right', 1, 1), ('mixed', 1, 1), ('all wrong', 2, 1)]
    """
    experts, mixture = _checked(expert_right, mixture_right)
    count = experts.sum(axis=0)  # (R,)
    every, none = count == len(experts), count == 0
    return (
        _row("all right", every, experts, mixture),
        _row("mixed", ~every & ~none, experts, mixture),
        _row("all wrong", none, experts, mixture),
    )


def _row(
    group: Group, rows: NDArray[np.bool_], experts: NDArray[np.bool_], mixture: NDArray[np.bool_]
) -> AgreementRow:
    n, right = int(rows.sum()), int((mixture & rows).sum())
    return AgreementRow(
        group=group,
        n=n,
        right=right,
        share=right / n if n else None,
        interval=wilson(right, n) if n else None,
        experts_share=float(experts[:, rows].mean()) if n else None,
    )


def _checked(expert_right: Any, mixture_right: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    experts, mixture = np.asarray(expert_right), np.asarray(mixture_right)
    for name, array, axes in (("expert_right", experts, 2), ("mixture_right", mixture, 1)):
        if array.dtype != np.bool_ or array.ndim != axes:
            raise MetricError(
                f"{name}: found {array.dtype} of shape {array.shape}, expected booleans with {axes} axes; "
                "compare scores with 1 first"
            )
    if not len(experts):
        raise MetricError("expert_right: no expert; agreement needs at least one")
    if experts.shape[1] != len(mixture):
        raise MetricError(
            f"expert_right has {experts.shape[1]} rows, mixture_right {len(mixture)}; expected the same rows"
        )
    return experts, mixture
