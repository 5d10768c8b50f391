"""Wall time as a multiple of ``cp``, peak memory, and a mix that is killed and carried on."""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cocktail_engine.large_models import Shape, write_model
from benchmarks.cocktail_engine.peers import Peers, mergekit_linear
from benchmarks.cocktail_engine.watched import Watched, settle, watched

WEIGHTS = {2: (0.7, 0.3), 3: (0.5, 0.3, 0.2)}
_COLUMNS = (
    "models", "program", "runs", "median s", "least s", "median, multiple of cp", "least", "processor s",
    "peak anonymous MB",
)  # fmt: skip
HEAD = [f"| {' | '.join(_COLUMNS)} |", "|---|---|" + "--:|" * (len(_COLUMNS) - 2)]


@dataclass(frozen=True)
class Case:
    """Models of one size, and which programs mix them.

    Attributes:
        size: Factor of the layers: 1 for 1.1 B parameters.
        count: How many models are mixed.
        runs: Of cp and kshot.
        mergekit: Runs of it.
        cocktail: Runs of LM_Cocktail.
    """

    size: int
    count: int
    runs: int = 5
    mergekit: int = 2
    cocktail: int = 1


def models_of(work: Path, size: int, count: int, *, layers: int = Shape.layers) -> list[Path]:
    """The folders of a size; made where they are missing."""
    folders = [work / f"size-{size}-{seed}" for seed in range(count)]
    for seed, folder in enumerate(folders):
        if not folder.exists():
            write_model(folder, Shape(layers=layers * size), seed=seed, distinct_layers=layers)
    return folders


def mix_command(folders: Sequence[Path], out: Path) -> list[str]:
    """Kshot's own command line."""
    weights = ",".join(map(str, WEIGHTS[len(folders)]))
    names = [str(folder) for folder in folders]
    return [sys.executable, "-m", "kshot", "mix", *names, "--weights", weights, "--out", str(out), "--json"]


def resource_rows(case: Case, folders: Sequence[Path], work: Path, peers: Peers | None) -> Iterator[str]:
    """One case: the programs take turns, each beginning with synced disks and read inputs."""
    out = work / "out"
    weights = WEIGHTS[case.count]
    ways: dict[str, tuple[int, list[str]]] = {
        "cp of one model": (case.runs, ["cp", "-r", str(folders[0]), str(out)]),
        "cp of one model, then sync": (
            case.runs,
            ["sh", "-c", 'cp -r "$0" "$1" && sync -f "$1"', str(folders[0]), str(out)],
        ),
        "kshot mix": (case.runs, mix_command(folders, out)),
        "kshot mix --no-hashes": (case.runs, [*mix_command(folders, out), "--no-hashes"]),
    }
    if peers is not None:
        config = mergekit_linear(folders, weights, dtype="bfloat16")
        ways["mergekit linear"] = (case.mergekit, peers.mergekit(config, out))
        ways["LM_Cocktail mix_models"] = (case.cocktail, peers.lm_cocktail(folders, "decoder", weights, out))
    found: dict[str, list[Watched]] = {name: [] for name in ways}
    for turn in range(case.runs):
        for name, (runs, command) in ways.items():
            if turn < runs:
                settle(folders)
                environment = peers.environment if peers and not name.startswith(("cp", "kshot")) else None
                found[name].append(watched(command, environment=environment))
                shutil.rmtree(out, ignore_errors=True)
                shutil.rmtree(work / ".out.kshot-mix", ignore_errors=True)
    copy = [run.seconds for run in found["cp of one model"]]
    size = sum(path.stat().st_size for path in folders[0].glob("*.safetensors"))
    label = f"{case.count} of {size / 1e9:.1f} GB"
    for name, taken in found.items():
        if taken:
            yield f"| {label} | {name} | {_cells(taken, copy)} |"


def _cells(taken: Sequence[Watched], copy: Sequence[float]) -> str:
    if failed := [run for run in taken if run.error]:
        return f"{len(taken)} | fails: {failed[0].error.splitlines()[-1][:90]} | | | | | "
    seconds = [run.seconds for run in taken]
    median, least = statistics.median(seconds), min(seconds)
    ratios = f"{median / statistics.median(copy):.2f} | {least / min(copy):.2f}"
    processor, most = min(run.processor for run in taken), max(run.anonymous for run in taken)
    return f"{len(taken)} | {median:.2f} | {least:.2f} | {ratios} | {processor:.1f} | {most:.0f}"


def resumed(folders: Sequence[Path], work: Path) -> Iterator[str]:
    """Kill a mix (SIGKILL) when half of its bytes are written, call it again, compare with a whole one."""
    whole, out = work / "whole", work / "resumed"
    if (first := watched(mix_command(folders, whole))).error:
        yield f"the whole mix fails: {first.error}"
        return
    size = sum(path.stat().st_size for path in whole.glob("*.safetensors"))
    killed = watched(mix_command(folders, out), stop=lambda: _half(work / ".resumed.kshot-mix", size))
    left = _jobs(work / ".resumed.kshot-mix")
    again = watched(mix_command(folders, out))
    same = hashes(whole) == hashes(out) if not again.error else False
    ended = "was killed" if killed.error else "had ended"
    yield (
        f"A mix that takes {first.seconds:.1f} s {ended} after {killed.seconds:.1f} s with {left} jobs in "
        f"its journal; the same call then took {again.seconds:.1f} s {again.error}; equal bytes: {same}"
    )
    shutil.rmtree(whole, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)


def _half(place: Path, size: int) -> bool:
    """Whether the journal tells of half of the bytes; a job has at most 4 MiB."""
    return _jobs(place) << 22 > size / 2


def _jobs(place: Path) -> int:
    journal = place / "journal"
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.is_file() else 0


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every weights file."""
    found = {}
    for path in sorted(folder.rglob("*.safetensors")):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def machine() -> str:
    """Cores, memory and load, for the line above the table."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {pages / 2**30:.0f} GiB of memory; load over 1, 5, 15 minutes: {load}"
