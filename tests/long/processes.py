"""Processes as Linux shows them, and waiting for what must come to hold."""

import time
from pathlib import Path

PATIENCE = 30
STATES = {"01": "established", "08": "closed by the other", "0A": "listens"}


def until(what, holds, patience=PATIENCE, pause=0.005):
    """Waits for `holds`; `what` says what did not come to hold, as words or as what gives them."""
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            what = what() if callable(what) else what
            raise AssertionError(f"{what} did not come to hold within {patience} s")
        time.sleep(pause)


def stat(pid):
    """The state and the parent of a process, if it is there."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = text.rsplit(")", 1)[1].split()[:2]
    return state, int(parent)


def everybody():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def children(pid):
    return [number for number in everybody() if (found := stat(number)) and found[1] == pid]


def lives(pid):
    found = stat(pid)
    return found is not None and found[0] != "Z"


def command(pid):
    """The arguments of a process; none where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def marked(mark):
    """The processes with this text in their environment."""

    def has(pid):
        try:
            return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False

    return [pid for pid in everybody() if has(pid)]


def resident(pid):
    """The resident memory of a process that is its own, in bytes: without the files it has mapped."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def descriptors(pid):
    """The open descriptors of a process: number and what each is of."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except FileNotFoundError:
            pass
    return found


def sockets(pid):
    """The TCP sockets of a process: its own port, the other's (0 for a listener) and the state of each."""
    table = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            own, other = (int(fields[at].rsplit(":", 1)[1], 16) for at in (1, 2))
            table[fields[9]] = own, other, STATES.get(fields[3], fields[3])
    inodes = [what[8:-1] for what in descriptors(pid).values() if what.startswith("socket:[")]
    return [table[inode] for inode in inodes if inode in table]
