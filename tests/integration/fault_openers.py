#!/usr/bin/env python3
"""Who may open what, and what is said to the others: second writers, readers
beside a writer, folders that are no store, newer formats, foreign files, ids
and states that cannot be."""
import os
import re
import shutil
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "reader"))
from borrowed import crc32c
from scribe import Ledger, Scribe, rounds, run_scribe
from stetcli import DAMAGED, ENVIRONMENT, NO, USAGE, StetCase, main

WRITE_UNIT = 4096
STATE_BYTES_MAX = 16 << 20


class Writers(StetCase):
    def test_a_second_writer_is_told_who_is_the_first(self):
        """By its process, which the first can be looked up by."""
        scribe = Scribe(cwd=self.folder)
        scribe.send("open stet-data", "mixed 1 1 3")
        scribe.hear_reply("mixed")
        pid = str(scribe.process.pid)
        self.refused(ENVIRONMENT, "machine", "save", "m", "--payload", "1",
                     says=("stet-data", pid))
        second = run_scribe("open stet-data", cwd=self.folder)
        self.assertEqual(second.refusals[0].status, "STET_E_LOCKED")
        self.assertIn(pid, second.refusals[0].text)
        self.assertEqual(scribe.kill().refusals, [])
        # The lock dies with its process, whatever the file says.
        self.stet("machine", "save", "m", "--payload", "1")

    def test_readers_beside_a_writer_see_a_growing_prefix(self):
        """Never an error, never a gap, never less than a reader before."""
        ledger = Ledger()
        scribe = Scribe(cwd=self.folder)
        scribe.send("open stet-data segment=65536", "mixed 1 1 1",
                    f"mixed 2 4 {1 << 30}")
        scribe.hear(lambda text: b"ok mixed" in text)
        shown = []
        for _ in range(rounds(25, 200, 4)):
            said = run_scribe("open stet-data readonly", "tell", "close",
                              cwd=self.folder)
            self.assertEqual((said.refusals, said.err), ([], ""))
            events = [event for event, _ in said.tellings[0]]
            self.assertEqual(events[:len(shown)], shown)
            Ledger().check(said.tellings[0])
            shown = events
            wanted = scribe.text.count(b"\n") + 50
            scribe.hear(lambda text: text.count(b"\n") >= wanted)
        ledger.note(scribe.kill())
        self.assertEqual(
            [e for e in shown if ledger.events.get(e.position, e) != e], [])
        self.assertGreater(len(shown), 0)

    def test_a_reader_makes_nothing(self):
        """Verbs that only read leave no folder behind, and no lock."""
        for verb in (["machine", "list"], ["machine", "load", "m"],
                     ["store", "verify"], ["export"], ["log", "stats"]):
            self.refused(NO, *verb, says=("stet-data", "--store"))
        self.assertEqual(os.listdir(self.folder), [])


class Folders(StetCase):
    def make_store(self):
        self.stet("machine", "save", "m", "--payload", "1")

    def test_a_foreign_folder_is_left_alone(self):
        """One that holds anything else is not made a store."""
        os.mkdir(self.path("stet-data"))
        self.write("stet-data/notes.txt", "mine")
        for verb in (["machine", "save", "m", "--payload", "1"],
                     ["machine", "load", "m"]):
            self.refused(NO, *verb, says=("stet-data", "notes.txt"))
        self.assertEqual(os.listdir(self.path("stet-data")), ["notes.txt"])

    def test_a_file_is_no_store(self):
        self.write("stet-data", "mine")
        for verb in (["machine", "save", "m", "--payload", "1"],
                     ["machine", "load", "m"]):
            self.refused(NO, *verb, says="stet-data")
        with open(self.path("stet-data"), encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")

    def test_an_empty_folder_becomes_a_store_by_a_write_only(self):
        """A mount point, or what mkdir made."""
        os.mkdir(self.path("stet-data"))
        self.refused(NO, "machine", "load", "m", says="holds no store")
        self.assertEqual(os.listdir(self.path("stet-data")), [])
        self.make_store()
        self.assertEqual(self.stet("machine", "load", "m").out, "1")

    def test_a_folder_whose_parent_is_missing_is_named(self):
        """The store's folder is made, its parents are not."""
        self.refused(NO, "--store", "no/such/store", "machine", "save", "m",
                     "--payload", "1", says="no/such/store")

    def test_foreign_files_in_a_store_are_left_alone(self):
        """A note beside the segments neither harms nor goes."""
        self.make_store()
        self.write("stet-data/notes.txt", "mine")
        self.write("stet-data/7.seg.bak", "mine")
        self.stet("machine", "save", "m", "--payload", "2")
        self.assertEqual(self.stet("machine", "load", "m").out, "2")
        self.stet("store", "verify")
        self.assertLessEqual({"notes.txt", "7.seg.bak"},
                             set(os.listdir(self.path("stet-data"))))

    def test_a_foreign_segment_is_told_not_taken(self):
        """An empty N.seg, or one with junk, is nobody's history."""
        for junk in (b"", b"junk" * 5000):
            self.make_store()
            self.write("stet-data/99.seg", junk)
            answer = self.run_stet("machine", "load", "m")
            self.assertIn(answer.code, (0, DAMAGED), answer)
            if answer.code == 0:
                self.assertEqual(answer.out, "1")
                self.stet("machine", "save", "m", "--payload", "2")
                self.assertEqual(self.stet("machine", "load", "m").out, "2")
            else:
                self.assertIn("99.seg", answer.err)
            shutil.rmtree(self.path("stet-data"))

    def test_a_bad_url_is_refused(self):
        """With the schemes that there are."""
        for url in ("postgres://db", "nonsense:x", "http://x/y", "stet:",
                    "", "memory:x"):
            for verb in (["list"], ["save", "m", "--payload", "1"]):
                self.refused(USAGE, "--store", url, "machine", *verb,
                             says=("stet:", "memory:", "--store DIR"))
        self.assertEqual(os.listdir(self.folder), [])

    def bytes_of_files(self):
        """What all files hold, but for the lock's, which is the last pid."""
        kept = {}
        for name in set(os.listdir(self.path("stet-data"))) - {"LOCK"}:
            with open(self.path("stet-data", name), "rb") as file:
                kept[name] = file.read()
        return kept

    def patch_format(self, slots, number):
        """Have slots of `super` say a format, with a right checksum."""
        path = self.path("stet-data", "super")
        with open(path, "r+b") as file:
            for slot in slots:
                file.seek(slot * WRITE_UNIT)
                block = bytearray(file.read(80))
                struct.pack_into("<I", block, 8, number)
                struct.pack_into("<I", block, 4, crc32c(block[8:]))
                file.seek(slot * WRITE_UNIT)
                file.write(block)

    def test_a_newer_format_is_refused_and_left_alone(self):
        """Also where only the newer slot has it: a newer version wrote it."""
        self.make_store()
        self.patch_format((0, 1), 2)
        kept = self.bytes_of_files()
        for verb in (["machine", "load", "m"], ["store", "verify"],
                     ["machine", "save", "m", "--payload", "2"]):
            self.refused(DAMAGED, *verb, says=("format", "newer stet"))
        self.assertEqual(self.bytes_of_files(), kept)
        self.patch_format((0, 1), 1)
        self.assertEqual(self.stet("machine", "load", "m").out, "1")

    def test_a_newer_format_in_one_slot_is_refused(self):
        """The version that wrote one slot may have changed anything."""
        for slot in (0, 1):
            self.make_store()
            self.patch_format((slot,), 2)
            self.refused(DAMAGED, "machine", "load", "m", says="format")
            shutil.rmtree(self.path("stet-data"))


class Input(StetCase):
    def test_an_id_with_control_characters_is_refused_and_shown_safely(self):
        """A terminal must not obey a machine's name."""
        for name in ("a\x1b[2Jb", "a\nb", "\x7f", "a\x01"):
            answer = self.refused(USAGE, "machine", "save", name,
                                  "--payload", "1", says="id")
            self.assertIsNone(re.search(r"[\x00-\x09\x0b-\x1f\x7f]",
                                        answer.err), repr(answer.err))

    def test_an_id_has_1_to_255_bytes(self):
        self.stet("machine", "save", "x" * 255, "--payload", "1")
        for name in ("x" * 256, "\u00e9" * 128):
            self.refused(USAGE, "machine", "save", name, "--payload", "1",
                         says=("256 bytes", "255"))
        self.refused(USAGE, "machine", "save", "", "--payload", "1",
                     says="the id is empty")

    def test_an_id_that_is_a_path_is_no_file(self):
        """Ids never become file names."""
        for name in ("../../etc/passwd", "/etc/passwd", "..", "a/../b"):
            self.stet("machine", "save", name, "--payload", '"x"')
            self.assertEqual(self.stet("machine", "load", name).out, '"x"')
        self.assertEqual(os.listdir(self.folder), ["stet-data"])

    def test_a_state_over_the_limit_is_refused(self):
        """And one at the limit is kept."""
        most = b"x" * STATE_BYTES_MAX
        self.stet("machine", "save", "m", stdin=most)
        self.refused(USAGE, "machine", "save", "m", stdin=most + b"y",
                     says=("16777216", "smaller"))
        self.assertEqual(self.stet("machine", "load", "m").raw, most)

    def test_a_batch_of_nothing_known_is_no_write(self):
        """A mistyped option or noun must not make a store."""
        self.refused(USAGE, "machine", "sav", "m", says="try: stet")
        self.refused(USAGE, "machine", "save", "m", "--paylod", "1",
                     says="--payload")
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    main()
