# SPDX-License-Identifier: MIT
"""Code objects of every kind, and what is true of them, for tests/unit/symbols/symbols_python.c:
one JSON object a line, then an empty line; ends with its stdin. With the argument `few` only those
of some functions.

Every instruction's line comes from the interpreter itself (PyCode_Addr2Line, which tracebacks use).
Runs on Python 3.8 to 3.15.
"""

import ctypes
import functools
import importlib._bootstrap
import json
import sys
import types

TEXT_MAX = 1023  # bytes: DEFINE_TEXT_MAX without its terminator

addr2line = ctypes.pythonapi.PyCode_Addr2Line
addr2line.argtypes = [ctypes.py_object, ctypes.c_int]
addr2line.restype = ctypes.c_int


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


class Outer:
    class Inner:
        x = [i for i in range(3) if i]

        def method(self):
            def deep():
                return lambda a, b=(1, 2): (a, b)

            return deep

        @decorated
        @decorated
        def twice(self, a=1, *rest):
            """A docstring
            of two lines."""
            return {k: v for k, v in zip(rest, rest)}, {s for s in rest}, (g for g in rest)


def multi_line(a, b):
    c = a + b * a(b, b, a) - (b if a else -b)
    assert c, "text" + str(a)
    return [c, a]


def flows(n):
    try:
        for i in range(n):
            while i:
                i -= 1
                if i == 3:
                    continue
                if i == 4:
                    break
            else:
                n += 1
    except (ValueError, TypeError) as error:
        raise RuntimeError from error
    except KeyError:
        pass
    else:
        n = 3
    finally:
        with open("x") as f, open("y") as g:
            print(f, g)
    return n


def generator(n):
    for i in range(n):
        received = yield i
        yield from (received, i)


async def coroutine(n):
    async with n as a, n.b() as b:
        async for i in a:
            await b(i)
        return [await j async for j in b]


async def async_generator():
    yield 1
    await coroutine(2)


def функция(имя):
    名前 = lambda ß: ß + имя

    def 𝔘nicode(é):
        return é

    class Ünïcode:
        def ñ(self):
            return 名前, 𝔘nicode

    return Ünïcode


def empty():
    pass


def made(source, file="<string>"):
    return compile(source, file, "exec")


def line_jumps():
    """Exec'd code whose lines go back, leap by more than 127 and 255 both ways, and stay for more
    than 255 bytes of instructions."""
    import ast

    for leap in (1, 100, 127, 128, 129, 254, 255, 256, 300, 511, 512, 513, 5000, 70000, 1000000):
        yield made(
            "a = 1\n"
            + "\n" * leap
            + "b = 2\n"
            + "\n" * leap
            + "def f():\n    return (a,\n"
            + "\n" * leap
            + "b)\n",
            "leap-%d" % leap,
        )
        tree = ast.parse("def back(x):\n    x = 1\n    y = 2\n    z = [x,\n    y]\n    return z\n")
        for number, node in enumerate(ast.walk(tree)):
            if hasattr(node, "lineno"):  # statements in an order that no source text has
                node.lineno = 1000001 + (leap if number % 2 else -leap)
                node.end_lineno = node.lineno + 1
        yield compile(tree, "back-%d" % leap, "exec")
    for width in (10, 120, 126, 130, 250, 260, 1000):
        yield made(
            "x = [" + ", ".join("f(a, b)" for _ in range(width)) + "]\ny = 1\n", "wide-%d" % width
        )
    yield made(
        "def long(x):\n" + "".join("    x = x + %d\n" % i for i in range(3000)) + "    return x\n",
        "long",
    )
    yield made("\n" * 65534 + "def late(): return 1\n", "late")


def files():
    source = "def f():\n    return 1\n"
    for file in (
        "",
        "<string>",
        "café.py",
        "/srv/приложение/app.py",
        "/srv/😀/名.py",
        "/srv/\udcff\udc80bad.py",
        "tab\tnew\nline\x1b[31m.py",
        "x" * 1022,
        "x" * 1023,
        "x" * 1024,
        "x" * 5000,
        "é" * 511,
        "é" * 512,
        "xé" + "é" * 511,
        "名" * 341,
        "名" * 400,
        "😀" * 300,
        "x😀" * 250,
    ):
        yield made(source, file)


def odd_names():
    code = empty.__code__
    for name in (
        "",
        "a b",
        "new\nline",
        "é",
        "ÿ" * 600,
        "名" * 500,
        "\ud800",
        "x\ud800\udfff😀",
        "nul\0inside",
        "\x7f\x80\x9f",
        "\u202e",
    ):
        new = {"co_name": name}
        if sys.version_info >= (3, 11):
            new["co_qualname"] = "Q." + name
        yield code.replace(**new)


def nested(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from nested(const)


def text(value):
    """What gilscope makes of it."""
    value = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 or c == "\0" else c for c in value)
    return value.encode()[:TEXT_MAX].decode("utf-8", "ignore")


def tell(code):
    lines = []
    for offset in range(0, len(code.co_code), 2):
        line = max(addr2line(code, offset), 0)
        if not lines or lines[-1][1] != line:
            lines.append([offset, line])
    print(
        json.dumps(
            {
                "code": id(code),
                "name": text(getattr(code, "co_qualname", code.co_name)),
                "file": text(code.co_filename),
                "first": code.co_firstlineno,
                "bytes": len(code.co_code),
                "lines": lines,
            }
        )
    )


def main():
    kept = [
        function.__code__
        for function in (
            decorated,
            multi_line,
            flows,
            generator,
            coroutine,
            async_generator,
            функция,
            empty,
            json.dumps,
        )
    ]
    if sys.argv[1:] != ["few"]:
        with open(__file__, encoding="utf-8") as own:
            kept.append(compile(own.read(), __file__, "exec"))
        kept.append(importlib._bootstrap._find_and_load.__code__)  # frozen into the executable
        kept += [*line_jumps(), *files(), *odd_names()]
    for outer in kept:
        for code in nested(outer):
            tell(code)
    print(flush=True)
    for line in sys.stdin:
        exec(line, globals())  # what a test wants to happen
        print("done", flush=True)


main()
