"""The process between a worker and its children: it forks them clean, and lets nothing of them outlive the worker.

`python -m lightflow_task_worker.guardian FD` is single-threaded, preloads what tasks need and obeys the socket FD.
It speaks lines of JSON; descriptors travel beside a line that needs them:

    {"do": "guard"}  with one socket     fork another guardian that obeys that socket     {"done": "guard", "pid"}
    {"do": "fork", "role"} with its own   fork a child of that role (child/roles.py)    {"done": "fork", "pid"}
    {"do": "kill"}                       kill the child and all that came of it           {"done": "kill"}
    (a process it forked has ended)      what it left behind is ended first               {"ended": pid, "status"}
    (the worker's end is closed)         kill everything, end

As a subreaper it inherits every orphan below it, whatever its session or process group, so that what a child
started can always be found. A worker has one such process that forks guardians, and one guardian per slot; should a
guardian be killed, what it guarded falls to the first and is ended there.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any

from lightflow_task_worker import proc
from lightflow_task_worker.child.roles import ROLES

_MOST_DESCRIPTORS = 8


class Guardian:
    """Forks children and ends them, as the worker at the other end of `control` asks."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._child: int | None = None
        self._guardians: set[int] = set()
        self._pending = b""
        self._descriptors: list[int] = []
        self._wake, self._woken = socket.socketpair()

    def serve(self) -> None:
        """Obey until the worker is gone, then end everything."""
        self._watch_children()
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poller.poll()}
            if self._wake.fileno() in ready:
                self._wake.recv(4096)
                self._reap()
            if self._control.fileno() in ready and not self._read_control():
                break
        self._guardians.clear()
        self._end_strays(spare_child=False)

    def _watch_children(self) -> None:
        for descriptor in (self._wake, self._woken):
            descriptor.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _read_control(self) -> bool:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, 4096, _MOST_DESCRIPTORS)
        except ConnectionError:
            return False
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._descriptors += descriptors
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, command: dict[str, Any]) -> None:
        match command["do"]:
            case "guard":
                self._guardians.add(pid := self._fork(None))
                self._tell(done="guard", pid=pid)
            case "fork":
                self._child = self._fork(command["role"])
                self._tell(done="fork", pid=self._child)
            case "kill":
                self._end_strays(spare_child=False)
                self._tell(done="kill")

    def _tell(self, **message: Any) -> None:
        try:
            self._control.sendall(json.dumps(message).encode() + b"\n")
        except ConnectionError:
            return  # the worker is gone, which the next read tells as well

    def _fork(self, role: str | None) -> int:
        given, self._descriptors = self._descriptors, []
        guardian = os.getpid()
        if (pid := os.fork()) != 0:
            for descriptor in given:
                os.close(descriptor)
            return pid
        try:
            self._forget()
            if role is None:
                guard(socket.socket(fileno=given[0]))
            else:
                _serve_child(role, given, guardian)
            code = 0
        except BaseException:
            traceback.print_exc()
            code = 1
        os._exit(code)

    def _forget(self) -> None:
        """In a forked process: what belongs to this guardian alone."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for mine in (self._control, self._wake, self._woken):
            mine.close()

    def _reap(self) -> None:
        """Take note of what has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, status)

    def _ended(self, pid: int, status: int) -> None:
        if pid == self._child:
            self._child = None
        elif pid in self._guardians:
            self._guardians.discard(pid)
        else:
            return  # an orphan that was reparented to this process
        self._end_strays(spare_child=True)
        self._tell(ended=pid, status=status)

    def _end_strays(self, *, spare_child: bool) -> None:
        """Kill whatever is below this process, but for guardians (and the child), until nothing of it is left."""
        while self._kill_strays(spare_child):
            try:
                self._ended(*os.waitpid(-1, 0))
            except ChildProcessError:
                return

    def _kill_strays(self, spare_child: bool) -> bool:
        spared = self._guardians | ({self._child} if spare_child and self._child else set())
        killed = False
        for top in {*proc.children(os.getpid()), *([self._child] if self._child else [])} - spared:
            for pid in (top, *proc.descendants(top)):
                killed |= _kill(pid)
        return killed


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False  # gone, or of another user's since it changed its user: nothing to wait for
    return True


def _serve_child(role: str, descriptors: list[int], guardian: int) -> None:
    os.setsid()  # `kill 0` in a task's shell must not reach the guardian
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    proc.die_with_parent(signal.SIGKILL)
    if os.getppid() == guardian:  # else it died before the line above
        ROLES[role](descriptors)


def guard(control: socket.socket) -> None:
    """Be a guardian until the worker closes its end."""
    os.setsid()  # no Ctrl-C of the worker's terminal
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    proc.become_subreaper()
    Guardian(control).serve()


def main() -> None:
    os.environ.pop("PYTHONHASHSEED", None)  # it was meant for this process and what it forks alone
    gc.collect()
    gc.freeze()  # what is preloaded stays shared between the forked processes
    guard(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
