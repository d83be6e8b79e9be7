# SPDX-License-Identifier: MIT
"""Event loops in sub-interpreters, with a GIL of their own and with the main one's, that mark what
they do.

Reads commands from standard input, one a line, and answers each with one line when it is done:

    own NAME …        makes interpreters with a GIL of their own, each of which runs a loop
    shared NAME …     … that share the main interpreter's GIL
    nap|spin|starve NAME …   work of these loops (loop.py), of all of them at the same time
    hog NAME …        the main interpreter keeps its GIL while these loops are to spin
    many N            makes N interpreters that run nothing
    fewer             destroys these
    end NAME …        ends these loops, and destroys their interpreters
    marks             {"marks": rows, "ids": {NAME: id of the interpreter}}
"""

import json
import os
import sys
import threading

import loop

try:
    import _interpreters as interpreters

    def create(own):
        return interpreters.create("isolated" if own else "legacy")

    execute = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters

    def create(own):
        return interpreters.create(isolated=own)

    execute = interpreters.run_string

HOG_NS = 150_000_000
SOURCE = """
import sys
sys.path.insert(0, {folder!r})
import loop
loop.run({name!r}, {out}, {commands})
"""


class Loops:
    def __init__(self):
        read, self._out = os.pipe()
        self._answers = os.fdopen(read)
        self._commands, self._threads, self._many = {}, {}, []
        self.ids, self.marks = {}, []

    def _run(self, name, own, commands):
        made = create(own)
        self.ids[name] = int(made)
        failure = execute(
            made,
            SOURCE.format(
                folder=os.path.dirname(os.path.abspath(__file__)),
                name=name,
                out=self._out,
                commands=commands,
            ),
        )
        if failure:
            print(getattr(failure, "formatted", failure), file=sys.stderr, flush=True)
        interpreters.destroy(made)

    def start(self, name, own):
        read, self._commands[name] = os.pipe()
        thread = threading.Thread(target=self._run, args=(name, own, read), name=name)
        thread.start()
        self._threads[name] = thread

    def wait_for(self, answer, names):
        left = set(names)
        while left:
            row = json.loads(self._answers.readline())
            if "t0_ns" in row:
                self.marks.append(row)
            elif row["answer"] == answer:
                left.remove(row["interpreter"])

    def send(self, work, names):
        for name in names:
            os.write(self._commands[name], loop.LETTERS[work])

    def hog(self, names):
        with loop.Mark("main", "hog") as mark:
            self.send("spin", names)
            loop.keep_gil(HOG_NS)
        self.marks.append(mark.row())
        self.wait_for("done", names)

    def many(self, count):
        for _ in range(count):
            self._many.append(create(True))
            execute(self._many[-1], "sum(range(1000))")

    def fewer(self):
        while self._many:
            interpreters.destroy(self._many.pop())

    def end(self, names):
        self.send("end", names)
        self.wait_for("end", names)
        for name in names:
            self._threads[name].join()

    def obey(self, command, names):
        if command in ("own", "shared"):
            for name in names:
                self.start(name, command == "own")
            self.wait_for("ready", names)
        elif command == "many":
            self.many(int(names[0]))
        elif command == "fewer":
            self.fewer()
        elif command in ("hog", "end"):
            getattr(self, command)(names)
        else:
            self.send(command, names)
            self.wait_for("done", names)
        print("ok", flush=True)


def main():
    loops = Loops()
    print("ready", flush=True)
    for line in sys.stdin:
        command, *names = line.split()
        if command == "marks":
            print(json.dumps({"marks": loops.marks, "ids": loops.ids}), flush=True)
        else:
            loops.obey(command, names)


if __name__ == "__main__":
    main()
