"""Episodes that have ended, one line each: a run that was killed plays only what is missing."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self, final

from kshot.agents.episode import Episode
from kshot.errors import DataError, RunError


@dataclass(frozen=True, slots=True)
class EpisodeKey:
    """Which episode it is.

    Attributes:
        task: The environment's name.
        condition: Whose insights, and how they are shown.
        model: Id of the LLM.
        setup: A hash of all that the requests depend on: wording, example, insights, encoder, limits.
            Episodes of another setup stay in the file and are not used.
    """

    task: str
    variation: int
    round: int
    condition: str
    policy: str
    model: str
    setup: str


@final
class EpisodeStore:
    """A file of episodes, open for one process at a time. A line that a killed process left half is cut off.

    Raises:
        DataError: A line in the middle is damaged.
        RunError: Another process works here, or the file cannot be written.

    Example::

        with EpisodeStore(Path("tables/episodes.jsonl")) as store:
            store.keep(key, episode)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[EpisodeKey, Episode] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("a+b")
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise RunError(
                f"{path}: another process plays here; wait for it, or give another --out"
            ) from error
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        return len(self._found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def get(self, key: EpisodeKey) -> Episode | None:
        """The episode, where it was played to its end."""
        return self._found.get(key)

    def of(self, keys: Iterable[EpisodeKey]) -> list[Episode]:
        """Those of the keys that are there, in the order of the keys."""
        return [self._found[key] for key in keys if key in self._found]

    def keep(self, key: EpisodeKey, episode: Episode) -> None:
        """Writes an episode before it is used. One that failed says nothing and is played again.

        Raises:
            RunError: The disk refuses.
        """
        if episode.failed or key in self._found:
            return
        line = json.dumps({"key": asdict(key), "episode": episode.to_json()}, ensure_ascii=False)
        try:
            self._file.write(line.encode("utf-8", "surrogatepass") + b"\n")
            self._file.flush()
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        self._found[key] = episode

    def close(self) -> None:
        """Lets another process in."""
        self._file.close()

    def _read(self) -> None:
        self._file.seek(0)
        whole = 0
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            try:
                plain: Mapping[str, Any] = json.loads(line)
                self._found[EpisodeKey(**plain["key"])] = Episode.from_json(plain["episode"])
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{self.path}, line {number}: is no episode ({error}); delete the line to play it again"
                ) from error
        self._file.truncate(whole)
