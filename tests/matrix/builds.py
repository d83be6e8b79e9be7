# SPDX-License-Identifier: MIT
"""CPythons that no distribution here has, built once from Debian's sources and kept below
build/matrix: free-threaded, and with nothing inlined."""

import glob
import os
import shutil
import subprocess
import sys

import debian

# label: suite and package of the source, arguments of configure. Where they are is
# interpreters.built_pythons().
BUILDS = {
    "3.13t": ("trixie", "python3.13", ["--disable-gil"]),
    "3.14t": ("unstable", "python3.14", ["--disable-gil"]),
    "3.15t": ("unstable", "python3.15", ["--disable-gil"]),
    "3.11-O0": ("bookworm", "python3.11", ["CFLAGS=-O0"]),
}


def run(log, command, folder):
    subprocess.run(["nice", *command], cwd=folder, stdout=log, stderr=log, check=True)


def source(log, folder, suite, package):
    """The unpacked source of a package."""
    archive = debian.Archive(
        os.path.join(os.path.dirname(folder), "archive"), suite, debian.architecture(), "deb-src"
    ).source(package, folder)
    run(log, ["tar", "xf", archive], folder)
    return next(path for path in glob.glob(os.path.join(folder, "Python-*")) if os.path.isdir(path))


def build(label, root):
    """Builds it below `root` unless it is there. The path of the interpreter, or None when it
    cannot be had; the log beside it says why."""
    prefix = os.path.join(root, "built-" + label)
    python = os.path.join(prefix, "bin", "python3")
    if os.path.exists(python):
        return python
    suite, package, arguments = BUILDS[label]
    folder = prefix + ".work"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(prefix, ignore_errors=True)
    os.makedirs(folder)
    print(
        f"building {label}: {package} of {suite} {' '.join(arguments)} (some minutes)",
        file=sys.stderr,
    )
    with open(prefix + ".log", "w") as log:
        try:
            configure = os.path.join(source(log, folder, suite, package), "configure")
            run(
                log,
                [
                    configure,
                    "--quiet",
                    f"--prefix={prefix}",
                    "--without-ensurepip",
                    "--disable-test-modules",
                    *arguments,
                ],
                folder,
            )
            run(log, ["make", "-s", f"-j{os.cpu_count()}"], folder)
            run(log, ["make", "-s", "install"], folder)
        except debian.Missing as error:
            print(f"{label}: no source of {package} in {suite}: {error}", file=sys.stderr)
            return None
        except (subprocess.CalledProcessError, OSError, ValueError, StopIteration) as error:
            shutil.rmtree(prefix, ignore_errors=True)
            print(f"{label}: cannot be built: {error}; see {prefix}.log", file=sys.stderr)
            return None
    shutil.rmtree(folder)
    return python
