"""Peak memory of scoring 8 and 64 experts, each in a process of its own; Linux alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bank_scoring.world import save_bank, save_base
from kshot.models.hf import HfModel

_CHILD = """
import json, sys
from pathlib import Path
from benchmarks.bank_scoring.world import shots
from kshot.models.hf import HfModel
from kshot.models.hf.group import StoredExpert, together
from kshot.models.hf.generate import Decoding
def peak():  # of this program; what getrusage tells includes the parent's before exec
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
base = HfModel.load(sys.argv[1], device="cpu")
bank = sorted(Path(sys.argv[2]).iterdir())[:int(sys.argv[3])]
asked = shots(20, prompt=30, answer=12, reply=8)
before = peak()
for _, group in together([StoredExpert(base, folder) for folder in bank]):
    group.ask(asked.conversations, targets=asked.targets, decoding=Decoding(8))
print(json.dumps([before, peak()]))
"""


def memory_table(*, quick: bool = False) -> list[str]:
    """Peak resident memory at 8 and 64 experts; what the loaded base takes stands beside it."""
    lines = ["| base | adapter | experts | base loaded | peak |", "|---|--:|--:|--:|--:|"]
    sizes = ((512, 4),) if quick else ((512, 4), (1024, 8))
    for width, layers in sizes:
        with tempfile.TemporaryDirectory() as place:
            folder = save_base(Path(place) / "base", width=width, layers=layers)
            bank = save_bank(HfModel.load(folder, device="cpu"), Path(place) / "bank", count=64)
            size = (bank[0] / "adapter_model.safetensors").stat().st_size / 2**20
            for count in (8, 64):
                command = [sys.executable, "-c", _CHILD, str(folder), str(bank[0].parent), str(count)]
                run = subprocess.run(command, check=True, capture_output=True, text=True)
                before, peak = (kilobytes / 1024 for kilobytes in json.loads(run.stdout))
                row = f"{layers} x {width} | {size:.1f} MB | {count} | {before:.0f} MB | {peak:.0f} MB"
                lines.append(f"| {row} |")
                print(lines[-1], flush=True)
    return lines
