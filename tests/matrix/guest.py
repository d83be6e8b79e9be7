# SPDX-License-Identifier: MIT
"""A virtual machine that boots a kernel with a root, runs one command in it and ends. Emulated, not virtualized: it needs no /dev/kvm and runs any
architecture, some ten times slower than the machine; what it measures as a time is worth nothing."""
import re
import subprocess
import tempfile

import debian

MACHINES = {
    "amd64": ("qemu-system-x86_64", "-machine", "q35", "-cpu", "max"),
    "arm64": ("qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72"),
}
CONSOLES = {"amd64": "ttyS0", "arm64": "ttyAMA0"}
CPUS, MEMORY_MB = 2, 1536


def run(kernel, root, disk, command, timeout_s):
    """(exit status, lines) of a command that bash runs in the guest. The disk is left as it was."""
    with tempfile.NamedTemporaryFile(prefix="gilscope-guest-") as initial:
        kernel.initial(root.busybox, command, initial.name)
        machine = [*MACHINES[kernel.architecture], "-accel", "tcg,thread=multi", "-smp", str(CPUS), "-m", str(MEMORY_MB), "-kernel", kernel.image,
                   "-initrd", initial.name, "-append", f"console={CONSOLES[kernel.architecture]} panic=-1 loglevel=1 mitigations=off",
                   "-drive", f"file={disk},format=raw,if=none,id=root,snapshot=on", "-device", "virtio-blk-pci,drive=root",
                   "-device", "virtio-rng-pci", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-monitor", "none"]
        try:
            done = subprocess.run(machine, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                  timeout=timeout_s)
        except FileNotFoundError:
            raise debian.Missing(f"{machine[0]} is not installed; run tools/install-deps matrix") from None
        except subprocess.TimeoutExpired as expired:
            said = expired.stdout.decode(errors="replace") if expired.stdout else ""
            return None, said.replace("\r", "").splitlines()
    lines = done.stdout.replace("\r", "").splitlines()
    status = [int(found[1]) for found in map(re.compile(r"@@ status (\d+)").search, lines) if found]
    return status[0] if status else None, lines
