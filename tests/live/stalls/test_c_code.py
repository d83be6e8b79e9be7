# SPDX-License-Identifier: MIT
"""C code has a name: the module of an extension that holds the GIL, and of one that does not."""

import os
import shutil
import subprocess

import pytest

import harness

SOURCE = """
#include <Python.h>
#include <time.h>

__attribute__((noipa)) static double spin(double seconds)
{
	struct timespec now;
	volatile double sum = 0;
	double end;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + now.tv_nsec / 1e9 + seconds;
	do {
		for (int i = 0; i < 1000000; i++)
			sum += i;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec + now.tv_nsec / 1e9 < end);
	return sum;
}
static PyObject *keeping(PyObject *self, PyObject *args)
{
	return PyFloat_FromDouble(spin(0.2));
}
static PyObject *releasing(PyObject *self, PyObject *args)
{
	double sum;
	Py_BEGIN_ALLOW_THREADS
	sum = spin(0.2);
	Py_END_ALLOW_THREADS
	return PyFloat_FromDouble(sum);
}
static PyMethodDef methods[] = {
	{"keeping", keeping, METH_NOARGS, ""}, {"releasing", releasing, METH_NOARGS, ""}, {0}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "spinning", "", -1, methods};
PyMODINIT_FUNC PyInit_spinning(void) { return PyModule_Create(&module); }
"""
APP = """
import asyncio, sys, time
sys.path.insert(0, {folder!r})
import spinning
async def keeps():
    spinning.keeping()
async def releases():
    spinning.releasing()
async def python():
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        sum(range(1000))
async def main():
    await asyncio.sleep(0.1)
    print("ready", flush=True)
    while True:
        for what in keeps, releases, python:
            await asyncio.create_task(what())
            await asyncio.sleep(0.05)
asyncio.run(main())
"""


@pytest.fixture(scope="module", params=["symbols", "stripped"])
def stalls(request, tmp_path_factory):
    """By function: the machine code that each stall ran."""
    folder = tmp_path_factory.mktemp(request.param) / "site-packages" / "whirl"
    folder.mkdir(parents=True)
    include = subprocess.check_output(
        [harness.DEBIAN_PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('include'))"],
        text=True,
    ).strip()
    if not os.path.exists(f"{include}/Python.h") or not shutil.which("gcc"):
        pytest.skip("needs gcc and the headers of the system's Python")
    library = folder / "spinning.so"
    (folder / "spinning.c").write_text(SOURCE)
    options = ["-O2", "-shared", "-fPIC", f"-I{include}", "-o", library]
    subprocess.run(["gcc", *options, folder / "spinning.c"], check=True)
    if request.param == "stripped":
        subprocess.run(["strip", library], check=True)
    with harness.Script(APP.format(folder=str(folder))) as app:
        report = harness.gilscope("attach", app.pid, "-d", "4s", "--json").report
    found = {}
    texts = [finding["text"] for finding in report["findings"]]
    for stall in report["processes"][0]["loops"][0]["stalls"]:
        name = (stall["handler"] or {}).get("function")
        found.setdefault(name, []).append(stall.get("native"))
    return request.param, str(library), found, texts


@pytest.mark.parametrize("function", ["keeps", "releases"])
def test_the_extension_is_named(stalls, function):
    kind, library, found, texts = stalls
    assert found[function], found
    for native in found[function]:
        assert native["module"] == library
        # a stripped file has no symbol that covers it, and the nearest one would be wrong
        assert native["symbol"] == ("spin" if kind == "symbols" else None)
    shown = ("spin in " if kind == "symbols" else "") + "spinning.so (whirl)"
    assert any(function in text and f"mostly in {shown}" in text for text in texts), "\n".join(
        texts
    )


def test_the_interpreter_is_not_named(stalls):
    _, library, found, texts = stalls
    assert found["python"]
    for native in found["python"]:
        # calls of time.monotonic() and malloc() end in libc or the vDSO
        assert not native or native["module"] != library
    assert not any("python " in text and "spinning" in text for text in texts)
