"""Bounds how many processes and threads a replica can have, so that one that makes more and more harms no other.

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library only. A cgroup of its own counts
what a replica starts, where this user may make one. The limit of the user's own processes is for those who are not
root, whom the system does not hold to it.
"""

import contextlib
import os
import resource

_FOLDER = "clarifai-emulator-"
_CGROUPS = "/sys/fs/cgroup"


def limit(most):
    """Let this process and all that it starts be ``most`` at once. Tells whether the system counts them."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/loadavg") as file:
            there = int(file.read().split()[3].split("/")[1])  # of all users, to be sure
        _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        wanted = most * (2 + there // most)  # the same for all replicas, as long as possible
        resource.setrlimit(resource.RLIMIT_NPROC, (wanted if hard < 0 else min(wanted, hard), hard))
    return enter_cgroup(most)


def enter_cgroup(most):
    folder = folder_of(os.getpid())
    if folder is None:
        return False
    try:
        os.mkdir(folder)
        for name, value in (("pids.max", most), ("cgroup.procs", os.getpid())):
            with open(os.path.join(folder, name), "w") as file:
                file.write(str(value))
    except OSError:
        remove(os.getpid())
        return False
    return True


def remove(pid):
    """Remove the cgroup of a replica that has ended. Tells whether there is none any more."""
    folder = folder_of(pid)
    if folder is not None:
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return folder is None or not os.path.isdir(folder)


def sweep():
    """Remove the cgroups that nobody is in: of replicas whose keeper was killed."""
    parent = parent_folder()
    with contextlib.suppress(OSError):
        for name in os.listdir(parent or ""):
            if name.startswith(_FOLDER):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(parent, name))


def folder_of(pid):
    parent = parent_folder()
    return None if parent is None else os.path.join(parent, f"{_FOLDER}{pid}")


def parent_folder():
    """The cgroup below which a replica's can be made: this process's own, or where that is one, the one above. None
    where the system counts no processes."""
    with contextlib.suppress(OSError):
        with open("/proc/self/cgroup") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
        for _, controllers, path in lines:
            mount = f"{_CGROUPS}/pids" if "pids" in controllers.split(",") else _CGROUPS
            folder = f"{mount}{path}".rstrip("/")
            if os.path.basename(folder).startswith(_FOLDER):
                folder = os.path.dirname(folder)
            if "pids" in controllers.split(",") or (not controllers and _gives_pids(folder)):
                return folder if os.access(folder, os.W_OK) else None
    return None


def _gives_pids(folder):
    """Tell whether a cgroup of the second version counts the processes in those below it."""
    with contextlib.suppress(OSError):
        with open(os.path.join(folder, "cgroup.subtree_control")) as file:
            return "pids" in file.read().split()
    return False
