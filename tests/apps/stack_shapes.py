# SPDX-License-Identifier: MIT
"""Every kind of frame there is, each with (spot.note(), spot.act(), spot.done()) at its innermost
place exactly once; see spot.py.

The lines are the truth's business: the frames tell themselves. Standard library only, Python 3.8
and later.
"""

import contextlib
import contextvars
import functools
import importlib
import json
import os
import re
import sys
import tempfile
import threading

from spot import fleeting, kept, shape, spot

DEEPER_THAN_ANY = 300
sys.setrecursionlimit(10 * DEEPER_THAN_ANY)


# ── functions ─────────────────────────────────────────────────────────────────────────────────────


@shape
def plain():
    (spot.note(), spot.act(), spot.done())


def _down(depth):
    if depth:
        _down(depth - 1)
    else:
        (spot.note(), spot.act(), spot.done())


@shape
def recursion_100():
    _down(100)


@shape
def recursion_300():
    _down(DEEPER_THAN_ANY)


@shape
def in_lambda():
    (lambda: (spot.note(), spot.act(), spot.done()))()


def _decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@shape
@_decorated
@_decorated
def decorators():
    (spot.note(), spot.act(), spot.done())


@shape
def over_several_lines():
    spot.note(below=1)
    spot.act()
    spot.done()


@shape
def calls_over_several_lines():
    def inside(one, two):
        return [
            one,
            (spot.note(), spot.act(), spot.done()),
            two,
        ]

    inside(
        1,
        inside.__name__.join(
            ("a", "b"),
        ),
    )


@shape
def far_down():
    """Lines far from the function's first, and far apart: the long forms of line tables."""
    namespace = {"spot": spot}
    source = (
        "def far():\n"
        + "\n" * 5000
        + "    (0,\n"
        + "\n" * 300
        + "    (spot.note(), spot.act(), spot.done()))"
    )
    exec(kept(compile(source, "far.py", "exec")), namespace)
    namespace["far"]()


@shape
def backwards():
    """Line numbers that fall inside one expression."""
    namespace = {"spot": spot, "inside": lambda value, more: value}
    source = (
        "def back():\n    return inside(\n        inside(1,\n            2),\n"
        "        (spot.note(), spot.act(), spot.done())\n    )\n"
    )
    exec(kept(compile(source, "back.py", "exec")), namespace)
    namespace["back"]()


@shape
def moved_code():
    """Code that was given another place than it was compiled for, as templates and attrs do."""
    code = compile(
        "def inside():\n    (spot.note(), spot.act(), spot.done())\n\ninside",
        "<generated 7>",
        "exec",
    ).co_consts[0]
    exec(kept(code.replace(co_firstlineno=70_000, co_name="moved")), {"spot": spot})


@shape
def many_locals():
    namespace = {"spot": spot}
    body = "".join(f"    v{n} = {n}\n" for n in range(400))
    exec(
        kept(
            compile(
                f"def many():\n{body}    (spot.note(), spot.act(), spot.done())\n    return v0\n",
                "many.py",
                "exec",
            )
        ),
        namespace,
    )
    namespace["many"]()


# ── comprehensions: frames of their own before 3.12 ───────────────────────────────────────────────


@shape
def list_comprehension():
    return [(spot.note(), spot.act(), spot.done()) for _ in range(1)]


@shape
def set_comprehension():
    return {(spot.note(), spot.act(), spot.done()) for _ in range(1)}


@shape
def dict_comprehension():
    return {1: (spot.note(), spot.act(), spot.done()) for _ in range(1)}


@shape
def nested_comprehension():
    return [[(spot.note(), spot.act(), spot.done()) for _ in range(1)] for _ in (lambda: [1])()]


# ── classes ───────────────────────────────────────────────────────────────────────────────────────


@shape
def class_body():
    class Body:
        class Inner:
            (spot.note(), spot.act(), spot.done())


@shape
def metaclass():
    class Meta(type):
        def __new__(cls, *arguments):
            (spot.note(), spot.act(), spot.done())
            return super().__new__(cls, *arguments)

    class Made(metaclass=Meta):
        pass


class Everything:
    def __init__(self, act=False):
        if act:
            (spot.note(), spot.act(), spot.done())

    @property
    def prop(self):
        (spot.note(), spot.act(), spot.done())

    @staticmethod
    def static():
        (spot.note(), spot.act(), spot.done())

    @classmethod
    def of_class(cls):
        (spot.note(), spot.act(), spot.done())

    def __getattr__(self, name):
        (spot.note(), spot.act(), spot.done())

    def __getitem__(self, key):
        (spot.note(), spot.act(), spot.done())

    def __call__(self):
        (spot.note(), spot.act(), spot.done())

    def __enter__(self):
        (spot.note(), spot.act(), spot.done())

    def __exit__(self, *_):
        pass

    def __lt__(self, other):
        (spot.note(), spot.act(), spot.done())
        return True

    def __iter__(self):
        return self

    def __next__(self):
        (spot.note(), spot.act(), spot.done())
        raise StopIteration


class Leaving:
    def __enter__(self):
        pass

    def __exit__(self, *_):
        (spot.note(), spot.act(), spot.done())


class Dying:
    def __del__(self):
        (spot.note(), spot.act(), spot.done())


@shape
def init():
    Everything(act=True)


@shape
def property_getter():
    return Everything().prop


@shape
def static_method():
    Everything.static()


@shape
def class_method():
    Everything.of_class()


@shape
def missing_attribute():
    return Everything().anything


@shape
def subscript():
    return Everything()[0]


@shape
def call_of_object():
    Everything()()


@shape
def comparison():
    return Everything() < Everything()


@shape
def iteration():
    for _ in Everything():
        pass


@shape
def finalizer():
    value = Dying()
    del value


# ── blocks ────────────────────────────────────────────────────────────────────────────────────────


@shape
def in_finally():
    try:
        pass
    finally:
        (spot.note(), spot.act(), spot.done())


@shape
def in_except():
    try:
        raise ValueError
    except ValueError:
        (spot.note(), spot.act(), spot.done())


@shape
def with_body():
    with contextlib.suppress(ValueError):
        (spot.note(), spot.act(), spot.done())


@shape
def with_enter():
    with Everything():
        pass


@shape
def with_exit():
    with Leaving():
        pass


@shape
def context_manager():
    @contextlib.contextmanager
    def manager():
        yield
        (spot.note(), spot.act(), spot.done())

    with manager():
        pass


# ── code made at run time ─────────────────────────────────────────────────────────────────────────


@fleeting
def executed():
    exec("def inside():\n    (spot.note(), spot.act(), spot.done())\n\ninside()", {"spot": spot})


@fleeting
def evaluated():
    eval("(spot.note(), spot.act(), spot.done())", {"spot": spot})


@shape
def made_up_file():
    exec(
        kept(compile("\n\n(spot.note(), spot.act(), spot.done())", "made/up name.py", "exec")),
        {"spot": spot},
    )


@shape
def hostile_file():
    """Control characters, a backslash, a quote, what is no character at all, and astral ones."""
    exec(
        kept(
            compile(
                "(spot.note(), spot.act(), spot.done())",
                "a\nb\x1b[2J\\x41\"'\x7f\x85\udcff\U0001f40d",
                "exec",
            )
        ),
        {"spot": spot},
    )


@shape
def long_name():
    name = "n" * 3000
    namespace = {"spot": spot}
    exec(
        kept(
            compile(
                f"def {name}():\n    (spot.note(), spot.act(), spot.done())", "long" * 500, "exec"
            )
        ),
        namespace,
    )
    namespace[name]()


@shape
def latin1_name():
    namespace = {"spot": spot}
    exec(
        kept(
            compile(
                "def zusammenzählen_ß():\n    (spot.note(), spot.act(), spot.done())",
                "größe.py",
                "exec",
            )
        ),
        namespace,
    )
    namespace["zusammenzählen_ß"]()


def import_module(name, text):
    with tempfile.TemporaryDirectory(prefix="модуль-🐍-") as folder:
        with open(os.path.join(folder, name + ".py"), "w", encoding="utf-8") as file:
            file.write("from spot import spot\n" + text)
        sys.path.insert(0, folder)
        try:
            importlib.invalidate_caches()
            return importlib.import_module(name)
        finally:
            sys.path.remove(folder)
            sys.modules.pop(name, None)


@shape
def unicode_module():
    module = import_module(
        "имя",
        "\n\nclass Счёт:\n    def 数える(self):\n        (spot.note(), spot.act(), spot.done())\n",
    )
    module.Счёт().数える()


@fleeting
def imported_module():
    import_module("imported", "(spot.note(), spot.act(), spot.done())")


# ── C in between ──────────────────────────────────────────────────────────────────────────────────


def _two(*_):
    (spot.note(), spot.act(), spot.done())
    return "2"


@shape
def through_reduce():
    functools.reduce(_two, [1, 2])


@shape
def through_sorted():
    sorted([1], key=_two)


@shape
def through_sort_of_objects():
    sorted([Everything(), Everything()])


@shape
def through_re():
    re.sub("a", _two, "xax")


@shape
def through_map():
    list(map(_two, [1]))


@shape
def through_json():
    json.loads("{}", object_pairs_hook=_two)


@shape
def through_partial():
    functools.partial(_two, 1)()


@shape
def through_max():
    max([1], key=_two)


@shape
def through_cache():
    functools.lru_cache(None)(_two)()


@shape
def through_context():
    contextvars.copy_context().run(_two)


@shape
def through_all_of_them():
    sorted([1], key=lambda _: functools.reduce(lambda *_: list(map(_two, [1])), [1, 2]) and 1)


@shape
def deep_through_c():
    def down(depth):
        return list(map(down, [depth - 1])) if depth else _two()

    down(30)


# ── threads ───────────────────────────────────────────────────────────────────────────────────────


@shape
def thread():
    worker = threading.Thread(target=plain, name="рабочий 7")
    worker.start()
    worker.join()


@shape
def thread_of_a_class():
    class Worker(threading.Thread):
        def run(self):
            (spot.note(), spot.act(), spot.done())

    worker = Worker()
    worker.start()
    worker.join()
