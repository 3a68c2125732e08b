"""The program inside the jail: it imports NumPy once, then forks a process for each submission.

Standard library and NumPy only; it does not import the package it lies in. Three processes matter:

    keeper   waits on descriptor 0 for two sockets and the limits of a submission; never sees a submission
    watcher  one a submission: makes fresh namespaces, forks the answer, kills it when its leash is let go
    answer   process 1 of its namespaces: sets the limits, gives up every right, runs the learner's code

Nothing here is secret, and nothing the answer process says is trusted by the grader.
"""

import builtins
import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import types

NAMESPACES = 0x00020000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000  # mount, ipc, user, pid, net
NOSUID_NODEV = 2 | 4
PDEATHSIG, DUMPABLE, CAPBSET_DROP, NO_NEW_PRIVS = 1, 4, 24, 38
LAST_CAPABILITY = 63


def keeper(mode, uid, packages):
    """Drop the uid, load NumPy, and serve until the grader is gone. mode: "warm", "single" or "unsafe"."""
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        _libc("prctl", DUMPABLE, 1, 0, 0, 0)  # else /proc/self would stay root's, and no namespace could be mapped
    sys.path.append(packages)
    tools = types.SimpleNamespace(**{name: _load(name) for name in ("wire", "syscalls", "answer")})
    for module in ("numpy.random", "numpy.linalg", "numpy.fft", "collections", "dataclasses", "linecache", "traceback"):
        importlib.import_module(module)  # here, once, not in every submission's process
    gc.collect()
    gc.freeze()  # forked processes share what is there
    control = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, 65536, 2)
        if not text:
            return
        if not os.fork():
            control.close()
            _never_back(watcher, mode, json.loads(text), *descriptors, tools)
        for descriptor in descriptors:
            os.close(descriptor)


def _load(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(os.path.dirname(__file__), f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _never_back(job, *arguments):
    try:
        job(*arguments)
    finally:
        os._exit(70)


# --- watcher -------------------------------------------------------------------------------------------------


def watcher(mode, limits, data, leash, tools):
    """Run the answer in a place of its own; when the leash is pulled or let go, end it and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    leash = socket.socket(fileno=leash)
    try:
        place = PLACES[mode](limits["file"])
    except OSError as e:
        leash.send(f"no namespaces: {e}".encode())
        return
    child = os.fork()
    if not child:
        leash.close()
        _never_back(answer, limits, data, place, tools)
    os.close(data)
    leash.recv(1)
    _kill(child, mode)
    _, status = os.waitpid(child, 0)
    if mode == "unsafe":
        shutil.rmtree(place, ignore_errors=True)
    leash.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _kill(child, mode):
    if mode == "unsafe":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)  # process 1 of its namespace: all in it end with it


def isolate(size):
    """Fresh user, pid, mount, ipc and net namespaces, an empty /tmp of `size` bytes, and no /proc."""
    uid, gid = os.getuid(), os.getgid()
    _libc("unshare", NAMESPACES)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    for where, option in ((b"/tmp", f"size={size},nr_inodes=4096,mode=0700"), (b"/proc", "size=4k,mode=0555")):
        _libc("mount", b"tmpfs", where, b"tmpfs", NOSUID_NODEV, option.encode())
    _libc("mount", None, b"/proc", None, NOSUID_NODEV | 1 | 32, None)  # read-only
    return "/tmp"


PLACES = {"warm": isolate, "single": lambda size: "/tmp",
          "unsafe": lambda size: tempfile.mkdtemp(prefix="nnbook-answer-")}


def _libc(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


# --- answer: from here on nothing is trusted ---------------------------------------------------------------------


def answer(limits, data, place, tools):
    """Give up every right, then run cells and calls as the grader asks, until it closes the socket."""
    os.setsid()
    os.chdir(place)
    os.dup2(data, 3, inheritable=False)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(4, 4096)
    for name in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(name, signal.SIG_DFL)
    channel = tools.wire.Channel(socket.socket(fileno=3))
    confine(limits)
    if sys.platform == "linux":
        tools.syscalls.deny()
    tools.answer.Answer(channel, limits, tools.wire).serve()


def confine(limits):
    """The limits that NumPy lives with, no capability, no way to gain one."""
    memory, size, seconds = limits["memory"], limits["file"], int(limits["total"]) + 5
    bounds = {"AS": memory, "CPU": seconds, "FSIZE": size, "NOFILE": 64, "CORE": 0, "NPROC": 0, "MSGQUEUE": 0,
              "MEMLOCK": 0, "RTPRIO": 0, "NICE": 0, "SIGPENDING": 64}
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        for capability in range(LAST_CAPABILITY + 1):
            prctl(CAPBSET_DROP, capability, 0, 0, 0)
        prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
        header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        _libc("capset", header, nothing)
    for name, bound in bounds.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (bound, bound))


if __name__ == "__main__":
    vars(builtins).update(exit=sys.exit, quit=sys.exit)
    keeper(sys.argv[1], int(sys.argv[2]), sys.argv[3])
