"""Machines in User-Mode Linux, whose power can be cut: a kill of the kernel's
process takes its memory with it, page cache and all.

A Machine boots from what make_root made, a file system in memory with busybox
and the programs of a test, straight into one of its scripts. Its disk is an
image, its console is what it says. VALUES are in the script's environment.
"""
import glob
import os
import re
import select
import shutil
import signal
import subprocess

KERNEL = "linux.uml"
MODULES = sorted(glob.glob("/usr/lib/uml/modules/*/kernel/drivers/md"))
MEMORY = "192M"
BEGIN = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
"""
END = "\npoweroff -f\n"


def why_not(*programs):
    """Why no machine with these programs can run here, or None."""
    for program in (KERNEL, "busybox", *programs):
        if shutil.which(program) is None:
            return f"no {program} here"
    return None


def libraries(program):
    done = subprocess.run(["ldd", program], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", done.stdout)


def pack(entries):
    """An archive as cpio makes it (newc): name, mode and bytes of each."""
    parts = []
    for i, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")]):
        fields = (i, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = "070701" + "".join(f"{n:08x}" for n in fields) + name + "\0"
        for part in (head.encode(), data):
            parts.append(part + bytes(-len(part) % 4))
    return b"".join(parts)


def make_root(path, programs, scripts, modules=()):
    """Write what a machine boots from; a script is named as it is started."""
    wanted = [shutil.which("busybox"), *map(shutil.which, programs)]
    files = {f"/bin/{os.path.basename(p)}": p for p in wanted}
    files.update((lib, lib) for p in wanted for lib in libraries(p))
    files.update((f"/{m}.ko", os.path.join(MODULES[-1], f"{m}.ko"))
                 for m in modules)
    folders = {"/dev", "/proc", "/sys", "/mnt"}
    for name in files:
        while (name := os.path.dirname(name)) != "/":
            folders.add(name)
    entries = [(name, 0o40755, b"") for name in sorted(folders)]
    for name, source in files.items():
        with open(source, "rb") as file:
            entries.append((name, 0o100755, file.read()))
    for name, text in scripts.items():
        entries.append((f"/{name}", 0o100755, (BEGIN + text + END).encode()))
    with open(path, "wb") as file:
        file.write(pack([(n[1:], mode, data) for n, mode, data in entries]))


class Machine:
    """One that runs; as a context it is off at the end, whatever happens."""

    def __init__(self, root, script, image, **values):
        self.folder = os.path.dirname(image)
        self.text = ""
        self.process = subprocess.Popen(
            [KERNEL, f"mem={MEMORY}", f"initrd={root}", f"rdinit=/{script}",
             f"ubd0={image}", f"uml_dir={self.folder}", "con0=null,fd:1",
             "con=null", "ssl=null", "loglevel=0",
             *(f"{name}={value}" for name, value in values.items())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env=dict(os.environ, TMPDIR=self.folder))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()

    def read(self, timeout_s):
        """Hear a little more; False: it is off, or silent for so long."""
        ready, _, _ = select.select([self.process.stdout], [], [], timeout_s)
        part = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
        self.text += part.decode("utf-8", "replace").replace("\r", "")
        return bool(part)

    def hear(self, is_enough, timeout_s=30):
        while not is_enough(self.text):
            if not self.read(timeout_s):
                return False
        return True

    def cut(self):
        """Cut the power; gives all that it had said before."""
        if self.process.stdout.closed:
            return self.text
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        while self.read(1):
            pass
        self.process.stdout.close()
        return self.text
