"""The sandbox under attack. Where the system cannot isolate, the refusal is tested instead."""

from __future__ import annotations

import doctest
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kshot.errors import SandboxError
from kshot.measure.sandbox import run as sandbox
from kshot.measure.sandbox.run import Outcome, run_code, sandbox_available

needs_sandbox = pytest.mark.skipif(sandbox_available() is not None, reason="no sandbox here")


@pytest.fixture
def fresh_probe() -> Any:
    sandbox_available.cache_clear()
    yield
    sandbox_available.cache_clear()


def refused(program: str, says: str, **limits: Any) -> Outcome:
    outcome = run_code(program, **limits)
    assert not outcome.ok
    assert says in outcome.reason, outcome
    return outcome


@needs_sandbox
def test_examples() -> None:
    assert doctest.testmod(sandbox).failed == 0


def test_the_sandbox_is_there_wherever_the_system_s_own_tools_can_build_one() -> None:
    """Or every other test here would be skipped the day that the sandbox breaks."""
    tools = shutil.which("unshare") and shutil.which("mount")
    kernel = tuple(int(part) for part in os.uname().release.split(".")[:2] if part.isdigit())
    if not tools or kernel < (5, 12) or os.uname().machine not in sandbox._MACHINES:
        pytest.skip("no unshare and mount here, or too old a Linux")
    user = ["--map-root-user"] if os.getuid() else []
    kinds = ["unshare", *user, "--mount", "--net", "--ipc", "--uts", "--pid", "--fork"]
    done = subprocess.run([*kinds, "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this system lets nobody build one")
    assert sandbox_available() is None


@needs_sandbox
def test_a_program_that_ends_well() -> None:
    outcome = run_code("assert 1 + 1 == 2\nprint('grüße')")
    assert (outcome.ok, outcome.reason, outcome.stdout_tail) == (True, "", "grüße\n")
    assert 0 < outcome.seconds < 5


@needs_sandbox
def test_ordinary_python_works() -> None:
    program = """
import asyncio, dataclasses, pickle, sqlite3, subprocess, sys, tempfile, threading, unittest
@dataclasses.dataclass
class Point:
    x: int
assert __name__ == "__main__" and sys.argv == ["program.py"]
assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
asyncio.run(asyncio.sleep(0))
thread = threading.Thread(target=print, args=("thread",))
thread.start()
thread.join()
with tempfile.TemporaryFile() as file:
    file.write(b"1")
done = subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True, check=True)
assert done.stdout == b"5\\n"
sqlite3.connect("rows.db").execute("create table t (x)")
class Case(unittest.TestCase):
    def test(self):
        self.assertEqual(1, 1)
unittest.main(exit=False)
"""
    outcome = run_code(program)
    assert outcome.ok, outcome


@needs_sandbox
def test_sets_come_in_the_same_order_every_time() -> None:
    program = "print({'a', 'b', 'c', 'd', 'e', 'f'})"
    assert len({run_code(program).stdout_tail for _ in range(4)}) == 1


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("raise ValueError('seven')", "ValueError: seven"), ("assert 1 == 2, 'no'", "AssertionError: no"),
        ("def", "SyntaxError"), ("x = '\ud800'", "SyntaxError"), ("x = 1\0", "null bytes"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"), ("import sys; sys.exit(3)", "exit code 3"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)  # fmt: skip
def test_a_program_that_fails_says_why(program: str, says: str) -> None:
    refused(program, says)


@needs_sandbox
@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(0)", "raise SystemExit", "import os; os._exit(0)", "exit()", "quit(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import atexit, os; atexit.register(os._exit, 0); raise ValueError",
        "import sys; sys.excepthook = lambda *a: __import__('os')._exit(0); assert False",
        "import os\nif os.fork(): os.wait(); os._exit(0)\nassert False",
        "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'ok')\n    except OSError: pass\n"
        "os._exit(0)",
        "import os, sys\nprint('ok'); print('PASSED'); sys.stdout.flush(); os._exit(0)",
        "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'pass'])",
        "import builtins, os; builtins.AssertionError = KeyError; os.close(2); os._exit(0)",
    ],
)  # fmt: skip
def test_ending_early_is_no_success(program: str) -> None:
    assert not run_code(program + "\nassert False").ok


@needs_sandbox
def test_the_token_is_not_in_the_program_s_memory_arguments_or_files(monkeypatch: pytest.MonkeyPatch) -> None:
    token = b"token-of-this-test-0123456789abc"
    monkeypatch.setattr("kshot.measure.sandbox.run.secrets.token_bytes", lambda count: token[:count])
    program = f"""
import gc, os, sys
wanted = bytes(reversed({token[::-1]!r}))
frame, found = sys._getframe(), [dict(os.environ), sys.argv, sys.orig_argv]
while frame.f_back:
    frame = frame.f_back
    found += [frame.f_locals, frame.f_globals, frame.f_code.co_consts]
found += gc.get_referents(*gc.get_objects())
texts = [x for x in found if type(x) is bytes and x is not wanted]
assert len(texts) > 10 and not [x for x in texts if wanted in x], "in memory"
assert wanted.decode() not in repr(found[:20]), "in frames"
"""
    outcome = run_code(program)
    assert outcome.ok, outcome


@needs_sandbox
@pytest.mark.parametrize(
    "program",
    [
        "while True: pass", "import time; time.sleep(60)",
        "try:\n  while True: pass\nexcept BaseException: pass",
        "import signal, time\nfor s in range(1, 32):\n  try: signal.signal(s, 1)\n  except OSError: pass\n"
        "while True: time.sleep(1)",
        "import os, time; os.close(1); os.close(2); time.sleep(60)", "10 ** 10 ** 10",
        "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    ],
)  # fmt: skip
def test_time_is_bounded(program: str) -> None:
    began = time.monotonic()
    refused(program, "time", seconds=0.5)
    assert time.monotonic() - began < 8


@needs_sandbox
def test_memory_is_bounded() -> None:
    refused("x = bytearray(600 * 2**20)", "memory", memory_mb=512)
    refused("x = []\nwhile True: x.append(bytearray(2**20))", "memory", memory_mb=128)
    assert run_code("x = bytearray(100 * 2**20)", memory_mb=512).ok


@needs_sandbox
def test_processes_are_bounded() -> None:
    program = """
import os, time
count = 0
try:
    while count < 100:
        if os.fork() == 0:
            time.sleep(60)
        count += 1
except OSError as error:
    print(count, error.errno)
"""
    outcome = run_code(program, processes=5)
    assert outcome.ok, outcome
    count, errno = map(int, outcome.stdout_tail.split())
    assert 1 <= count < 5
    assert errno == 11


@needs_sandbox
def test_what_a_program_starts_ends_with_it() -> None:
    mark = f"7{os.getpid()}.25"
    program = f"""
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep({mark})"])
    os._exit(0)
os.wait()
"""
    began = time.monotonic()
    assert run_code(program).ok
    assert time.monotonic() - began < 5
    time.sleep(0.2)
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in running if mark.encode() in line]


@needs_sandbox
def test_output_is_bounded() -> None:
    refused("while True: print('x' * 1000)", "output", output_mb=1)
    outcome = run_code("print('a' * 50_000)\nprint('end')")
    assert outcome.ok
    assert outcome.stdout_tail.endswith("a\nend\n")
    assert len(outcome.stdout_tail) == 20_000


@needs_sandbox
def test_files_are_bounded() -> None:
    refused("open('f', 'wb').write(b'x' * 20 * 2**20)", "OSError", folder_mb=4)
    many = "for i in range(9):\n    open(f'f{i}', 'wb').write(b'x' * 2**20)"
    refused(many, "No space left", folder_mb=4)
    refused("for i in range(10_000): open(f'f{i}', 'w').close()", "No space left")


@needs_sandbox
def test_the_network_is_not_there_not_even_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        met: list[Any] = []
        thread = threading.Thread(target=lambda: met.append(server.accept()), daemon=True)
        thread.start()
        port = server.getsockname()[1]
        refused(f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)", "PermissionError")
        # Without Python's socket module, and past the filter's first door.
        for kind in (1, 2, 10, 16, 17, 40):
            call = f"import ctypes\nassert ctypes.CDLL(None).socket({kind}, 1, 0) == -1"
            assert run_code(call).ok
        assert not met
        with socket.create_connection(("127.0.0.1", port)) as other:  # the server does answer
            thread.join(5)
            assert met
            met[0][0].close()
            assert other


@needs_sandbox
def test_the_network_namespace_itself_is_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second wall alone: with the filter on system calls taken away, there is still nowhere to go."""
    source = sandbox._ISOLATION.read_text("utf-8")
    call = '    call("filter system calls"'
    assert source.count(call) == 1
    unfiltered = source.replace(call, "    return\n" + call)
    program = """
import socket
with open("seen", "w") as file:
    for address in ("127.0.0.1", "8.8.8.8"):
        try:
            socket.create_connection((address, 9), 2)
        except OSError as error:
            print(error.errno)
"""
    path = tmp_path / "isolation.py"
    path.write_text(unfiltered, "utf-8")
    monkeypatch.setattr(sandbox, "_ISOLATION", path)
    outcome = run_code(program)
    assert outcome.ok
    assert outcome.stdout_tail.split() == ["101", "101"]  # ENETUNREACH


@needs_sandbox
def test_nothing_outside_the_folder_can_be_written_or_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret", "utf-8")
    secret.chmod(0o666)
    tmp_path.chmod(0o777)
    for path in (
        secret,
        Path.home() / ".bashrc",
        Path("/etc/passwd"),
        Path("/proc/self/environ"),
        Path(__file__),
    ):
        refused(f"print(open({str(path)!r}).read())", "FileNotFoundError")
    for path in (
        tmp_path / "new",
        Path("/new"),
        Path("/tmp/new"),
        Path(os.__file__),
        Path("/etc/new"),
        Path("/dev/new"),
    ):
        refused(f"open({str(path)!r}, 'a').write('x')", "Error")
    for call in ("os.remove(os.__file__)", "os.chmod(os.__file__, 0o777)", "os.rename(os.__file__, 'os.py')"):
        refused(f"import os; {call}", "Error")
    assert secret.read_text("utf-8") == "the secret"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.txt"]
    assert not Path("/new").exists()


@needs_sandbox
def test_what_is_shown_is_read_only_even_where_everybody_may_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in (tmp_path, tmp_path / "inner"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    shown = [*sandbox._visible(), (str(tmp_path), str(tmp_path))]
    monkeypatch.setattr(sandbox, "_visible", lambda: shown)
    assert run_code(f"import os; assert os.listdir({str(tmp_path)!r}) == ['inner']").ok
    for folder in (tmp_path, tmp_path / "inner"):
        refused(f"open({str(folder / 'new')!r}, 'w')", "Read-only file system")


@needs_sandbox
def test_the_folder_is_empty_each_time_and_the_environment_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "secret-key")
    program = """
import os
assert os.listdir(".") == [], os.listdir(".")
assert not {"API_KEY", "PATH", "USER"} & set(os.environ), os.environ
assert os.environ["HOME"] == os.getcwd() == os.path.expanduser("~")
open("left", "w").close()
"""
    for _ in range(2):
        outcome = run_code(program)
        assert outcome.ok, outcome


@needs_sandbox
def test_no_rights_and_no_way_out() -> None:
    program = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
assert os.getuid() != 0 and os.getgid() != 0 and os.getgroups() in ([], [65534])
assert libc.unshare(0x10000000) == -1 and libc.unshare(0x40000000) == -1
assert libc.mount(b"none", b".", b"tmpfs", 0, None) == -1
assert libc.ptrace(16, 1, 0, 0) == -1 and libc.chroot(b"/") == -1
assert not os.path.exists("/proc") and not os.path.exists("/.old") and not os.path.exists("/sys")
for call in (os.setuid, os.setgid):
    try:
        call(0)
        raise AssertionError("became root")
    except OSError:
        pass
for signal in (15, 9):
    try:
        os.kill(1, signal)  # refused, or passed over by process 1
    except PermissionError:
        pass
"""
    outcome = run_code(program)
    assert outcome.ok, outcome


@needs_sandbox
def test_clones_into_a_new_user_namespace_are_refused() -> None:
    program = """
import ctypes, os, platform
clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
clone3 = 435
libc = ctypes.CDLL(None, use_errno=True)
assert libc.syscall(clone, ctypes.c_ulong(0x10000000 | 17), None, None, None, None) == -1
assert ctypes.get_errno() == 1
assert libc.syscall(clone3, None, 0) == -1 and ctypes.get_errno() == 38
assert libc.syscall(425, 1, None) == -1 and ctypes.get_errno() == 1  # io_uring
"""
    outcome = run_code(program)
    assert outcome.ok, outcome


@needs_sandbox
def test_many_at_once_keep_apart() -> None:
    program = "import time; open('mine', 'x').write('{}'); time.sleep(0.1); print(open('mine').read())"
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(run_code, [program.format(i) for i in range(12)]))
    assert [outcome.stdout_tail for outcome in outcomes] == [f"{i}\n" for i in range(12)]


@needs_sandbox
def test_large_programs_and_no_program() -> None:
    assert run_code("x = 1\n" * 60_000 + "assert x == 1", seconds=30, memory_mb=2048).ok
    assert run_code("").ok


@needs_sandbox
def test_no_file_descriptor_is_left_open() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    run_code("")
    before = count()
    for program in ("", "while True: pass", "assert False"):
        run_code(program, seconds=0.2)
    assert count() == before


@needs_sandbox
def test_it_works_for_an_ordinary_user_too() -> None:
    """As root, once more as nobody with the system's own Python (which need not know kshot's packages)."""
    python = Path("/usr/bin/python3")
    if os.getuid() != 0 or not python.exists():
        pytest.skip("not root, or no system Python to be another user with")
    modules = [Path(sandbox.__file__).with_name(name) for name in ("run.py", "watch.py", "isolation.py")]
    errors = Path(sandbox.__file__).parents[2].joinpath("errors.py")
    folder = Path(tempfile.mkdtemp())
    package = folder / "kshot" / "measure" / "sandbox"
    package.mkdir(parents=True)
    try:
        for module in modules:
            (package / module.name).write_text(module.read_text("utf-8"), "utf-8")
        (folder / "kshot" / "errors.py").write_text(errors.read_text("utf-8"), "utf-8")
        code = (
            f"import sys; sys.path.insert(0, {str(folder)!r}); sys.dont_write_bytecode = True\n"
            "if sys.version_info < (3, 11): print('old'); sys.exit()\n"
            "from kshot.measure.sandbox.run import run_code, sandbox_available\n"
            "print(sandbox_available() or [run_code(p).ok for p in ('x = 1', 'open(\"/etc/passwd\")')])"
        )
        subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
        done = subprocess.run(
            [str(python), "-c", code],
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            cwd="/",
            env={},
            check=False,
        )
    finally:
        shutil.rmtree(folder)
    assert done.stdout.strip() in ("[True, False]", "old") or "generated code is not run" in done.stdout, (
        done.stderr
    )


@pytest.mark.usefixtures("fresh_probe")
def test_a_system_that_cannot_isolate_refuses_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "isolation.py"
    broken.write_text(
        "import os, sys\nos.write(int(sys.argv[1]), b'new namespaces: Operation not permitted')\n"
        "os._exit(125)\n",
        "utf-8",
    )
    monkeypatch.setattr(sandbox, "_ISOLATION", broken)
    reason = sandbox_available()
    assert reason is not None
    assert "new namespaces: Operation not permitted" in reason
    assert "generated code is not run unprotected. Use Linux" in reason
    with pytest.raises(SandboxError, match="CAP_SYS_ADMIN"):
        run_code("x = 1")


@pytest.mark.usefixtures("fresh_probe")
def test_a_launcher_that_dies_silently_is_no_wrong_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for text in ("raise SystemExit(0)", "import nowhere", "", "not python"):
        sandbox_available.cache_clear()
        path = tmp_path / "isolation.py"
        path.write_text(text, "utf-8")
        monkeypatch.setattr(sandbox, "_ISOLATION", path)
        assert "the sandbox could not be built" in (sandbox_available() or "")


@pytest.mark.usefixtures("fresh_probe")
@needs_sandbox
def test_a_sandbox_that_leaks_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = sandbox._ISOLATION.read_text("utf-8")
    leaky = source.replace('    read_only("/", recursive=False)\n', "    os.chmod('/', 0o777)\n")
    assert leaky != source
    path = tmp_path / "isolation.py"
    path.write_text(leaky, "utf-8")
    monkeypatch.setattr(sandbox, "_ISOLATION", path)
    assert "did not hold its own test (AssertionError: write)" in (sandbox_available() or "")


@pytest.mark.usefixtures("fresh_probe")
@pytest.mark.parametrize(("name", "says"), [("darwin", "needs Linux"), ("win32", "needs Linux")])
def test_other_systems(monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    monkeypatch.setattr(sys, "platform", name)
    assert says in (sandbox_available() or "")


@pytest.mark.usefixtures("fresh_probe")
def test_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_MACHINES", ())
    assert "does not know the system calls of" in (sandbox_available() or "")


@pytest.mark.parametrize(
    "limits", [{"seconds": 0}, {"seconds": float("nan")}, {"memory_mb": -1}, {"processes": 0}]
)
def test_limits_that_make_no_sense(limits: dict[str, Any]) -> None:
    with pytest.raises(SandboxError, match=f"{next(iter(limits))} is"):
        run_code("x = 1", **limits)
