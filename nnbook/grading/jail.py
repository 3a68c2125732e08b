"""The jail: a warm keeper that forks one closed-off process for each submission.

Each submission has namespaces of its own (user, pid, mount, ipc, net) and an empty /tmp, and everything in them is
killed when it ends, when a deadline passes or when the grader goes away: nothing stays for the next.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict

from nnbook.grading.bubblewrap import ALLOW, HERE, available, command, parts, program, variables

STARTS_WITHIN = 60.0


class Lost(BaseException):
    """The answer's process is gone. No Exception, so that no test swallows it; `status` is "timeout" or "crash"."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status, self.reason = status, reason


class Keeper:
    """A warm process with NumPy imported, for one submission after the other; a context manager.

    It starts at once without being waited for. `packages` are the modules to be had inside besides the standard
    library. unsafe=True does without bubblewrap: limits only. lenient=True, for one's own work, does so where
    there is no jail; else RuntimeError is raised, with an instruction. For one thread at a time.
    """

    def __init__(self, packages=("numpy",), unsafe=False, lenient=False):
        there = sys.platform == "linux" and shutil.which("bwrap")
        if not there and not unsafe and not lenient:
            raise RuntimeError(available())
        self.packages, self.mode = tuple(packages), "warm" if there and not unsafe else "unsafe"
        self.lenient = lenient
        self._process = None
        self._start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def session(self, limits):
        """A fresh process for one submission. Raises RuntimeError where the jail does not start."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        try:
            return self._session(limits)
        except _NoNamespaces:  # the keeper may not nest them: one jail for each submission
            return self._instead("single", limits)
        except RuntimeError:
            if self.mode == "unsafe" or not self.lenient:
                raise
            return self._instead("unsafe", limits)

    def _instead(self, mode, limits):
        self.close()
        self.mode = mode
        self._start()
        return self._session(limits)

    def _session(self, limits):
        (data, inner_data), (leash, inner_leash) = socket.socketpair(), socket.socketpair()
        with inner_data, inner_leash:
            try:
                text = json.dumps(asdict(limits)).encode()
                socket.send_fds(self._control, [text], [inner_data.fileno(), inner_leash.fileno()])
            except OSError:
                raise RuntimeError(self._why()) from None
        return Session(self, data, leash)

    def _start(self):
        self._control, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the keeper)
        with inner:
            if self.mode == "unsafe":
                origins = [str(path.parent) for path in parts(self.packages[:1])]
                words = [sys.executable, *program(HERE, self.mode, False, origins[0] if origins else "")]
            else:
                words = command(self.mode, self.packages)
            self._process = subprocess.Popen(
                words, stdin=inner, stdout=subprocess.DEVNULL, stderr=self._errors, start_new_session=True,
                env=variables() | {"PATH": os.environ.get("PATH", os.defpath)})

    def _why(self):
        self.close()
        return f"the jail does not start ({self._said[-300:] or 'no reason given'}). {ALLOW}"

    def close(self):
        """End the keeper, and whatever still runs under it."""
        if self._process is None:
            return
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # with bwrap's second process, which may be no child yet
        self._process.wait()
        self._errors.seek(0)
        self._said = self._errors.read().decode(errors="replace").strip()
        self._errors.close()
        self._process = None


class _NoNamespaces(Exception):
    pass


class Session:
    """The process of one submission: ask it, and close it."""

    def __init__(self, keeper, data, leash):
        self.keeper, self.data, self.leash, self.number = keeper, data, leash, 0
        from nnbook.grading import wire  # NumPy: only now, while the keeper loads its own

        self.wire, self.channel = wire, wire.Channel(data, deadlines=True)
        try:
            if self.channel.receive(time.monotonic() + STARTS_WITHIN) != "ready":
                raise wire.Garbled("no greeting")
        except (OSError, EOFError, wire.Garbled):
            self._no_start()

    def _no_start(self):
        said = self._end()
        if said.startswith("no namespaces"):
            raise _NoNamespaces(said)
        raise RuntimeError(f"{self.keeper._why()} {said}")

    def ask(self, seconds, limit, verb, *rest):
        """Send a request, return the reply: its first word and what belongs to it.

        Raises Lost where none comes within `seconds`, where it is larger than `limit` bytes or no reply at
        all, or where the process ends; the session is closed then. Raises wire.Refused where the request
        holds what does not cross.
        """
        self.number += 1
        frame = self.wire.pack([verb, self.number, *rest])
        deadline = time.monotonic() + seconds
        try:
            self.channel.send(frame, deadline)
            reply = self.channel.receive(deadline, limit)
        except TimeoutError:
            self.close()
            raise Lost("timeout", f"no answer within {seconds:.1f} s") from None
        except (OSError, EOFError):
            raise Lost("crash", f"its process ended: {_ended(self.close())}") from None
        except self.wire.Garbled as e:
            self.close()
            raise Lost("crash", f"what came back is no answer: {e}") from None
        if not _is_reply(reply, self.number):
            self.close()
            raise Lost("crash", "what came back is no answer to what was asked")
        return reply[1:]

    def close(self):
        """End everything that runs for this submission; return how it ended ("" where that is not known)."""
        said = self._end()
        if self.keeper.mode == "single":
            self.keeper.close()
        return said

    def _end(self):
        """Let go of the leash, and wait until the watcher says that all is dead."""
        if self.leash.fileno() < 0:
            return ""
        try:
            self.leash.settimeout(10)
            self.leash.shutdown(socket.SHUT_WR)
            return self.leash.recv(200).decode(errors="replace")
        except OSError:
            self.keeper.close()
            return ""
        finally:
            self.leash.close()
            self.data.close()


def _is_reply(reply, number):
    if type(reply) is not list or len(reply) < 3 or type(reply[0]) is not int or reply[0] != number:
        return False
    if type(reply[1]) is not str or reply[1] not in ("done", "refused", "raised"):
        return False
    texts = reply[2:] if reply[1] != "done" else []
    return all(type(text) is str for text in texts) and (reply[1] != "raised" or len(texts) > 1)


def _ended(said):
    try:
        code = int(said)
    except ValueError:
        return "no reason is known"
    try:
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    except ValueError:
        return f"killed by signal {-code}"
