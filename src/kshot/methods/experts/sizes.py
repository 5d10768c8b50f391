"""How many experts are asked for, against how many there are."""

from __future__ import annotations

import numpy as np

from kshot.errors import InputError


def shrunk(count: int, *, size: int, pool: int | None = None) -> tuple[str, ...]:
    """What has to be smaller than asked for, as there are ``count`` experts only; one sentence each.

    Raises:
        InputError: A number is below 1, or the pool is smaller than the group.

    >>> shrunk(3, size=4, pool=8)
    ('there are 3 experts: the group is 3 instead of 4', 'there are 3 experts: the pool is 3 instead of 8')
    """
    asked = {"group": size} if pool is None else {"group": size, "pool": pool}
    for what, value in asked.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            name = "size" if what == "group" else "pool"
            raise InputError(f"{name} is {value!r}, expected a whole number of at least 1")
    if pool is not None and size > pool:
        raise InputError(f"a group of {size} cannot be made of a pool of {pool}; raise pool or lower size")
    who = "is 1 expert" if count == 1 else f"are {count} experts"
    return tuple(
        f"there {who}: the {what} is {count} instead of {value}"
        for what, value in asked.items()
        if value > count
    )
