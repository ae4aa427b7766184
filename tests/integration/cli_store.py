#!/usr/bin/env python3
"""store and doctor; and stores that cannot be opened, each with its own exit
code, cause and next step."""
import glob
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DAMAGED, DONE, ENVIRONMENT, NO, STET, USAGE, StetCase, main


def crc32c(data):
    """As docs/FORMAT.md has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Store(StetCase):
    def setUp(self):
        super().setUp()
        for n in range(5):
            self.stet("machine", "save", f"m{n}", "--payload", '{"n":1}')

    def test_info_gives_the_numbers(self):
        """Those that the README and the benchmarks speak of."""
        info = self.stet("store", "info", "--json").json
        self.assertEqual(list(info), [
            "store", "driver", "uuid", "level", "format", "machines",
            "events", "log_bytes", "state_raw_bytes", "index_bytes",
            "disk_bytes", "segments", "unsealed", "torn_bytes"])
        self.assertEqual((info["machines"], info["events"]), (5, 5))
        self.assertEqual(info["state_raw_bytes"], 5 * len('{"n":1}'))
        self.assertEqual((info["driver"], info["level"]),
                         ("embedded", "disk"))
        self.assertIn("machines         5\n", self.stet("store", "info").out)

    def test_a_sound_store_verifies(self):
        """And the report says how much was read."""
        report = self.stet("store", "verify", "--json").json
        self.assertTrue(report["is_sound"])
        self.assertEqual((report["records"], report["machines"],
                          report["index_damaged"]), (5, 5, 0))
        self.assertIn("is_sound         yes\n",
                      self.stet("store", "verify").out)

    def test_reindex_changes_no_answer(self):
        """An index is made of records and can be made again."""
        before = self.stet("machine", "list").out
        self.stet("store", "reindex", "--json")
        self.assertEqual(self.stet("machine", "list").out, before)
        self.assertTrue(self.stet("store", "verify", "--json")
                        .json["is_sound"])

    def test_doctor_tells_of_store_and_disk(self):
        """What a report of a problem begins with."""
        found = self.stet("doctor", "--json").json
        self.assertTrue(found["is_open"])
        self.assertEqual((found["events"], found["machines"]), (5, 5))
        for name in ("stet", "store", "file_system", "free_bytes",
                     "is_direct", "level", "format"):
            self.assertIn(name, found)
        text = self.stet("doctor").out
        self.assertIn("opens          yes\n", text)
        self.assertIn("stet store verify", text)

    def test_doctor_of_nothing_says_so(self):
        """It still tells about the disk, and makes no store."""
        answer = self.run_stet("doctor", "--store", "nowhere", "--json")
        self.assertEqual(answer.code, NO, answer)
        self.assertFalse(answer.json["is_open"])
        self.assertIn("file_system", answer.json)
        self.assertFalse(os.path.exists(self.path("nowhere")))

    def test_a_changed_byte_is_found_and_named(self):
        """Exit code 4, the file and the offset; nothing is repaired."""
        [segment, *_] = sorted(glob.glob(self.path("stet-data", "*.seg")))
        with open(segment, "r+b") as file:
            place = file.read().index(b'{"n":1}')
            file.seek(place)
            file.write(b'{"n":2}')
        answer = self.run_stet("store", "verify")
        self.assertEqual(answer.code, DAMAGED, answer)
        self.assertIn(os.path.basename(segment), answer.err)
        self.assertIn("\ntry: ", answer.err)


class CannotOpen(StetCase):
    def save(self, *options, **more):
        return self.run_stet("machine", "save", "m", "--payload", "{}",
                             *options, **more)

    def test_urls_that_name_no_store(self):
        """What this build lacks, and what no build has."""
        for url in ("postgres://db", "nonsense:x", "stet:"):
            self.refused(USAGE, "machine", "save", "m", "--payload", "{}",
                         "--store", url, says="--store DIR")

    def test_a_folder_of_something_else_is_left_alone(self):
        """Only an empty folder becomes a store."""
        os.mkdir(self.path("photos"))
        self.write("photos/cat.jpg", b"cat")
        for words in (["machine", "save", "m", "--payload", "{}"],
                      ["machine", "list"]):
            answer = self.run_stet(*words, "--store", "photos")
            self.assertEqual(answer.code, NO, answer)
            self.assertIn("photos", answer.err)
        self.assertEqual(os.listdir(self.path("photos")), ["cat.jpg"])

    def test_a_newer_format_asks_for_a_newer_stet(self):
        """It is not damage, and nothing may be written over it."""
        self.assertEqual(self.save().code, DONE)
        with open(self.path("stet-data", "super"), "r+b") as file:
            for slot in (0, 4096):
                file.seek(slot + 8)
                used = (2).to_bytes(4, "little") + file.read(72)[4:]
                file.seek(slot + 4)
                file.write(crc32c(used).to_bytes(4, "little") + used)
        for words in (["machine", "save", "m", "--payload", "2"],
                      ["machine", "list"], ["store", "verify"]):
            self.refused(DAMAGED, *words, says=("super", "a newer stet"))

    def test_a_missing_file_is_damage(self):
        """Never an empty store, never a shorter history."""
        self.assertEqual(self.save().code, DONE)
        with open(self.path("stet-data", "super"), "r+b") as file:
            file.seek(12)
            live = int.from_bytes(file.read(4), "little")
        os.remove(self.path("stet-data", f"{live}.seg"))
        for words in (["machine", "save", "m", "--payload", "2"],
                      ["machine", "load", "m"]):
            self.refused(DAMAGED, *words, says="stet doctor")

    def test_a_file_is_no_store(self):
        """The path is there and is no folder."""
        self.write("file", b"x")
        self.assertNotEqual(self.save("--store", "file").code, DONE)
        with open(self.path("file"), "rb") as file:
            self.assertEqual(file.read(), b"x")

    def test_a_second_writer_is_told_of_the_first(self):
        """Readers go on; a writer has to wait."""
        self.assertEqual(self.save().code, DONE)
        holder = subprocess.Popen(
            [STET, "import", "-", "--format", "jsonl"], cwd=self.folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        try:
            self.wait_until_locked(holder)
            answer = self.save()
            self.assertEqual(answer.code, ENVIRONMENT, answer)
            self.assertIn(str(holder.pid), answer.err)
            self.assertIn("\ntry: ", answer.err)
            self.assertEqual(self.stet("machine", "list").out, "m\t\t1\n")
        finally:
            holder.communicate(b"")
        self.assertEqual(self.save().code, DONE)

    def wait_until_locked(self, holder):
        """Read who holds the lock: trying it would be in the holder's way."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and holder.poll() is None:
            with open(self.path("stet-data", "LOCK"), "rb") as lock:
                if str(holder.pid).encode() in lock.read():
                    return
        self.fail("the store was never locked")

    def test_a_full_output_is_an_error(self):
        """An answer that nobody got is not an answer."""
        self.assertEqual(self.save().code, DONE)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([STET, "machine", "load", "m"],
                                  cwd=self.folder, stdout=full,
                                  stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, ENVIRONMENT)
        self.assertIn(b"No space left on device", done.stderr)

    def test_a_reader_that_goes_away_does_not_kill_the_writer(self):
        """The write is done and the store is closed all the same."""
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([STET, "machine", "save", "m", "--payload",
                               "{}"], cwd=self.folder, stdout=write_end,
                              stderr=subprocess.PIPE)
        os.close(write_end)
        self.assertEqual(done.returncode, ENVIRONMENT)
        self.assertEqual(self.stet("machine", "load", "m").out, "{}")

    def test_a_memory_store_is_gone_with_its_run(self):
        """It is for trying out a line."""
        self.stet("machine", "save", "m", "--payload", "{}", "--store",
                  "memory:")
        self.assertEqual(os.listdir(self.folder), [])


def can_mount():
    """Is there a way to a disk of our own?"""
    try:
        return subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
            capture_output=True).returncode == 0
    except OSError:
        return False


@unittest.skipUnless(can_mount(), "no disk can be mounted here")
class Disks(StetCase):
    def on_disk(self, mount_options, script):
        """Run a script beside a disk of its own, ./disk."""
        os.mkdir(self.path("disk"))
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-eu", "-c",
             f"mount -t tmpfs -o {mount_options} tmpfs disk\n"
             "stet() { \"$STET\" --store disk/s \"$@\"; }\n" + script],
            cwd=self.folder, env=dict(os.environ, STET=STET), text=True,
            capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def test_a_full_disk_refuses_writes_and_nothing_else(self):
        """It still opens and reads, and takes writes again by itself."""
        self.write("state", os.urandom(100000))
        told = self.on_disk("size=16m", """
            head -c 8M /dev/zero >disk/filler
            n=0 code=0
            while [ $code = 0 ]; do
                stet machine save m$n state >/dev/null 2>err || code=$?
                [ $code != 0 ] || n=$((n + 1))
            done
            stet machine list | wc -l
            stet machine load m0 | cmp - state
            echo $n $code
            cat err
            rm disk/filler
            stet machine save again state
            """)
        listed, stored, *err = told.splitlines()
        count, code = stored.split()
        self.assertGreater(int(count), 0)
        self.assertEqual((listed, code), (count, str(ENVIRONMENT)))
        self.assertIn("no space", err[0].lower())
        self.assertRegex(err[1], "^try: .")
        self.assertEqual(err[2], "again seq 1")

    def test_a_read_only_disk_reads(self):
        """A write is refused by name, a read answers."""
        told = self.on_disk("size=16m", """
            stet machine save m --payload 1 >/dev/null
            mount -o remount,ro disk
            code=0
            stet machine save m --payload 2 2>&1 || code=$?
            echo $code
            stet machine load m
            """)
        err, hint, code, state = told.splitlines()
        self.assertIn("disk/s", err)
        self.assertRegex(hint, "^try: .")
        self.assertEqual((code, state), (str(ENVIRONMENT), "1"))


if __name__ == "__main__":
    main()
