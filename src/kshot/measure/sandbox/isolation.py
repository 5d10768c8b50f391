# This starts anew for every program, and pathlib would slow it: os.path and open instead.
# ruff: noqa: PTH102, PTH103, PTH106, PTH112, PTH120, PTH123
"""The inside of the sandbox: a program that shuts itself in, then becomes the generated program.

``sandbox.py`` starts this file as a script (``python -I -S -B isolation.py``) with a plan on standard
input; nothing of kshot is imported here. In this order:

1. new namespaces for mounts, network, processes, IPC and names (root directly, others in a user namespace);
2. a new root on tmpfs that holds Python and the system's libraries, read-only, three devices, and one
   writable empty folder; the old root is detached, so nothing else exists to be read or written;
3. a child that gives up its user and every capability, takes its limits, filters its system calls
   (no sockets, no mounts, no namespaces, no tracing), and executes Python on the program.

Whatever fails is reported on the status pipe as ``step: reason``, and nothing runs. The network
namespace has no interface that is up, and process 1 takes all processes with it when it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from typing import Any

NEW_MOUNTS, NEW_NAMES, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
MNT_DETACH, AT_FDCWD, AT_RECURSIVE, MOUNT_SETATTR = 2, -100, 0x8000, 442
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
INSIDE_USER = 65534
# Isolated as with -I (the environment is ours, the folder empty), but with a fixed hash seed.
PYTHON_OPTIONS = ("-s", "-P", "-B", "-X", "utf8")
OLD_ROOT = "/.old"
# Denied calls by machine: AUDIT_ARCH, clone, clone3, then socket, unshare, setns, mount, umount2,
# pivot_root, ptrace, keyctl, add_key, request_key, bpf, perf_event_open, userfaultfd, io_uring_setup,
# process_vm_readv, process_vm_writev, kcmp, pidfd_getfd, open_by_handle_at.
MACHINES: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, 56, 435, (41, 272, 308, 165, 166, 155, 101, 250, 248, 249, 321, 298, 323, 425,
                                     310, 311, 312, 438, 304)),
    "aarch64": (0xC00000B7, 220, 435, (198, 97, 268, 40, 39, 41, 117, 219, 217, 218, 280, 241, 282, 425,
                                       270, 271, 272, 438, 265)),
}  # fmt: skip
# What Python runs: the program as __main__, and only when its last line is done, the token's way back.
RUNNER = """
def run(read=__import__("os").read, write=__import__("os").write, close=__import__("os").close):
    import builtins, io, sys, types
    with io.FileIO({program}) as file:
        source = file.readall()
    main = types.ModuleType("__main__")
    main.__builtins__ = builtins
    sys.modules["__main__"] = main
    sys.argv = ["program.py"]
    exec(compile(source, "program.py", "exec", dont_inherit=True), main.__dict__)
    write({done}, read({token}, 64))
run()
"""

libc = ctypes.CDLL(None, use_errno=True)


class StepError(Exception):
    """A step of the isolation failed: its name and the system's reason."""


def call(step: str, name: str, *arguments: Any) -> None:
    """Call the C library and raise ``StepError`` where it returns an error."""
    if getattr(libc, name)(*arguments) == -1:
        raise StepError(f"{step}: {os.strerror(ctypes.get_errno())}")


def prctl(step: str, option: int, value: Any) -> None:
    """Set one property of this process."""
    zero = ctypes.c_ulong(0)
    value = ctypes.c_ulong(value) if isinstance(value, int) else value
    call(step, "prctl", option, value, zero, zero, zero)


def mount(step: str, source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount a file system, or change or bind a mount."""
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    call(step, "mount", texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])


def shut_in(user: int) -> int:
    """New namespaces; returns the user id that the program will have inside."""
    kinds = NEW_MOUNTS | NEW_NAMES | NEW_IPC | NEW_PIDS | NEW_NET
    if user == 0:
        # As root no user namespace is taken: process limits do not bind real root, so it must become
        # somebody else, and a number of its own keeps parallel programs from counting together.
        call("new namespaces as root (needs CAP_SYS_ADMIN)", "unshare", kinds)
        own = 2_000_000_000 + os.getpid() % 100_000_000
        return own if mapped(own) else INSIDE_USER
    group = os.getgid()
    call("new user and network namespaces", "unshare", kinds | NEW_USER)
    maps = {"setgroups": "deny", "gid_map": f"{INSIDE_USER} {group} 1", "uid_map": f"{INSIDE_USER} {user} 1"}
    for name, text in maps.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return INSIDE_USER


def mapped(user: int) -> bool:
    """Whether this user namespace knows a user id; a container may know few."""
    with open("/proc/self/uid_map") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    return any(first <= user < first + count for first, _, count in ranges)


def new_root(visible: list[list[str]], folder: str, *, user: int, folder_mb: int) -> None:
    """A root of ``visible`` (pairs of real path and shown path), read-only, and one writable folder."""
    mount("make mounts private", "none", "/", None, MS_REC | MS_PRIVATE)
    base = next(path for path in ("/tmp", "/mnt", "/var", "/proc") if os.path.isdir(path))  # noqa: S108
    mount("mount a new root", "tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755")
    os.mkdir(base + OLD_ROOT)
    call("change the root", "pivot_root", os.fsencode(base), os.fsencode(base + OLD_ROOT))
    os.chdir("/")
    for real, shown in visible:
        show(real, shown)
    for name in ("null", "zero", "urandom"):
        show(f"/dev/{name}", f"/dev/{name}", device=True)
    os.mkdir(folder)
    options = f"size={folder_mb}m,nr_inodes=4096,mode=0700,uid={user},gid={user}"
    mount("mount the folder", "tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, options)
    call("detach the old root", "umount2", os.fsencode(OLD_ROOT), MNT_DETACH)
    os.rmdir(OLD_ROOT)
    read_only("/", recursive=False)
    os.chdir(folder)


def show(real: str, shown: str, *, device: bool = False) -> None:
    """Bind a file or folder of the old root into the new one, read-only."""
    source = OLD_ROOT + real
    os.makedirs(os.path.dirname(shown), exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(shown, exist_ok=True)
    else:
        os.close(os.open(shown, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(f"show {real}", source, shown, None, MS_BIND | MS_REC)
    if not device:
        read_only(shown, recursive=True)


def read_only(path: str, *, recursive: bool) -> None:
    """Make a mount, or all mounts under it, read-only without set-user bits and devices."""
    attributes = struct.pack("QQQQ", MS_RDONLY | MS_NOSUID | MS_NODEV, 0, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    arguments = (AT_FDCWD, os.fsencode(path), flags, attributes, ctypes.c_size_t(len(attributes)))
    call(f"make {path} read-only (needs Linux 5.12)", "syscall", MOUNT_SETATTR, *arguments)


def limit(limits: dict[str, list[int]]) -> None:
    """Resource limits by name as (soft, hard), never above what is already set."""
    for name, bounds in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        soft, hard = (value if hard == resource.RLIM_INFINITY else min(value, hard) for value in bounds)
        resource.setrlimit(kind, (soft, hard))


def give_up_rights(user: int) -> None:
    """Drop groups, user and capabilities for good, and deny the calls that no test program needs."""
    for capability in range(64):
        with contextlib.suppress(StepError):  # numbers above the kernel's last
            prctl("drop a capability", PR_CAPBSET_DROP, capability)
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    prctl("no new privileges", PR_SET_NO_NEW_PRIVS, 1)
    call("filter system calls", "prctl", PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(_filter()))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _filter() -> _Filter:
    arch, clone, clone3, denied = MACHINES[os.uname().machine]
    allow, no, absent, kill = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # ..., EPERM, ENOSYS, ...
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    code = [(load, 0, 0, 4), (equal, 1, 0, arch), (answer, 0, 0, kill)]
    code += [(load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (answer, 0, 0, no)]  # the x32 numbers
    code += [
        (equal, 0, 1, clone3),
        (answer, 0, 0, absent),
    ]  # its flags lie in memory: the C library uses clone
    for number in denied:
        code += [(equal, 0, 1, number), (answer, 0, 0, no)]
    code += [(equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 0, 1, NEW_USER), (answer, 0, 0, no)]
    code += [(answer, 0, 0, allow)]
    packed = b"".join(struct.pack("HBBI", *line) for line in code)
    return _Filter(len(code), packed)


def become(plan: dict[str, Any], user: int) -> None:
    """The child: limits, rights, then Python on the program. Does not return."""
    program = os.memfd_create("program", 0)
    os.write(program, plan["program"].encode("utf-8", "surrogatepass"))
    os.lseek(program, 0, os.SEEK_SET)
    os.set_inheritable(program, True)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    limit(plan["limits"])
    give_up_rights(user)
    code = RUNNER.format(program=program, token=plan["token"], done=plan["done"])
    os.write(plan["status"], plan["ready"].encode())
    os.execve(plan["python"], [plan["python"], *PYTHON_OPTIONS, "-c", code], plan["environment"])  # noqa: S606


def first_process(plan: dict[str, Any], user: int) -> int:
    """Process 1 inside: builds the root, starts the child, buries orphans, returns the child's status."""
    prctl("tie to the parent", PR_SET_PDEATHSIG, int(signal.SIGKILL))
    libc.sethostname(b"sandbox", 7)
    new_root(plan["visible"], plan["folder"], user=user, folder_mb=plan["folder_mb"])
    if (child := os.fork()) == 0:
        guarded(plan["status"], lambda: become(plan, user))
    os.close(plan["status"])
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def guarded(status: int, action: Any) -> None:
    """Run an action and end the process with its result; a failure goes to the status pipe."""
    try:
        code = action()
        os._exit(code if code >= 0 else 128 - code)
    except BaseException as error:
        text = str(error) if isinstance(error, StepError) else f"{type(error).__name__}: {error}"
        os.write(status, text.encode("utf-8", "replace")[:2000])
        os._exit(125)


def main() -> int:
    """Read the plan, shut in, start process 1, and end as it ends."""
    plan = json.loads(sys.stdin.buffer.read())
    os.set_inheritable(plan["status"], False)
    user = shut_in(os.getuid())
    prctl("tie to the parent", PR_SET_PDEATHSIG, int(signal.SIGKILL))  # later: new credentials would undo it
    if (child := os.fork()) == 0:
        guarded(plan["status"], lambda: first_process(plan, user))
    os.close(plan["status"])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    status_pipe = int(sys.argv[1])
    guarded(status_pipe, main)
