#!/usr/bin/env python3
"""store salvage: what the command makes of a damaged store, and that it leaves
that store as it is. What is saved of which damage is in engine_salvage_test."""
import hashlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "reader"))
from stetcli import DAMAGED, DONE, NO, USAGE, StetCase, main
from store import Store
from verify import verify


class Salvage(StetCase):
    def setUp(self):
        """A settled part and one that is not."""
        super().setUp()
        for n in range(4):
            self.stet("machine", "save", "a", "--payload", f'{{"n":{n}}}')
            self.stet("machine", "update", "b", f'{{"n":{n}}}')
        self.stet("store", "compact")
        for n in range(3):
            self.stet("machine", "save", "a", "--payload", f'{{"m":{n}}}')
            self.stet("machine", "update", "b", f'{{"m":{n}}}')

    def look(self):
        """Names, bytes and times of the damaged store."""
        found = {}
        for name in os.listdir(self.path("stet-data")):
            path = self.path("stet-data", name)
            status = os.stat(path)
            with open(path, "rb") as file:
                found[name] = (hashlib.sha256(file.read()).digest(),
                               status.st_mtime_ns, status.st_ctime_ns)
        return found

    def file_with(self, text):
        for name in sorted(os.listdir(self.path("stet-data"))):
            with open(self.path("stet-data", name), "rb") as file:
                at = file.read().find(text)
            if at >= 0:
                return name, at
        raise AssertionError(text)

    def damage(self, text):
        name, at = self.file_with(text)
        with open(self.path("stet-data", name), "r+b") as file:
            file.seek(at)
            file.write(b"\xff")
        return name, at

    def test_of_a_sound_store_all_is_saved(self):
        """Exit code 0, the same events at the same positions."""
        before = self.look()
        report = self.stet("store", "salvage", "--out", "saved", "--json").json
        self.assertEqual((report["events"], report["lost"],
                          report["damaged_files"]), (14, 0, 0))
        self.assertEqual(self.look(), before)
        self.assertEqual(
            self.stet("log", "query", "--json", "--store", "saved").raw,
            self.stet("log", "query", "--json").raw)
        self.assertEqual(self.stet("export", "--store", "saved").raw,
                         self.stet("export").raw)
        verify(Store(self.path("saved")))

    def test_what_is_lost_is_told_and_nothing_else_is(self):
        """Exit code 4; which file and byte, which machine and seq."""
        name, at = self.damage(b'{"m":1}')
        before = self.look()
        answer = self.run_stet("store", "salvage", "--out", "saved", "--json")
        self.assertEqual(answer.code, DAMAGED, answer)
        *losses, report = answer.objects
        [file] = [x for x in losses if "file" in x]
        self.assertEqual(file["file"], name)
        self.assertLessEqual(int(file["from_offset"]), at)
        self.assertLess(at, int(file["to_offset"]))
        self.assertEqual((report["events"], report["lost"]), (13, 1))
        [machine] = [x for x in losses if "state_machine_id" in x]
        self.assertEqual((machine["from_seq"], machine["to_seq"]),
                         ("6", "7"))
        self.assertEqual(self.look(), before)
        self.assertIn("\ntry: stet --store saved store verify", answer.err)
        self.assertEqual(self.stet("machine", "load", "a", "--store",
                                   "saved").out, '{"m":2}')
        self.assertEqual(self.stet("machine", "load", "b", "--store",
                                   "saved").out, '{"n":3,"m":2}')
        self.refused(NO, "machine", "load", "a", "--at", "6", "--store",
                     "saved")
        self.stet("store", "verify", "--store", "saved")
        verify(Store(self.path("saved")))

    def test_the_text_says_the_same(self):
        """For whoever has to do it at night."""
        name, _ = self.damage(b'{"m":1}')
        answer = self.run_stet("store", "salvage", "--out", "saved")
        self.assertRegex(answer.out, rf"(?m)^file {name} bytes \d+ to \d+: ")
        self.assertIn("machine a seq 6: lost\n", answer.out)
        self.assertIn("\nlost             1\n", answer.out)

    def test_a_store_without_super_is_saved(self):
        """No other verb opens it."""
        os.remove(self.path("stet-data", "super"))
        self.refused(DAMAGED, "machine", "load", "a")
        answer = self.run_stet("store", "salvage", "--out", "saved", "--json")
        self.assertEqual(answer.code, DONE, answer)
        self.assertEqual(answer.objects[-1]["events"], 14)
        self.assertIn("super", answer.objects[0]["file"])

    def test_the_new_store_can_be_written(self):
        """Seqs and positions go on."""
        self.damage(b'{"m":1}')
        self.run_stet("store", "salvage", "--out", "saved")
        saved = self.stet("machine", "save", "a", "--payload", "8", "--store",
                          "saved", "--json").json
        self.assertEqual((saved["seq"], saved["position"]), (8, "15"))
        self.stet("store", "compact", "--store", "saved")
        self.stet("store", "verify", "--store", "saved")
        verify(Store(self.path("saved")))

    def test_a_newest_state_that_is_lost_is_not_called_missing(self):
        """Nor is an older one shown in its place; a new one can be saved."""
        self.damage(b'{"m":2}')
        self.run_stet("store", "salvage", "--out", "saved")
        there = ("--store", "saved")
        self.refused(NO, "machine", "load", "a", *there, says="dropped")
        self.refused(NO, "machine", "load", "a", "--at", "7", *there,
                     says="dropped")
        self.assertEqual(self.stet("machine", "load", "a", "--at", "6",
                                   *there).out, '{"m":1}')
        self.stet("machine", "save", "a", "--payload", "9", *there)
        self.assertEqual(self.stet("machine", "load", "a", *there).out, "9")
        self.stet("store", "verify", *there)

    def test_nothing_is_written_over(self):
        """And nothing is made of nothing."""
        os.mkdir(self.path("full"))
        self.write("full/x", "x")
        self.refused(NO, "store", "salvage", "--out", "full", says="full")
        self.refused(NO, "store", "salvage", "--out", "stet-data",
                     says="stet-data")
        self.refused(USAGE, "store", "salvage", says="--out DIR")
        os.mkdir(self.path("empty"))
        self.refused(NO, "store", "salvage", "--store", "empty", "--out",
                     "saved", says="empty holds no store")
        self.refused(NO, "store", "salvage", "--store", "nowhere", "--out",
                     "saved", says="nowhere")


if __name__ == "__main__":
    main()
