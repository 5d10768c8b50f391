"""Where the rows of a dataset lie: local files, or files of the hub, fetched as they are; no code is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kshot.errors import DataError
from kshot.models.hf.loading import first_line
from kshot.models.safetensor_files import file_sha256
from kshot.pipeline.bank_build.recipe import BankRecipe, Job
from kshot.pipeline.bank_build.settings import PARQUET, DatasetSection

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one dataset.

    Attributes:
        files: In the order in which they are read.
        sha256: (name, hash) of each; names are relative to the dataset, never paths of this machine.
        revision: The hub's commit; None for local files, or where the hub does not tell.
    """

    files: tuple[Path, ...]
    sha256: tuple[tuple[str, str], ...]
    revision: str | None = None


def find_source(recipe: BankRecipe, job: Job) -> Source:
    """The files of a dataset; those of the hub are fetched where they are not cached.

    Raises:
        DataError: A file cannot be read, or the hub has no such dataset, or it cannot be reached.
    """
    if job.entry.hub is not None:
        return _from_hub(job.entry)
    files = recipe.files_of(job.entry)
    return Source(files, tuple((file.name, _hash(file)) for file in files))


def local_identity(recipe: BankRecipe, job: Job) -> list[str] | None:
    """Hashes of local files: what an adapter depends on beside the recipe. None for the hub's.

    Raises:
        DataError: A file cannot be read.
    """
    return None if job.entry.hub is not None else [_hash(file) for file in recipe.files_of(job.entry)]


def hub_patterns(entry: DatasetSection) -> tuple[str, ...]:
    """Which files of a hub dataset are fetched: those that the recipe names, or its Parquet version."""
    if entry.files:
        return entry.files
    # the hub cuts the Parquet version of very large datasets and says so in the folder's name
    return f"{entry.config}/{entry.split}/*.parquet", f"{entry.config}/partial-{entry.split}/*.parquet"


def leaving(base: str, jobs: Sequence[Job]) -> list[str]:
    """What a build asks of other machines, in words; rows and weights never leave."""
    named = [] if Path(base).is_dir() else [("base model", base)]
    named += [("dataset", job.entry.hub) for job in jobs if job.entry.hub is not None]
    return [
        f"the name of the {what} {name!r}, asked of the hub (no rows)" for what, name in dict.fromkeys(named)
    ]


def _from_hub(entry: DatasetSection) -> Source:
    import huggingface_hub

    name, patterns = str(entry.hub), hub_patterns(entry)
    revision = entry.revision or (None if entry.files else PARQUET)
    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                name, repo_type="dataset", revision=revision, allow_patterns=list(patterns)
            )
        )
    except Exception as error:  # the hub client raises a dozen kinds
        raise DataError(
            f"hub dataset {name!r} could not be fetched ({first_line(error)}); check its name and revision "
            "and the network, log in where it asks for that, or download it and give path: in place of hub:"
        ) from error
    files = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
    if not files:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise DataError(
            f"hub dataset {name!r} has no file like {' or '.join(patterns)} at {revision or 'main'} "
            f"(fetched: {there}); look at its files on the hub, then set config and split, or files"
        )
    hashes = tuple((file.relative_to(folder).as_posix(), _hash(file)) for file in files)
    return Source(tuple(files), hashes, folder.name if _COMMIT.fullmatch(folder.name) else None)


def _hash(file: Path) -> str:
    try:
        return file_sha256(file)
    except OSError as error:
        raise DataError(f"{file}: the file cannot be read ({error.strerror or error})") from error
