# SPDX-License-Identifier: MIT
"""Compares the names in a report with the places and handlers in the application's marks.

A wrong name raises AssertionError. A name that is absent raises `Missing`, a subclass, so that it
can be counted separately.
"""

import os

UNREAD = "?"  # what a report calls a function whose code could not be read


class Missing(AssertionError):
    pass


def shown(frame):
    return (
        f"{frame['function']} ({os.path.basename(frame['file'])}:{frame['line']})"
        if frame
        else "nothing"
    )


def innermost(stack, place, story):
    """The application's innermost frame. Its files are in the folder of the place's file."""
    folder = os.path.dirname(place["file"])
    for frame in stack:
        if frame["function"] == UNREAD:
            raise Missing(f"{story}: a frame could not be read: {[shown(one) for one in stack]}")
        if os.path.dirname(frame["file"]) == folder:
            return frame
    if not stack:
        raise Missing(f"{story}: no stack")
    raise AssertionError(f"{story}: no frame of the application in {[shown(one) for one in stack]}")


def check_place(stack, place, story):
    frame = innermost(stack, place, story)
    right = (
        frame["function"] == place["function"]
        and frame["file"] == place["file"]
        and frame["line"] in place["lines"]
    )
    assert right, (
        f"{story}: {[shown(one) for one in stack]}, it was {place['function']} in "
        f"{place['file']}, lines {place['lines']}"
    )


def check_handler(found, expected, story):
    """`expected`: a handler, or a list of handlers any of which is right."""
    if found is None or found["function"] == UNREAD:
        raise Missing(f"{story}: no handler")
    choices = expected if isinstance(expected, list) else [expected]
    right = any(
        all(found[key] == choice[key] for key in ("function", "file", "role")) for choice in choices
    )
    assert right, f"{story}: handler {shown(found)}, {found['role']}; it was {choices}"


def check_holder(stall, mark):
    """Function, line and handler of the thread that had the GIL meanwhile."""
    blocker = next((one for one in stall["blockers"] if one["tid"] == mark.blocker), None)
    assert blocker, (
        f"{mark}: thread {mark.blocker} is not among the blockers "
        f"{[one['tid'] for one in stall['blockers']]}"
    )
    check_place(blocker["stack"], mark.holder["place"], f"{mark}, holder")
    check_handler(blocker["handler"], mark.holder["handler"], f"{mark}, holder")


def check_stall(stall, mark, ruled=True):
    """Function, line and handler of a stall, and of its holder if the mark has one.

    ruled=False is for a plain callback under a uvloop that the application runs itself: no frame
    shows how it was called, so the application's innermost frame may stand in for the handler.
    """
    innermost = {"function": mark.place["function"], "file": mark.place["file"], "role": "frame"}
    check_place(stall["stack"], mark.place, f"{mark}, culprit")
    check_handler(
        stall["handler"], mark.handler if ruled else [mark.handler, innermost], f"{mark}, culprit"
    )
    if mark.holder:
        check_holder(stall, mark)


class Tally:
    """Counts right, missing and wrong names, each with a description."""

    def __init__(self):
        self.right, self.missing, self.wrong = 0, [], []

    def add(self, check, *arguments):
        try:
            check(*arguments)
            self.right += 1
        except Missing as error:
            self.missing.append(str(error))
        except AssertionError as error:
            self.wrong.append(str(error))

    @property
    def total(self):
        return self.right + len(self.missing) + len(self.wrong)

    def __str__(self):
        return (
            f"{self.right} of {self.total} right, {len(self.missing)} missing, {len(self.wrong)} "
            "wrong"
        )
