"""Many episodes at once: each environment in a process of its own, the model and the pool in this one."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias, final

from kshot.agents.base import WorldError
from kshot.agents.episode import Episode
from kshot.agents.loop import Agent, run_episode
from kshot.agents.process import Maker, ProcessEnvironment
from kshot.errors import InputError
from kshot.models.asking import Asker
from kshot.models.base import LanguageModel, Reply

Job: TypeAlias = tuple[int, int]  # variation, round


@final
class OneAtATime:
    """A model that takes one request after the other, for threads that share it."""

    def __init__(self, model: LanguageModel) -> None:
        self._model, self._lock = model, threading.Lock()

    @property
    def id(self) -> str:
        """The model's."""
        return self._model.id

    def generate(self, conversations: Sequence[tuple[object, ...]], **decoding: object) -> list[Reply]:
        """The model's replies."""
        with self._lock:
            return self._model.generate(conversations, **decoding)  # type: ignore[arg-type]


def run_episodes(
    maker: Maker, agent: Agent, jobs: Sequence[Job], *, processes: int = 1, patience: float | None = None
) -> Iterator[Episode]:
    """Episodes as they end, at most ``processes`` at once, each environment in its own process.

    Requests to the model come from as many threads; a model that does not answer many at once by itself
    (``Asker``) gets them one after the other. An environment that fails gives an episode that ended by
    ``environment``, and the next job a fresh process; the others go on. Any other error (a budget is spent,
    the key is wrong) ends all: episodes that have ended are given first. Closing the iterator ends every
    process.

    Args:
        maker: Opens an environment; sent to the processes.
        agent: Who acts. Equal for all.
        jobs: Variation and round of each episode.
        processes: At most so many at once, and no more than jobs.
        patience: Seconds until a silent environment counts as failed.

    Raises:
        InputError: ``processes`` is below 1, or the environment cannot be opened here.
        KshotError: As the model raises it.

    Example::

        for episode in run_episodes(ScienceWorldMaker("boil"), agent, [(0, 0), (1, 0)], processes=2):
            print(episode.variation, episode.score)
    """
    if processes < 1:
        raise InputError(f"processes is {processes}, expected at least 1")
    if not isinstance(agent.model, Asker):
        agent = replace(agent, model=OneAtATime(agent.model))
    crew = _Crew(maker, agent, jobs, patience)
    threads = [
        threading.Thread(target=crew.work, name=f"episodes-{number}", daemon=True)
        for number in range(min(processes, len(jobs)))
    ]
    try:
        for thread in threads:
            thread.start()
        yield from crew.results(len(threads))
    finally:
        crew.stop()
        for thread in threads:
            thread.join()


@final
class _Crew:
    """What the threads share."""

    def __init__(self, maker: Maker, agent: Agent, jobs: Sequence[Job], patience: float | None) -> None:
        self._maker, self._agent = maker, agent
        self._patience = {} if patience is None else {"patience": patience}
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            self._jobs.put(job)
        self._found: queue.SimpleQueue[Episode | BaseException | None] = queue.SimpleQueue()
        self._open: dict[int, ProcessEnvironment] = {}
        self._stopped = threading.Event()

    def results(self, threads: int) -> Iterator[Episode]:
        """Until every thread has ended; then the first error, where there was one."""
        first: BaseException | None = None
        while threads:
            found = self._found.get()
            if found is None:
                threads -= 1
            elif isinstance(found, Episode):
                yield found
            else:
                first = first or found
                self._stopped.set()  # what runs comes to its end, nothing new begins
        if first is not None:
            raise first

    def stop(self) -> None:
        """No new job; processes that still run are ended."""
        self._stopped.set()
        for environment in list(self._open.values()):
            environment.kill()

    def work(self) -> None:
        """One thread: job after job in one environment, a fresh one after a failure."""
        environment: ProcessEnvironment | None = None
        try:
            while not self._stopped.is_set():
                try:
                    variation, repeat = self._jobs.get_nowait()
                except queue.Empty:
                    break
                try:
                    environment = environment or self._opened()
                except WorldError as error:
                    self._found.put(self._not_begun(variation, repeat, error))
                    continue
                episode = run_episode(environment, self._agent, variation, repeat=repeat)
                broken = episode.ended == "environment"
                if broken and self._stopped.is_set():
                    break  # ended by us
                peak = 0 if broken else environment.peak_bytes()
                self._found.put(replace(episode, round=repeat, peak_bytes=peak))
                if broken:
                    self._close(environment)
                    environment = None
        except BaseException as error:  # handed to whoever reads the results
            self._found.put(error)
        finally:
            self._close(environment)
            self._found.put(None)

    def _not_begun(self, variation: int, repeat: int, error: WorldError) -> Episode:
        name = self._agent.strategy.name
        return Episode("", variation, name, ended="environment", error=str(error), round=repeat)

    def _opened(self) -> ProcessEnvironment:
        environment = ProcessEnvironment(self._maker, **self._patience)
        self._open[threading.get_ident()] = environment
        return environment

    def _close(self, environment: ProcessEnvironment | None) -> None:
        if environment is not None:
            self._open.pop(threading.get_ident(), None)
            with contextlib.suppress(OSError):
                environment.close()
