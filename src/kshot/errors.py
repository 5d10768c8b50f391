"""Every error that kshot raises on purpose, drawn as a tree.

::

    KshotError                    something kshot understands went wrong (exit 1)
    ├── InputError                what the user gave is wrong (exit 2)
    │   ├── DataError             a row, or a file of rows
    │   ├── TaskError             a task file, or the shots and test rows together
    │   ├── ModelError            a model, tokenizer or classifier folder
    │   │   └── AdapterError      an adapter folder
    │   └── MetricError           a metric that does not exist or does not fit its input
    ├── SandboxError              this system cannot run code apart, so code is not run
    ├── BudgetError               a limit on calls, tokens, money or time was reached
    └── RunError                  a run folder is in use, damaged or cannot be written

A message says where, what was found, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence


class KshotError(Exception):
    """The root: catch it to catch every deliberate error."""


class InputError(KshotError):
    """What the user gave is wrong; the command line ends with exit code 2."""


class DataError(InputError):
    """A row, or a file of rows, cannot be used."""


class TaskError(InputError):
    """A task file, or its shots and test rows together, cannot be used."""


class ModelError(InputError):
    """A model, tokenizer, embedder or classifier cannot be used."""


class AdapterError(ModelError):
    """An adapter folder cannot be used."""


class MetricError(InputError):
    """A metric does not exist, or does not fit what it was given."""


class SandboxError(KshotError):
    """This system cannot run generated code apart from everything else, so the code is not run."""


class BudgetError(KshotError):
    """A limit on calls, tokens, money or time was reached."""


class RunError(KshotError):
    """A run folder is in use, damaged, or cannot be written."""


def collected(errors: Sequence[str], *, shown: int = 3) -> str:
    r"""One message for many findings: the first few and how many more there are.

    >>> collected(["a:1: x", "a:2: y", "a:3: z", "a:4: w"])
    'a:1: x\na:2: y\na:3: z\n... and 1 more of 4'
    """
    lines = list(errors[:shown])
    if len(errors) > shown:
        lines.append(f"... and {len(errors) - shown} more of {len(errors)}")
    return "\n".join(lines)
