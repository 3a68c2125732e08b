"""bubblewrap's command line for the jail, what is seen inside, and whether it works here.

Inside are the interpreter, its standard library, the shared libraries and NumPy, read-only, and an empty /tmp
of limited size; no network, no home, no /proc for an answer, no `nnbook`, no exercise, no other package. As
root the uid is dropped before anything of a submission runs: for root the limit on processes would not hold.
"""

from __future__ import annotations

import functools
import glob
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

from nnbook.grading.results import Limits

HERE = pathlib.Path(__file__).resolve().parent
NOBODY = 65534
CAP_SYS_ADMIN = 1 << 21
PACKAGES = "/packages"
INSIDE = ("worker", "wire", "syscalls", "answer")
NUMERICS = ("NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE")  # the same rounding inside as outside
UNSAFE = ("Or grade with --unsafe only what you trust: that keeps limits on time and memory, but code of a submission "
          "can then read and change whatever you can.")
INSTALL = f"Install bubblewrap (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap). {UNSAFE}"
ALLOW = f"In a container, allow namespaces (Docker: --cap-add SYS_ADMIN --security-opt seccomp=unconfined). {UNSAFE}"


def command(mode, packages):
    """bubblewrap's command line for a keeper."""
    root = _is_privileged()
    executable = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    binds = {f"{PACKAGES}/{path.name}": path for path in parts(packages)}
    binds |= {f"/engine/{name}.py": HERE / f"{name}.py" for name in INSIDE}
    binds[executable] = executable
    words = ["bwrap", *_namespaces(root), "--die-with-parent", "--new-session", "--clearenv", *_environment()]
    words += _folders([*binds, *_libraries(), "/dev/null", "/tmp/", "/proc/"])
    for path in _libraries():
        words += ["--ro-bind-try", path, path]
    for folder in _masked():
        words += ["--perms", "0555", "--tmpfs", folder, "--remount-ro", folder]
    for inside, outside in binds.items():
        words += ["--ro-bind", str(outside), inside]
    for device in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"):
        words += ["--dev-bind", device, device]
    room = ["--perms", "1777", "--size", str(Limits.file), "--tmpfs", "/tmp"]
    words += ["--proc", "/proc"] if mode == "warm" else room
    return [*words, "--remount-ro", "/", "--chdir", "/", executable, *program("/engine", mode, root, PACKAGES)]


def _is_privileged():
    """Whether this is root with the right to make namespaces; without it, root is a user like any other."""
    status = pathlib.Path("/proc/self/status").read_text()
    return os.geteuid() == 0 and bool(int(re.search(r"CapEff:\s*(\w+)", status)[1], 16) & CAP_SYS_ADMIN)


def _namespaces(root):
    """As root no user namespace, as its owner's files may be closed to all others; two rights, to drop the uid."""
    if not root:
        return ["--unshare-all", "--uid", str(NOBODY), "--gid", str(NOBODY), "--cap-drop", "ALL"]
    words = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    return [*words, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]


def program(folder, mode, root, packages):
    uid = NOBODY if root and mode != "unsafe" else 0
    return ["-s", "-S", "-P", "-B", f"{folder}/worker.py", mode, str(uid), packages]


def variables():
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    here = {name: os.environ[name] for name in NUMERICS if name in os.environ}
    return one | {"PYTHONHASHSEED": "0", "HOME": "/tmp", "LANG": "C.UTF-8"} | here


def _environment():
    return [word for name, value in variables().items() for word in ("--setenv", name, value)]


def _libraries():
    """The folders of the interpreter's library and of the shared libraries that it has loaded, C's among them."""
    loaded = re.findall(r"\s(/\S+\.so[.\d]*)$", pathlib.Path("/proc/self/maps").read_text(), re.MULTILINE)
    paths = [os.path.dirname(path) for path in loaded if "-packages/" not in path]
    paths += [path.removeprefix("/usr") for path in paths if path.startswith("/usr/lib")]
    paths += [os.path.dirname(os.__file__), "/lib64", "/etc/ld.so.cache", "/nix/store"]
    paths += [f"{sys.base_prefix}/lib"] if sys.base_prefix not in ("/usr", "/usr/local") else []
    there = [path for path in dict.fromkeys(paths) if os.path.exists(path)]
    return [path for path in there if not any(path.startswith(other + "/") for other in there)]


def _masked():
    """Folders of installed packages, and this project, where they lie within what is bound."""
    folders = [f for path in _libraries() for name in ("site", "dist") for depth in ("", "/python3*")
               for f in glob.glob(f"{path}{depth}/{name}-packages")]
    project = str(HERE.parents[1])
    inside = [path for path in _libraries() if project.startswith(os.path.realpath(path) + "/")]
    return sorted({os.path.realpath(folder) for folder in folders} | ({project} if inside else set()))


def parts(packages):
    """The files and folders of packages: a module, and the libraries that a wheel keeps beside it."""
    for name in packages:
        found = importlib.util.find_spec(name)
        if found is None or not found.origin:
            raise RuntimeError(f"the package {name!r}, which the jail should hold, is not installed")
        path = pathlib.Path(found.origin)
        path = path.parent if path.name == "__init__.py" else path
        yield path
        if (libraries := path.with_name(f"{name}.libs")).exists():
            yield libraries


def _folders(paths):
    """Every folder above the paths, readable for all: bubblewrap would make them readable for root alone."""
    above = {str(p) for path in paths for p in pathlib.PurePath(path + "x" if path.endswith("/") else path).parents}
    return [word for folder in sorted(above - {"/"}) for word in ("--perms", "0755", "--dir", folder)]


@functools.cache
def available():
    """"" where the jail works; else a sentence that says what is missing and what to install."""
    if sys.platform != "linux":
        return f"The jail needs Linux, this is {sys.platform}. {INSTALL}"
    if not shutil.which("bwrap"):
        return f"bubblewrap's command bwrap is not there. {INSTALL}"
    words = command("single", ())
    trial = subprocess.run([*words[:words.index("-s")], "-S", "-c", ""], capture_output=True, text=True, timeout=60)
    if trial.returncode:
        return f"bubblewrap cannot close a jail here ({trial.stderr.strip()[-200:]}). {ALLOW}"
    return ""
