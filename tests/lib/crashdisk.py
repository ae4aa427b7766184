"""Disks that lose power: recording what a file system writes to one, making the
images that a cut may leave, and mounting them.

A Recording is one run on a disk of tests/programs/logdisk: its writes, flushes
and notes in order. A cut after its first n records keeps what was written before
the last flush among them, and of the rest what the cut pleases.
"""
import contextlib
import os
import shutil
import struct
import subprocess
import sys

from scribe import BUILD

LOGDISK = os.path.join(BUILD, "tests", "programs", "logdisk")
WRITE, FLUSH, NOTE = 1, 2, 3
RECORD = struct.Struct("=IIQ")
SECTOR = 512
SUPERBLOCK = 4096
INSIDE = "STET_TEST_APART"  # set in namespaces of our own

# How to make a small one, and what its mount is told. XFS is made for more than
# 300 MB, unless it is told that this is a test; images share its uuid.
FILE_SYSTEMS = {
    "ext4": (24 << 20, ["mkfs.ext4", "-q", "-F", "-E", "nodiscard"], "loop",
             {}),
    "xfs": (48 << 20, ["mkfs.xfs", "-q", "-f", "-K", "-l", "size=10m"],
            "loop,nouuid",
            dict.fromkeys(("TEST_DIR", "TEST_DEV", "QA_CHECK_FS"), "1")),
}


def run(*command, env=None):
    done = subprocess.run(command, capture_output=True, text=True,
                          env=dict(os.environ, **(env or {})))
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def go_apart():
    """Start again in namespaces of our own: what is mounted and started there
    goes with this process, however that ends."""
    unshare = ["unshare", "--mount", "--propagation", "private", "--pid",
               "--fork", "--kill-child", "--mount-proc"]
    if INSIDE not in os.environ and os.geteuid() == 0 and subprocess.run(
            [*unshare, "true"], capture_output=True).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])


def why_not(*kinds):
    """Why no disk can be made here, or None."""
    if INSIDE not in os.environ:
        return "not root, or no namespaces: nothing can be mounted"
    if not os.path.exists("/dev/loop-control"):
        return "no loop devices"
    with open("/proc/filesystems", encoding="ascii") as file:
        known = file.read().split()
    for kind in kinds:
        if kind not in known or not shutil.which(f"mkfs.{kind}"):
            return f"no {kind} here"
    return None


def why_no_recording():
    if not os.path.exists(LOGDISK):
        return "logdisk was not built: no libfuse3"
    if not os.path.exists("/dev/fuse"):
        return "no /dev/fuse"
    return None


def make_image(kind, path):
    """A fresh file system in a sparse file."""
    size, command, _, env = FILE_SYSTEMS[kind]
    with open(path, "wb") as file:
        file.truncate(size)
    run(*command, path, env=env)


@contextlib.contextmanager
def mounted(kind, image, where):
    """The file system of an image; the loop device goes with the mount."""
    run("mount", "-t", kind, "-o", FILE_SYSTEMS[kind][2], image, where)
    try:
        yield where
    finally:
        run("umount", where)


class Recording:
    """What `use` did to a file system, a fresh one if there is no `base`:
    use(root, notes) gets its root and a file to write acknowledgements to."""

    def __init__(self, kind, folder, use, base=None):
        self.kind = kind
        self.base = base or os.path.join(folder, "base")
        self.log = os.path.join(folder, "log")
        disk, root = (os.path.join(folder, n) for n in ("disk", "root"))
        os.mkdir(disk)
        os.mkdir(root)
        if base is None:
            make_image(kind, self.base)
        daemon = subprocess.Popen([LOGDISK, self.base, self.log, disk],
                                  stdout=subprocess.PIPE)
        try:
            if daemon.stdout.readline() != b"ready\n":
                raise OSError("logdisk did not begin")
            with mounted(kind, os.path.join(disk, "disk"), root), \
                    open(os.path.join(disk, "notes"), "r+b") as notes:
                use(root, notes)
        finally:
            subprocess.run(["umount", disk], check=False)
            daemon.stdout.close()
            daemon.wait()
        self.records = list(self.read())

    def read(self):
        """Each record, with its bytes; of a write where they are, not what."""
        with open(self.log, "rb") as file:
            while head := file.read(RECORD.size):
                kind, length, offset = RECORD.unpack(head)
                at = file.tell()
                data = file.read(length) if kind == NOTE else None
                file.seek(at + length)
                yield kind, offset, (at, length) if data is None else data

    def notes(self, count=None):
        """What was noted in the first records, or in all."""
        return b"".join(data for kind, _, data in self.records[:count]
                        if kind == NOTE).decode()


class Cutter:
    """Makes images of one recording, at rising moments."""

    def __init__(self, recording, still):
        self.records = recording.records
        self.log = open(recording.log, "rb")
        self.still = still  # an image of what was flushed
        self.done = 0       # records that are in it
        copy_sparse(recording.base, still)

    def close(self):
        self.log.close()
        os.remove(self.still)

    def data(self, place):
        at, length = place
        return os.pread(self.log.fileno(), length, at)

    def pending(self, moment):
        """The writes before `moment` that no flush came after; what others
        came before goes into the still image."""
        flushed = self.done
        for i in range(self.done, moment):
            if self.records[i][0] == FLUSH:
                flushed = i
        with open(self.still, "r+b") as image:
            for kind, offset, place in self.records[self.done:flushed]:
                if kind == WRITE:
                    os.pwrite(image.fileno(), self.data(place), offset)
        self.done = flushed
        return [(offset, self.data(place)) for kind, offset, place in
                self.records[flushed:moment] if kind == WRITE]

    def cut(self, random, moment, path):
        """Make an image of a cut after `moment` records; says how."""
        pending = self.pending(moment)
        how = random.choice(("none", "all", "some", "sectors"))
        kept = {"none": lambda: [], "all": lambda: pending,
                "some": lambda: [w for w in pending if random.random() < .5],
                "sectors": lambda: list(sectors(random, pending))}[how]()
        copy_sparse(self.still, path)
        with open(path, "r+b") as image:
            for offset, data in kept:
                os.pwrite(image.fileno(), data, offset)
        return f"{how}, {len(kept)} of {len(pending)} writes"


def sectors(random, writes):
    """Whole sectors of the writes, in any choice or up to where it ended. The
    first block, which has the superblock, is not torn: no file system mends
    that."""
    for offset, data in writes:
        unit = SUPERBLOCK if offset < SUPERBLOCK else SECTOR
        end = random.randrange(len(data) + 1)
        is_prefix = random.random() < .5
        for at in range(0, len(data), unit):
            if (at < end) if is_prefix else random.random() < .7:
                yield offset + at, data[at:at + unit]


def copy_sparse(source, target):
    """Copy what is there of a file that is mostly holes."""
    with open(source, "rb") as a, open(target, "wb") as b:
        size = os.fstat(a.fileno()).st_size
        os.ftruncate(b.fileno(), size)
        at = 0
        with contextlib.suppress(OSError):  # ENXIO: no more data
            while at < size:
                at = os.lseek(a.fileno(), at, os.SEEK_DATA)
                end = os.lseek(a.fileno(), at, os.SEEK_HOLE)
                while at < end:
                    part = os.pread(a.fileno(), min(end - at, 1 << 20), at)
                    at += os.pwrite(b.fileno(), part, at)
