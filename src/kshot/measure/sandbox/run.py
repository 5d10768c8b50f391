"""Generated code run apart: no network, nothing to read or write, bounded time, memory and processes.

What holds the code is Linux itself (namespaces, a root of its own, resource limits, a filter on system
calls; see ``isolation.py``). Where the system cannot give all of it, nothing is run.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from kshot.errors import SandboxError
from kshot.measure.sandbox.watch import READY, Watch

_SYSTEM = (
    "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64",
    "/etc/ld.so.cache", "/usr/share/zoneinfo",
)  # fmt: skip
# A script of its own, never imported: it loads what only Linux has.
_ISOLATION = Path(__file__).resolve().with_name("isolation.py")
_MACHINES = ("x86_64", "aarch64")  # whose system calls it knows
_FOLDER = "/sandbox"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a program.

    Attributes:
        ok: It ran to its last line, and Python then ended without an error.
        reason: Why it did not, in a few words (``time``, ``memory``, ``output``, ``ended early``, or
            Python's own last words); empty if it did.
        stdout_tail: The last 20,000 characters it printed.
        seconds: Wall time, start included.
    """

    ok: bool
    reason: str
    stdout_tail: str
    seconds: float


def run_code(
    program: str,
    *,
    seconds: float = 5.0,
    memory_mb: int = 512,
    folder_mb: int = 16,
    processes: int = 8,
    output_mb: int = 4,
) -> Outcome:
    """Run a Python program apart from everything else, and say whether it reached its last line.

    The program sees this interpreter with its installed packages (read-only), the system's libraries and
    an empty folder of ``folder_mb``; no home, no environment, no network (not even to this machine), no
    other process. ``seconds`` bound wall and processor time; ``memory_mb`` each of at most ``processes``
    processes and threads; above ``output_mb`` of output it is stopped. When it ends, all that it started
    ends with it.

    Leaving early (``sys.exit(0)``, ``os._exit(0)``) is no success: a random token, which lies in a pipe
    and nowhere in the program's memory, must come back after the last line. That stops short cuts, not a
    program written against kshot: no judge inside the judged process can do that.

    Raises:
        SandboxError: This system cannot isolate the program, or a limit makes no sense.

    >>> run_code("assert 1 + 1 == 2").ok, run_code("import sys; sys.exit(0)").reason
    (True, 'ended early')
    """
    limits = {"seconds": seconds, "memory_mb": memory_mb, "folder_mb": folder_mb, "processes": processes,
              "output_mb": output_mb}  # fmt: skip
    if wrong := [f"{name} is {value!r}" for name, value in limits.items() if not 0 < value < float("inf")]:
        raise SandboxError(f"{', '.join(wrong)}; expected a number above 0")
    if reason := sandbox_available():
        raise SandboxError(reason)
    return _run(program, limits)


@cache
def sandbox_available() -> str | None:
    """None where generated code can be run apart; else why not, and what to do. Probed once.

    >>> sandbox_available() is None or "generated code is not run" in sandbox_available()
    True
    """
    remedy = (
        "; generated code is not run unprotected. Use Linux 5.12 or newer on x86-64 or 64-bit ARM, as a user "
        "who may create user namespaces (sysctl user.max_user_namespaces; on Ubuntu 24.04 and newer "
        "kernel.apparmor_restrict_unprivileged_userns=0), or as root with CAP_SYS_ADMIN (in a container: "
        "--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined)"
    )
    if sys.platform != "linux":
        return f"the sandbox needs Linux, and this is {sys.platform}{remedy}"
    if os.uname().machine not in _MACHINES:
        return f"the sandbox does not know the system calls of {os.uname().machine}{remedy}"
    try:
        limits = {"seconds": 10, "memory_mb": 512, "folder_mb": 1, "processes": 4, "output_mb": 1}
        outcome = _run(_PROBE, limits)
    except SandboxError as error:
        return f"the sandbox could not be built: {error}{remedy}"
    return None if outcome.ok else f"the sandbox did not hold its own test ({outcome.reason}){remedy}"


# What must fail inside, tried inside: a socket, a write outside the folder, a look at other processes.
_PROBE = """
import os
def refused(action):
    try:
        action()
    except OSError:
        return True
    return False
import socket
assert refused(lambda: socket.create_connection(("127.0.0.1", 9))), "network"
assert refused(lambda: open("/outside", "w")), "write"
assert refused(lambda: open(os.__file__, "a")), "write to Python"
assert refused(lambda: os.listdir("/proc/1")), "processes"
assert os.getuid() != 0 and os.listdir() == [], "user and folder"
open("inside", "w").close()
"""


def _run(program: str, limits: dict[str, Any]) -> Outcome:
    began = time.monotonic()
    token = secrets.token_bytes(32)
    with ExitStack() as stack:
        pipes = [_pipe(stack) for _ in range(3)]
        (token_out, token_in), (done_out, done_in), (status_out, status_in) = pipes
        token_in.write(token)
        passed = [token_out.fileno(), done_in.fileno(), status_in.fileno()]
        process = stack.enter_context(_start(passed))
        stack.callback(_bury, process)
        for end in (token_in, token_out, done_in, status_in):
            end.close()
        _tell(process, _plan(program, limits, passed))
        watch = Watch(process, status_out, seconds=limits["seconds"], output_mb=limits["output_mb"])
        cause = watch.follow()
        _bury(process)
        ok = not cause and process.returncode == 0 and done_out.read() == token
    reason = "" if ok else cause or _reason(process.returncode, watch.errors)
    return Outcome(ok, reason, watch.output, time.monotonic() - began)


def _pipe(stack: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return (
        stack.enter_context(os.fdopen(reading, "rb", buffering=0)),
        stack.enter_context(os.fdopen(writing, "wb", buffering=0)),
    )


def _start(passed: list[int]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", "-B", str(_ISOLATION), str(passed[-1])]
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={},
            cwd="/",
            pass_fds=passed,
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxError(f"Python could not be started at {sys.executable}: {error}") from error


def _tell(process: subprocess.Popen[bytes], plan: dict[str, Any]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as file:
            file.write(json.dumps(plan).encode())


def _bury(process: subprocess.Popen[bytes]) -> None:
    """End the process group; process 1 inside is in it and takes everything else along."""
    with suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _plan(program: str, limits: dict[str, Any], passed: list[int]) -> dict[str, Any]:
    """What ``isolation.py`` is told."""
    memory, processor = int(limits["memory_mb"] * 2**20), int(limits["seconds"]) + 2
    return {
        "program": program,
        "python": sys.executable,
        "visible": _visible(),
        "ready": READY.decode(),
        "folder": _FOLDER,
        "folder_mb": max(1, int(limits["folder_mb"])),
        "token": passed[0],
        "done": passed[1],
        "status": passed[2],
        "limits": {
            "RLIMIT_AS": (memory, memory),
            "RLIMIT_CPU": (processor, processor + 1),
            "RLIMIT_FSIZE": (int(limits["folder_mb"] * 2**20),) * 2,
            "RLIMIT_NPROC": (int(limits["processes"]),) * 2,
            "RLIMIT_NOFILE": (64, 64),
            "RLIMIT_CORE": (0, 0),
            "RLIMIT_MSGQUEUE": (0, 0),
        },
        "environment": {
            "HOME": _FOLDER,
            "TMPDIR": _FOLDER,
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",
        },
    }


@cache
def _visible() -> list[tuple[str, str]]:
    """(real path, path inside) of Python's installation and the system's libraries, parents first."""
    wanted = [*_SYSTEM, sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    wanted += [os.path.realpath(path) for path in wanted]
    hop = sys.executable
    for _ in range(40):
        wanted.append(hop)
        if not os.path.islink(hop):  # noqa: PTH114
            break
        hop = os.path.normpath(Path(hop).parent / os.readlink(hop))  # noqa: PTH115
    if os.path.realpath(sys.executable).startswith("/nix/store/"):
        wanted.append("/nix/store")
    shown: list[str] = []
    for path in sorted({os.path.abspath(path) for path in wanted if os.path.exists(path)}):  # noqa: PTH100, PTH110
        if path == "/":
            raise SandboxError("Python's installation is the root folder, so nothing could be hidden")
        if not any(path.startswith(parent + "/") for parent in shown):
            shown.append(path)
    return [(os.path.realpath(path), path) for path in shown]


def _reason(code: int, errors: str) -> str:
    """A program's end in a few words."""
    if code == 0:
        return "ended early"
    if code == 128 + signal.SIGXCPU:
        return "time"
    last = next((line.strip() for line in reversed(errors.splitlines()) if line.strip()), "")
    if last.startswith("MemoryError"):
        return "memory"
    if 128 < code < 128 + signal.NSIG:
        return f"ended by signal {signal.Signals(code - 128).name}"
    return last[:200] or f"exit code {code}"
