"""The simulator's process: a Java machine of bounded memory, started, asked and always ended."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from typing import Any, final

from kshot.errors import InputError, RunError

JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC")  # 0.5 GB where the default takes 2.5 to 2.9, and no slower
_PATIENCE = 5.0  # seconds until a machine that was told to end is killed


def why_absent() -> str:
    """Why ScienceWorld cannot run here; empty where it can. Starts nothing."""
    if find_spec("scienceworld") is None:
        return "the package scienceworld is not installed; pip install 'kshot[scienceworld]'"
    if shutil.which("java") is None:
        return "no java is on the PATH; ScienceWorld needs a Java runtime (17 was seen working)"
    return ""


@final
class Simulator:
    """One Java machine with ScienceWorld in it. ``server`` is the simulator's own interface.

    The package's class ``ScienceWorldEnv`` is not used: it leaves the machine's memory unbounded and builds
    the list of valid actions at every step.

    Raises:
        InputError: Package or Java is missing.
        RunError: The machine did not start.
    """

    def __init__(self) -> None:
        if reason := why_absent():
            raise InputError(f"scienceworld: {reason}")
        from py4j.java_gateway import (
            GatewayParameters,
            JavaGateway,
            launch_gateway,
        )
        from scienceworld.constants import BASEPATH, JAR_PATH

        try:
            port, process = launch_gateway(
                classpath=JAR_PATH,
                javaopts=list(JAVA_OPTIONS),
                die_on_exit=True,
                cwd=BASEPATH,
                return_proc=True,
            )
            self._process: subprocess.Popen[bytes] = process
            parameters = GatewayParameters(auto_field=True, port=port)
            self._gateway = JavaGateway(gateway_parameters=parameters, java_process=process)
            self.server: Any = self._gateway.jvm.scienceworld.runtime.pythonapi.PythonInterface()
        except Exception as error:  # py4j has a family of its own, and OSError for a java that cannot run
            raise RunError(f"scienceworld: the Java machine did not start ({error})") from error

    def close(self) -> None:
        """Ends the machine; kills it where it does not end within five seconds."""
        import contextlib

        process = self._process
        if process.poll() is None or process.stdin is not None:
            with contextlib.suppress(Exception):  # the machine may be gone already; what matters comes next
                self._gateway.shutdown()
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    import contextlib

    for stream in (process.stdin, process.stdout):  # the end of its input ends the machine
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
