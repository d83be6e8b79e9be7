# SPDX-License-Identifier: MIT
"""Roots for guests: the suite this system is made of, for either architecture, with what gilscope
is built and tested with. Nothing in them was configured, so that no program of another architecture
has to run."""

import os
import shutil

import debian

LIBRARIES = (
    "libc6-dev",
    "linux-libc-dev",
    "libbpf-dev",
    "libelf-dev",
    "zlib1g-dev",
    "libzstd-dev",
    "libjansson-dev",
    "libprotobuf-c-dev",
    "libcap-ng-dev",
    "libseccomp-dev",
    "libncurses-dev",
    "uthash-dev",
)
TOOLS = ("bash", "coreutils", "util-linux", "procps", "busybox-static", "iproute2")
PYTHON = ("python3", "python3-uvloop", "python3-jsonschema", "python3-pytest")
INSIDE = "/opt/gilscope"
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


class Root:
    def __init__(self, folder, architecture):
        self.architecture = architecture
        self.folder = os.path.join(os.path.abspath(folder), f"guest-{architecture}")
        self.busybox = os.path.join(self.folder, "usr/bin/busybox")
        packages = ",".join(LIBRARIES + TOOLS + PYTHON)
        done = os.path.join(self.folder, ".gilscope-complete")
        if debian.made(done, packages):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        debian.run(
            [
                "mmdebstrap",
                "--variant=extract",
                f"--architectures={architecture}",
                "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
                f"--include={packages}",
                debian.codename(),
                self.folder,
                debian.mirror(),
            ]
        )
        with open(os.path.join(self.folder, "etc/passwd"), "w") as file:
            file.write("root:x:0:0:root:/root:/bin/bash\n")
        with open(done, "w") as file:
            file.write(packages)

    def compiler(self):
        """The command that compiles for this root: the libraries' headers are the root's own."""
        return [f"{TRIPLETS[self.architecture]}-gcc", f"--sysroot={self.folder}"]

    def put(self, source, *folders):
        """Copies the tests and what was built for them to where the guest looks for it."""
        inside = self.folder + INSIDE
        shutil.rmtree(inside, ignore_errors=True)
        for name in folders:
            shutil.copytree(
                os.path.join(source, name),
                os.path.join(inside, name),
                ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
            )
        return inside

    def image(self, path):
        """The root as a disk."""
        if os.path.exists(path):
            os.remove(path)
        debian.run(
            ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", self.folder, path, "2G"]
        )
