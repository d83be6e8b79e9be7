# SPDX-License-Identifier: MIT
"""A virtual machine that boots a kernel with a root, runs one command in it and ends.

Emulated, not virtualized: it needs no /dev/kvm and runs any architecture. Its clock counts
instructions, one a nanosecond, and jumps over idle time, so what happens when does not depend on
what else the machine does: half-microsecond truths hold there, two guests side by side are as exact
as one, and a CPU never stands still while the clock goes on. It is a slow computer (an instruction
a nanosecond is a tenth of what a machine of today does) with one CPU: before 8.1, qemu cannot bring
up a second one with such a clock.
"""

import re
import subprocess
import tempfile

import debian

MACHINES = {
    "amd64": ("qemu-system-x86_64", "-machine", "q35", "-cpu", "max"),
    "arm64": ("qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72"),
}
CONSOLES = {"amd64": "ttyS0", "arm64": "ttyAMA0"}
MEMORY_MB = 1536
CLOCK = "shift=0,sleep=off"  # 2^0 ns an instruction


def run(kernel, root, disk, command, timeout_s, log):
    """(exit status, lines) of a command that bash runs in the guest. The disk is left as it was,
    and what the guest says is in the file `log` as it comes."""
    with tempfile.NamedTemporaryFile(prefix="gilscope-guest-") as initial:
        kernel.initial(root.busybox, command, initial.name)
        machine = [
            *MACHINES[kernel.architecture],
            "-accel",
            "tcg,thread=single",
            "-icount",
            CLOCK,
            "-smp",
            "1",
            "-m",
            str(MEMORY_MB),
            "-kernel",
            kernel.image,
            "-initrd",
            initial.name,
            "-append",
            f"console={CONSOLES[kernel.architecture]} panic=-1 loglevel=1 mitigations=off",
            "-drive",
            f"file={disk},format=raw,if=none,id=root,snapshot=on",
            "-device",
            "virtio-blk-pci,drive=root",
            "-device",
            "virtio-rng-pci",
            "-nodefaults",
            "-no-reboot",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-monitor",
            "none",
        ]
        try:
            with open(log, "wb") as said:
                subprocess.run(
                    machine,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    timeout=timeout_s,
                )
        except FileNotFoundError:
            raise debian.Missing(
                f"{machine[0]} is not installed; run tools/install-deps matrix"
            ) from None
        except subprocess.TimeoutExpired:
            pass  # then no status was said
    with open(log, errors="replace", newline="") as said:
        lines = said.read().replace("\r", "").splitlines()
    status = [int(found[1]) for found in map(re.compile(r"@@ status (\d+)").search, lines) if found]
    return status[0] if status else None, lines
