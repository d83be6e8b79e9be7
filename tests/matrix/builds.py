# SPDX-License-Identifier: MIT
"""CPythons that no distribution here has, built once from Debian's sources and kept below
build/matrix: free-threaded, with nothing inlined, and for musl."""

import glob
import os
import shutil
import subprocess
import sys

import debian
import musl

# label: suite and package of the source, arguments of configure. Where they are is
# interpreters.built_pythons().
BUILDS = {
    "3.13t": ("trixie", "python3.13", ["--disable-gil"]),
    "3.14t": ("unstable", "python3.14", ["--disable-gil"]),
    "3.15t": ("unstable", "python3.15", ["--disable-gil"]),
    "3.11-O0": ("bookworm", "python3.11", ["CFLAGS=-O0"]),
    "3.13-musl": ("trixie", "python3.13", []),
}


class Work:
    """A folder to build in, and the log of what is run there."""

    def __init__(self, folder, log):
        self._folder, self._log = folder, log

    def run(self, command, folder=None, environment=None):
        subprocess.run(
            ["nice", *command],
            cwd=folder or self._folder,
            env=environment,
            stdout=self._log,
            stderr=self._log,
            check=True,
        )

    def source(self, suite, package):
        """The unpacked source of a package: its folder."""
        folder = os.path.join(self._folder, package)
        os.makedirs(folder)
        archive = debian.Archive(
            os.path.join(os.path.dirname(self._folder), "archive"),
            suite,
            debian.architecture(),
            "deb-src",
        ).source(package, folder)
        self.run(["tar", "xf", archive], folder)
        return next(path for path in glob.glob(os.path.join(folder, "*")) if os.path.isdir(path))


def make(work, label, folder, prefix):
    suite, package, arguments = BUILDS[label]
    library = musl.Musl(folder, prefix) if label.endswith("-musl") else None
    environment = None
    if library:
        library.libraries(work.run, work.source)
        environment, arguments = library.environment(), library.arguments()
    work.run(
        [
            os.path.join(work.source(suite, package), "configure"),
            "--quiet",
            f"--prefix={prefix}",
            "--without-ensurepip",
            "--disable-test-modules",
            *arguments,
        ],
        environment=environment,
    )
    work.run(["make", "-s", f"-j{os.cpu_count()}"])
    work.run(["make", "-s", "install"])
    if library:
        library.finish()


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
            make(Work(folder, log), label, folder, prefix)
        except debian.Missing as error:
            print(f"{label}: no source of {package} in {suite}: {error}", file=sys.stderr)
            return None
        except (subprocess.CalledProcessError, OSError, ValueError, StopIteration) as error:
            shutil.rmtree(prefix, ignore_errors=True)
            print(f"{label}: cannot be built: {error}; see {prefix}.log", file=sys.stderr)
            return None
    shutil.rmtree(folder)
    return python
