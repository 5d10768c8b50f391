"""Where the members of a mix come from: hashes of their weights, licences, names fit to be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kshot.errors import ModelError
from kshot.models.checkpoint.parts import Member
from kshot.models.safetensor_files import file_sha256

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(\n|\Z)", re.DOTALL)


def weights_sha256(members: Sequence[Member], *, threads: int = 2) -> tuple[Mapping[str, str], ...]:
    """(N,) the sha256 of every weights file that a member takes part with, by path in its folder.

    Every byte is read once, so that this takes about as long as a mix.

    Raises:
        ModelError: A file cannot be read.

    Example::

        weights_sha256([base, expert])[0]["model.safetensors"]
    """
    paths = sorted({path for member in members for path in weight_paths(member)})
    try:
        with ThreadPoolExecutor(max_workers=threads) as pool:
            found = dict(zip(paths, pool.map(file_sha256, paths), strict=True))
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return tuple(
        {path.relative_to(member.folder).as_posix(): found[path] for path in weight_paths(member)}
        for member in members
    )


def weight_paths(member: Member) -> tuple[Path, ...]:
    """The weights files of a member, sorted.

    >>> weight_paths(Member("empty", Path(), {}, {}))
    ()
    """
    stored = {tensor.path for tensor in member.tensors.values()}
    factors = {tensor.path for pair in member.pairs.values() for tensor in (pair.a, pair.b)}
    return tuple(sorted(stored | factors))


def licence(member: Member) -> str | None:
    """The licence that a member's card states in its front matter; None where there is no such line.

    Example::

        licence(open_member("models/base"))  # 'apache-2.0'
    """
    found = _front_matter(member.folder / "README.md").get("license")
    return found if isinstance(found, str) and found else None


def public_name(member: Member) -> str:
    """A member's name without the path of a machine: the hub's name as given, else the folder's own.

    >>> public_name(Member("/data/models/expert", Path("/data/models/expert"), {}, {}))
    'expert'
    >>> public_name(Member("owner/model@v1", Path("/cache/abc"), {}, {}))
    'owner/model'
    """
    if is_hub_name(member):
        return member.name.partition("@")[0]
    return member.folder.name or member.folder.resolve().name


def is_hub_name(member: Member) -> bool:
    """Whether a member was fetched from the hub by its name.

    >>> is_hub_name(Member("owner/model", Path("/cache/abc"), {}, {}))
    True
    """
    return _HUB_NAME.fullmatch(member.name) is not None and member.folder != Path(member.name)


def _front_matter(card: Path) -> dict[str, Any]:
    import yaml

    try:
        match = _FRONT_MATTER.match(card.read_text(encoding="utf-8"))
        found = yaml.safe_load(match[1]) if match else None
    except (OSError, ValueError, yaml.YAMLError, RecursionError):  # a card is no condition for a mix
        return {}
    return found if isinstance(found, dict) else {}
