# SPDX-License-Identifier: MIT
"""A compiler for musl, the C library of Alpine, and with it what a CPython is made of there: from
Debian's packages and sources. Programs run where they are built: the loader that they name is in
their own lib/, as on Alpine the only file of the C library."""

import glob
import os
import shutil
import subprocess
import sys

import debian

SUITE = "trixie"
PACKAGES = ("musl", "musl-dev", "musl-tools", "linux-libc-dev")
GNU = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
LINKER = "--eh-frame-hdr --hash-style=gnu -z relro -z now"  # what a gcc made for musl passes

# What modules of CPython need: package, suite whose source has a configure, its arguments, targets
LIBRARIES = (
    (
        "libffi",
        "bookworm",
        ["./configure", "--disable-shared", "--disable-docs", "--disable-multi-os-directory"],
        ["all", "install"],
    ),
    ("zlib", "bookworm", ["./configure", "--static"], ["libz.a", "install"]),
    (
        "openssl",
        "bookworm",
        ["./Configure", "linux-{machine}", "--libdir=lib", "no-shared", "no-tests", "no-module"],
        ["build_generated", "libcrypto.a", "libssl.a", "install_dev"],
    ),
)
# CPython's configure compares what gcc says it was made for with what it finds
COMPILER = """#!/bin/sh
[ "$1" != --print-multiarch ] || exec echo {triplet}
exec {gcc} "$@" -specs {specs}
"""
WHEELS = ("uvloop", "fastapi", "uvicorn", "requests")


class Musl:
    """`folder` is for what is needed to build, `prefix` is where what is built will be."""

    def __init__(self, folder, prefix):
        self._gnu = GNU[debian.architecture()]
        self._machine = self._gnu.split("-")[0]
        self._triplet = self._gnu.replace("gnu", "musl")
        self._files = os.path.join(folder, "musl")
        self._libraries = os.path.join(folder, "libraries")
        self._prefix = prefix
        archive = os.path.join(os.path.dirname(folder), "archive")
        debian.Archive(archive, SUITE, debian.architecture()).unpack(PACKAGES, self._files)
        self._put_library()
        self._put_headers()
        self._put_compiler()

    def _put_library(self):
        lib = os.path.join(self._prefix, "lib")
        name = f"musl-{self._machine}.so.1"
        os.makedirs(lib)
        os.makedirs(os.path.join(self._prefix, "etc"))
        shutil.copy(
            os.path.join(self._files, "usr/lib", self._triplet, "libc.so"),
            os.path.join(lib, "ld-" + name),
        )
        os.symlink("ld-" + name, os.path.join(lib, "libc." + name))
        # else it would look where the libraries for glibc are
        with open(os.path.join(self._prefix, f"etc/ld-musl-{self._machine}.path"), "w") as file:
            file.write(lib + "\n")

    def _put_headers(self):
        """The kernel's, which Debian has among those for glibc."""
        include = os.path.join(self._files, "usr/include")
        os.makedirs(os.path.join(self._files, "kernel"))
        for name in ("linux", "asm-generic", "mtd", f"{self._gnu}/asm"):
            os.symlink(
                os.path.join(include, name),
                os.path.join(self._files, "kernel", os.path.basename(name)),
            )

    def _put_compiler(self):
        with open(os.path.join(self._files, "usr/lib", self._triplet, "musl-gcc.specs")) as file:
            text = file.read()
        for path in (f"/usr/include/{self._triplet}", f"/usr/lib/{self._triplet}"):
            text = text.replace(path, self._files + path)
        for old, new in (
            ("-dynamic-linker /", f"{LINKER} -dynamic-linker {self._prefix}/"),
            ("include%s", f"include%s -isystem {self._files}/kernel"),
        ):
            text = text.replace(old, new)
        specs = os.path.join(self._files, "specs")
        with open(specs, "w") as file:
            file.write(text)
        self._compiler = os.path.join(self._files, "musl-gcc")
        with open(self._compiler, "w") as file:
            file.write(COMPILER.format(triplet=self._triplet, gcc=f"{self._gnu}-gcc", specs=specs))
        os.chmod(self._compiler, 0o755)

    def environment(self):
        """For configure: this compiler, and nothing that pkg-config knows of this system."""
        return {
            **os.environ,
            "CC": self._compiler,
            "PKG_CONFIG_LIBDIR": os.path.join(self._libraries, "lib/pkgconfig"),
        }

    def libraries(self, run, source):
        """Builds the libraries, to be linked statically. `run` runs a command in a folder with some
        environment; `source` unpacks the source of a suite's package and returns its folder."""
        environment = {**self.environment(), "CFLAGS": "-O2 -fPIC"}
        for package, suite, configure, targets in LIBRARIES:
            folder = source(suite, package)
            command = [word.format(machine=self._machine) for word in configure]
            run([*command, f"--prefix={self._libraries}"], folder, environment)
            for target in targets:
                run(["make", "-s", f"-j{os.cpu_count()}", target], folder, environment)

    def arguments(self):
        """CPython's configure's, as images of Alpine's are built (threads there have 128 KiB of
        stack unless a program asks for more)."""
        return [
            "--enable-shared",
            "--with-lto",
            f"--with-openssl={self._libraries}",
            f"LDFLAGS=-Wl,-rpath,{self._prefix}/lib -Wl,-z,stack-size=0x100000",
        ]

    def finish(self):
        """Strips what was built, and adds wheels for musl where they can be had."""
        (library,) = glob.glob(os.path.join(self._prefix, "lib", "python3.*"))
        version = os.path.basename(library)[len("python") :]
        for path in (
            os.path.join(self._prefix, "bin", "python" + version),
            *glob.glob(os.path.join(self._prefix, "lib", "libpython*.so*")),
            *glob.glob(os.path.join(library, "lib-dynload", "*.so")),
        ):
            subprocess.run(["strip", "--strip-all", path], check=True)
        made = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
            + [f"--platform=musllinux_1_{minor}_{self._machine}" for minor in (2, 1)]
            + [f"--python-version={version}", "--implementation=cp"]
            + ["--target", os.path.join(library, "site-packages"), *WHEELS],
            capture_output=True,
            text=True,
        )
        if made.returncode != 0:
            print(
                f"no {', '.join(WHEELS)}: {made.stderr.strip().splitlines()[-1]}", file=sys.stderr
            )
