"""Train what a job file describes: ``python -m kshot.models.train job.json``.

The same in several processes, one a device, or several on a CPU::

    accelerate launch --multi_gpu --num_processes 4 -m kshot.models.train job.json
    torchrun --nproc_per_node 2 -m kshot.models.train job.json

A step then learns from ``batch_size * accumulation`` rows in each process, and an epoch has fewer steps. The
first process writes the folder and says so. The file is a ``TrainJob``::

    {"base": "models/qwen3-0.6b", "rows": "rows.jsonl", "start": "runs/mixture", "out": "runs/trained",
     "imports": ["kshot.peft"], "settings": {"learning_rate": 1e-4, "rates": [["router", 10]]}}
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kshot.errors import InputError, KshotError
from kshot.models.train import processes
from kshot.models.train.job import run_job


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0; 1 or 2 with a message, as the command line of kshot gives them."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    try:
        result = run_job(arguments[0])
    except KshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    finally:
        processes.leave()
    if processes.is_first():
        print(
            f"{result.folder}: {result.steps} steps, loss {result.losses[0]:.3f} to {result.losses[-1]:.3f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
