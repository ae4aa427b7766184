#!/usr/bin/env python3
"""A full disk refuses writes and nothing else: what was acknowledged is read,
also after a close or a kill and another open on the same full disk, and writing
goes on by itself once there is room. A disk mounted read-only is read."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from scribe import Event, Ledger, Scribe, claim, rounds, run_scribe
from stetcli import DONE, ENVIRONMENT, StetCase, main

INSIDE = "STET_TEST_UNSHARED"  # set in namespaces of our own
DISK_BYTES = 8 << 20
PAGE = 4096
# Room for the store, swept: from not enough for an empty one to many segments.
ROOM_FROM, ROOM_TO = 16 << 10, 2 << 20


def mount(*options):
    return subprocess.run(["mount", *options], capture_output=True, text=True)


def why_not():
    with tempfile.TemporaryDirectory() as folder:
        done = mount("-t", "tmpfs", "-o", "size=1m", "none", folder)
        if done.returncode != 0:
            return f"nothing can be mounted: {done.stderr.strip()}"
        subprocess.run(["umount", folder], check=True)
    return None


class Disk(StetCase):
    """Each test has a small file system of its own as its folder."""

    def setUp(self):
        super().setUp()
        self.ledger = Ledger()
        done = mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none",
                     self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder])

    def leave_room(self, room):
        """Have a file of others take all but `room` bytes."""
        with open(self.path("others"), "wb") as file:
            free = os.statvfs(self.folder)
            left = free.f_bavail * free.f_frsize - room
            file.write(bytes(max(left, 0)))

    def make_room(self):
        os.remove(self.path("others"))

    def hear(self, said, may_refuse=()):
        """Take down answers; what is refused must be for want of space."""
        for nak in said.naks:
            claim(nak.status == "STET_E_NOSPACE", str(nak))
        for reply in said.refusals:
            claim(reply.command in may_refuse and
                  reply.status == "STET_E_NOSPACE", str(reply))
        self.ledger.follow(said)

    def check_refilled(self, room):
        """The life of a store on a disk with `room` bytes left."""
        self.ledger = Ledger()
        self.leave_room(room)
        options = "segment=65536"
        scribe = Scribe(cwd=self.folder)
        scribe.send(f"open store {options}")
        if scribe.hear_reply("open").status != "STET_OK":
            self.hear(scribe.end(), may_refuse=("open",))
            self.make_room()
            scribe = Scribe(cwd=self.folder)
            scribe.send(f"open store {options}")
            self.assertEqual(scribe.hear_reply("open").status, "STET_OK")
            self.leave_room(0)
        scribe.send("fill 1", "tell")
        scribe.hear_reply("tell")
        # The disk is full and stays so, through a kill and through a close.
        self.hear(scribe.end())
        self.hear(run_scribe(f"open store {options}", "tell", "verify",
                             "mixed 2 1 3", "tell", "close", "open store",
                             "tell", "close", "open store readonly", "tell",
                             "verify", "close", cwd=self.folder))
        # In one handle: refused, then room, then writing goes on.
        scribe = Scribe(cwd=self.folder)
        scribe.send("open store", "fill 3", "tell")
        scribe.hear_reply("tell")
        self.make_room()
        scribe.send("mixed 4 1 9", "tell", "verify", "close")
        scribe.hear_reply("close")
        said = scribe.end()
        self.hear(said)
        stored = {e.token for e in said.of(Event)}
        self.assertEqual(len([t for t in stored if t.startswith("4.")]), 9,
                         "writing did not go on")

    def clear(self):
        subprocess.run(["rm", "-rf", self.path("store"), self.path("others")],
                       check=True)


class FullDisk(Disk):
    def test_a_full_disk_refuses_writes_and_nothing_else(self):
        """With every amount of room that is a little more than the last."""
        count = rounds(60, (ROOM_TO - ROOM_FROM) // PAGE, 6)
        step = (ROOM_TO - ROOM_FROM) // count // PAGE * PAGE
        for room in range(ROOM_FROM, ROOM_TO, step):
            try:
                self.check_refilled(room)
            except AssertionError as error:
                raise AssertionError(f"{room} bytes of room: {error}") \
                    from error
            self.clear()

    def test_the_command_says_that_the_disk_is_full(self):
        """And what to do about it; reading goes on."""
        self.stet("machine", "save", "m", "--payload", "1")
        self.leave_room(0)
        big = "x" * (3 << 20)
        self.refused(ENVIRONMENT, "machine", "save", "m", stdin=big,
                     says=("No space", "df -h", "stet-data"))
        self.assertEqual(self.stet("machine", "load", "m").out, "1")
        self.make_room()
        self.stet("machine", "save", "m", stdin=big)
        self.assertEqual(self.stet("machine", "load", "m").out, big)


class ReadOnlyDisk(Disk):
    def test_a_restore_names_the_disk_that_is_full(self):
        """That of the store which it makes, not that of the backups."""
        with tempfile.TemporaryDirectory() as backups:
            self.stet("machine", "save", "m", "--payload", "{}")
            self.stet("backup", "create", backups)
            self.leave_room(16 << 10)
            self.refused(ENVIRONMENT, "backup", "restore", backups, "--out",
                         "r", says=["No space left", "try: df -h r,"])

    def remount(self, how):
        done = mount("-o", f"remount,bind,{how}", self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_disk_mounted_read_only_is_read(self):
        """Writing says why not, and leaves the store as it is."""
        self.stet("machine", "save", "m", "--payload", "1")
        self.remount("ro")
        self.assertEqual(self.stet("machine", "load", "m").out, "1")
        self.assertEqual(self.stet("store", "verify").code, DONE)
        self.refused(ENVIRONMENT, "machine", "save", "m", "--payload", "2",
                     says=("stet-data", "ead-only", "mounted"))
        self.refused(ENVIRONMENT, "--store", "new", "machine", "save", "m",
                     "--payload", "2", says=("new", "ead-only"))
        self.remount("rw")
        self.stet("machine", "save", "m", "--payload", "2")
        self.assertEqual(self.stet("machine", "load", "m").out, "2")

    def test_a_killed_store_on_such_a_disk_is_read(self):
        """Recovery writes; reading does not need it."""
        said = run_scribe("open stet-data", "mixed 1 1 20", "sync",
                          cwd=self.folder)
        self.ledger.note(said)
        self.remount("ro")
        again = run_scribe("open stet-data readonly", "tell", "verify",
                           "close", cwd=self.folder)
        self.assertEqual((again.refusals, again.err), ([], ""))
        shown = [event for event, _ in again.tellings[0]]
        self.assertEqual(shown, [self.ledger.events[e.position]
                                 for e in shown])
        self.assertGreaterEqual(len(shown), 1)


def become_root_of_own_mounts():
    """Start again in namespaces of our own, where anybody may mount."""
    unshare = ["unshare", "--map-root-user", "--mount"]
    if INSIDE not in os.environ and shutil.which(unshare[0]) and \
            subprocess.run([*unshare, "true"],
                           capture_output=True).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])


if __name__ == "__main__":
    if why_not():
        become_root_of_own_mounts()
    main(why_not())
