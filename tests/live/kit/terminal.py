# SPDX-License-Identifier: MIT
"""gilscope top in a real terminal (tmux), with an application that stalls when it is asked to."""

import contextlib
import itertools
import os
import re
import select
import shlex
import subprocess
import time

import harness

WAIT_S = 15
NUMBERS = itertools.count()


class App(harness.App):
    """tests/apps/on_demand.py."""

    def __init__(self):
        super().__init__(
            [harness.DEBIAN_PYTHON, os.path.join(harness.APPS, "on_demand.py")],
            prefix=harness.undisturbed(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()


class Terminal:
    """A tmux window that runs gilscope top, with a line before and after it."""

    def __init__(self, folder, *arguments, columns=80, rows=24, env=None, works_in=".", jobs=False):
        self._folder, self._socket = folder, f"gilscope-test-{os.getpid()}-{next(NUMBERS)}"
        environment = {"LC_ALL": "C.UTF-8", **(env or {})}
        words = [
            *harness.undisturbed(),
            "env",
            "-C",
            works_in,
            *(f"{name}={value}" for name, value in environment.items()),
            harness.GILSCOPE,
            "top",
            "--ready-fd",
            "3",
            *map(str, arguments),
        ]
        os.mkfifo(folder / self._socket)
        self._reader = os.open(folder / self._socket, os.O_RDONLY | os.O_NONBLOCK)
        command = (
            f"{'set -m; ' if jobs else ''}trap : INT; echo BEFORE; stty -g > before; echo $$ > "
            f"shell; {shlex.join(words)} 3<> {self._socket}; echo status $?; stty -g > after; "
            "echo AFTER; exec cat"
        )
        self._tmux(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "top",
            "-x",
            columns,
            "-y",
            rows,
            "-c",
            folder,
            "sh",
            "-c",
            command,
        )

    def _tmux(self, *arguments):
        return subprocess.run(
            ["tmux", "-L", self._socket, *map(str, arguments)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")
        os.close(self._reader)

    def ready(self):
        """Waits until gilscope sees everything."""
        assert select.select([self._reader], [], [], WAIT_S)[0], self.screen()
        assert os.read(self._reader, 64) == b"ready\n"

    def screen(self, escapes=False):
        return self._tmux("capture-pane", "-p", *(["-e"] if escapes else []), "-t", "top")

    def press(self, *keys):
        self._tmux("send-keys", "-t", "top", *keys)

    def resize(self, columns, rows):
        self._tmux("resize-window", "-t", "top", "-x", columns, "-y", rows)

    def wait(self, pattern, seconds=WAIT_S):
        """The screen, as soon as it matches the pattern."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if re.search(pattern, screen):
                return screen
            assert time.monotonic() < deadline, f"no {pattern!r} on\n{screen}"
            time.sleep(0.1)

    def quit(self, *keys):
        """Its exit status and the text it left on the terminal, whose settings must be restored."""
        self.press(*keys)
        left = self.wait("AFTER")
        assert harness.read(self._folder / "before") == harness.read(self._folder / "after"), (
            f"{left}: the terminal's modes are not what they were"
        )
        text, status = re.search(r"(?:BEFORE\n)?((?:.*\n)*)status (\d+)\n", left).groups()
        return int(status), text.strip()


def pid_of_top(folder):
    shell = harness.read(folder / "shell").strip()
    return int(harness.read(f"/proc/{shell}/task/{shell}/children").split()[0])
