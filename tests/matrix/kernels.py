# SPDX-License-Identifier: MIT
"""Debian's kernels for virtual machines, and the initial file systems that bring them up to a root
on a disk."""

import lzma
import os
import re
import shutil
import tempfile

import debian

# The series that gilscope is run on: the oldest and the newest to be had, and those that
# distributions keep for years.
SERIES = ("5.10", "6.1", "6.12", "6.18", "newest")
SERIES_ARM64 = ("6.1",)
SUITES = {
    "amd64": ("bullseye", "bookworm", "trixie", "trixie-backports", "sid"),
    "arm64": ("bookworm",),
}
MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "ext4", "virtio_rng")

INIT = """#!/bin/busybox sh
say() { /bin/busybox echo "$@"; }
/bin/busybox mount -t proc proc /proc &&
/bin/busybox mount -t sysfs sysfs /sys &&
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do
	/bin/busybox insmod /modules/$module || say "no module $module"
done
/bin/busybox mount -t ext4 /dev/vda /root || { say "no root"; /bin/busybox poweroff -f; }
cd /root
for place in proc sys dev; do /bin/busybox mount -o move /$place /root/$place; done
/bin/busybox mount -t tmpfs tmp tmp; /bin/busybox mount -t tmpfs run run
/bin/busybox mkdir -p dev/shm dev/pts
/bin/busybox mount -t tmpfs shm dev/shm; /bin/busybox mount -t devpts pts dev/pts
/bin/busybox mount -t bpf bpf sys/fs/bpf
/bin/busybox mount -t tracefs tracing sys/kernel/tracing
/bin/busybox mount -t cgroup2 cgroup sys/fs/cgroup
/bin/busybox ifconfig lo 127.0.0.1 up
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
/bin/busybox chroot . /bin/bash -c "$(/bin/busybox cat /command)" 2>&1
say "@@ status $?"
/bin/busybox poweroff -f
"""


class Kernel:
    """An unpacked kernel. `release` is what uname -r will say."""

    def __init__(self, folder, architecture):
        self.architecture = architecture
        modules = [os.path.join(folder, place, "lib/modules") for place in ("", "usr")]
        (self._base,) = [
            os.path.dirname(os.path.dirname(path)) for path in modules if os.path.isdir(path)
        ]
        (self.release,) = os.listdir(os.path.join(self._base, "lib/modules"))
        places = (
            os.path.join(folder, "boot", f"vmlinuz-{self.release}"),
            os.path.join(self._base, "lib/modules", self.release, "vmlinuz"),
        )
        self.image = next(path for path in places if os.path.exists(path))

    def _modules(self):
        """Files of the modules that are needed, and of what they need, in an order in which they
        can be loaded."""
        debian.run(["depmod", "-b", self._base, self.release])
        found = []
        for module in MODULES:
            try:
                lines = debian.run(
                    ["modprobe", "-d", self._base, "-S", self.release, "--show-depends", module]
                ).splitlines()
            except debian.Missing:
                continue  # this kernel has it built in, or has it not
            found += [
                line.split()[1]
                for line in lines
                if line.startswith("insmod ") and line.split()[1] not in found
            ]
        return found

    def initial(self, busybox, command, path):
        """Writes an initial file system that runs the command in the root and ends the machine."""
        with tempfile.TemporaryDirectory() as top:
            for name in ("bin", "proc", "sys", "dev", "root", "modules"):
                os.mkdir(os.path.join(top, name))
            shutil.copy(busybox, os.path.join(top, "bin/busybox"))
            order = []
            for module in self._modules():
                name = re.sub(r"\.(xz|zst)$", "", os.path.basename(module))
                with open(os.path.join(top, "modules", name), "wb") as file:
                    file.write(unpacked(module))
                order.append(name)
            for name, text, mode in (
                ("init", INIT, 0o755),
                ("command", command, 0o644),
                ("modules/order", "\n".join(order), 0o644),
            ):
                with open(os.path.join(top, name), "w") as file:
                    file.write(text)
                os.chmod(os.path.join(top, name), mode)
            debian.run(
                [
                    "sh",
                    "-c",
                    'find . | cpio --quiet -o -H newc > "$1"',
                    "sh",
                    os.path.abspath(path),
                ],
                cwd=top,
            )


def unpacked(path):
    with open(path, "rb") as file:
        content = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(content)
    if path.endswith(".zst"):
        with tempfile.NamedTemporaryFile() as plain:
            debian.run(["zstd", "-q", "-f", "-d", path, "-o", plain.name])
            return plain.read()
    return content


def choose(packages, series):
    """The newest of {name: suite} in that series; the newest of all for "newest"."""

    def release(name):
        return name[len("linux-image-") :]

    own = [
        name
        for name in packages
        if series == "newest" or re.match(re.escape(series) + r"\D", release(name))
    ]
    if not own:
        raise debian.Missing(f"Debian has no kernel {series}")
    return max(own, key=lambda name: debian.version_key(release(name)))


class Store:
    """Kernels below `folder`, fetched when they are asked for the first time."""

    def __init__(self, folder):
        self._folder = folder
        self._archives = {}

    def _packages(self, architecture):
        """{name of a kernel's package: the suite's archive}"""
        found = {}
        for suite in SUITES[architecture]:
            if (suite, architecture) not in self._archives:
                self._archives[suite, architecture] = debian.Archive(
                    os.path.join(self._folder, "apt"), suite, architecture
                )
            archive = self._archives[suite, architecture]
            pattern = re.compile(r"linux-image-\d[^-]*(-\d+)?-cloud-" + architecture)
            found.update(
                {name: archive for name in archive.names("linux-image-") if pattern.fullmatch(name)}
            )
        return found

    def kernel(self, series, architecture):
        packages = self._packages(architecture)
        name = choose(packages, series)
        release = name[len("linux-image-") :]
        folder = os.path.join(self._folder, release)
        done = os.path.join(folder, ".gilscope-complete")
        if not os.path.exists(done):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            # since 6.19 what an image consists of comes in packages of its own
            parts = [part + release for part in ("linux-binary-", "linux-modules-")]
            packages[name].unpack(
                [name] + [part for part in parts if part in packages[name].names(part)], folder
            )
            open(done, "w").close()
        return Kernel(folder, architecture)
