#!/usr/bin/env python3
"""backup: what its verbs print and refuse, and the next step they tell. What
they make is held to the store in fault_backup.py and tests/unit."""
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DAMAGED, ENVIRONMENT, NO, USAGE, StetCase, main


class Backup(StetCase):
    def setUp(self):
        super().setUp()
        for n in range(1, 5):
            self.stet("machine", "save", "m", "--payload", '{"n":%d}' % n)

    def create(self, *args):
        return self.stet("backup", "create", "b", "--json", *args).json

    def test_create_tells_what_it_made(self):
        """What a script wants to log."""
        made = self.create()
        self.assertEqual(list(made), [
            "backup", "is_damaged", "store_uuid", "previous", "position",
            "recorded_at", "created_at", "files", "new_files", "bytes",
            "new_bytes"])
        self.assertEqual((made["backup"], made["position"], made["new_bytes"]),
                         (1, "4", made["bytes"]))
        again = self.create()
        self.assertEqual((again["backup"], again["new_files"]), (2, 0))
        full = self.create("--full")
        self.assertEqual((full["new_bytes"], full["previous"]),
                         (full["bytes"], 0))
        self.assertRegex(
            self.stet("backup", "create", "b").out,
            r"^4\tposition 4\t\S+Z\t1 files, \d+ bytes\t0 new, 0 bytes\n$")

    def test_list_has_them_all(self):
        """Those that are damaged, too."""
        first = self.create()
        second = self.create()
        with open(self.path("b", "2.backup"), "r+b") as file:
            file.write(b"x")
        listed = self.stet("backup", "list", "b", "--json").objects
        self.assertEqual(listed, [first, {"backup": 2, "is_damaged": True}])
        self.assertIn("2\tdamaged\n", self.stet("backup", "list", "b").out)
        self.assertEqual(second["backup"], 2)
        self.refused(NO, "backup", "list", "nowhere",
                     says=["backup folder nowhere", "backup create nowhere"])

    def test_verify_tells_file_and_offset(self):
        """And the copy's own name, not the store's."""
        self.create()
        self.assertIn("4 records, 1 histories, sound",
                      self.stet("backup", "verify", "b").out)
        report = self.stet("backup", "verify", "b", "--json").json
        self.assertEqual((report["records"], report["is_sound"]), (4, True))
        [copy] = glob.glob(self.path("b", "1-*.seg"))
        with open(copy, "r+b") as file:
            file.seek(5000)
            file.write(b"rot")
        for verb in (["verify", "b", "--json"], ["restore", "b", "--out", "r"]):
            answer = self.run_stet("backup", *verb)
            self.assertEqual(answer.code, DAMAGED, answer)
            self.assertIn(f"{os.path.basename(copy)} at offset 0: ",
                          answer.err)
            self.assertIn("--backup NUMBER", answer.err)

    def test_restore_makes_a_store_of_its_own(self):
        """At the newest, at a position, at a time, at a checkpoint."""
        times = [e["recorded_at"] for e in
                 self.stet("log", "query", "--json").objects]
        self.stet("checkpoint", "set", "here")
        self.stet("machine", "save", "m", "--payload", '{"n":9}')
        self.create()
        for to, n in (((), 9), (("--to", "newest"), 9), (("--to", "2"), 2),
                      (("--to", times[2]), 3), (("--to", "@here"), 4)):
            made = self.stet("backup", "restore", "b", "--out", "r", "--json",
                             *to).json
            self.assertEqual((made["store"], made["backup"]), ("r", 1))
            state = self.stet("--store", "r", "machine", "load", "m").out
            self.assertEqual(state.strip(), '{"n":%d}' % n)
            info = self.stet("--store", "r", "store", "info", "--json").json
            self.assertEqual(info["uuid"], made["uuid"])
            self.assertEqual(str(info["events"]), made["position"])
            self.stet("--store", "r", "store", "verify")
            for name in os.listdir(self.path("r")):
                os.unlink(self.path("r", name))
        self.refused(NO, "backup", "restore", "b", "--out", "r", "--to", "99",
                     says=["no backup reaches position 99", "backup list b"])
        self.refused(NO, "backup", "restore", "b", "--out", "r", "--to",
                     "@nothing", says="no checkpoint nothing")
        self.refused(NO, "backup", "restore", "b", "--out", "stet-data",
                     says=["is not empty", "--out with an empty folder"])
        self.refused(USAGE, "backup", "restore", "b", says="--out DIR")
        self.refused(USAGE, "backup", "restore", "b", "--machine", "m",
                     says="--as NEWID")

    def test_restore_gives_back_one_machine(self):
        """As a fork of what is there; in another store event by event."""
        self.create()
        self.stet("machine", "save", "m", "--payload", '{"n":9}')
        made = self.stet("backup", "restore", "b", "--machine", "m", "--as",
                         "again", "--to", "3", "--json").json
        self.assertEqual(made, {"state_machine_id": "again", "seq": 4,
                                "is_fork": True})
        self.assertEqual(self.stet("machine", "load", "again").out.strip(),
                         '{"n":3}')
        self.refused(NO, "backup", "restore", "b", "--machine", "m", "--as",
                     "again", says=["has a history", "never used"])
        self.refused(NO, "backup", "restore", "b", "--machine", "none", "--as",
                     "x", says="none")
        self.stet("--store", "s", "machine", "save", "x", "--payload", "{}")
        made = self.stet("--store", "s", "backup", "restore", "b", "--machine",
                         "m", "--as", "back", "--json").json
        self.assertEqual((made["seq"], made["is_fork"]), (4, False))
        want = self.stet("--store", "backup:b", "export", "m").out
        got = self.stet("--store", "s", "export", "back").out
        self.assertEqual(got.replace('"back"', '"m"'), want)

    def test_a_backup_is_read_in_its_place(self):
        """By any verb that only reads."""
        self.create()
        self.stet("machine", "save", "m", "--payload", '{"n":9}')
        self.create()
        for url, n in (("backup:b#1", 4), ("backup:b#2", 9), ("backup:b", 9)):
            state = self.stet("--store", url, "machine", "load", "m").out
            self.assertEqual(state.strip(), '{"n":%d}' % n)
            self.stet("--store", url, "store", "verify")
        self.refused(NO, "--store", "backup:b#7", "machine", "list",
                     says="b has no backup 7")
        self.refused(ENVIRONMENT, "--store", "backup:b", "machine", "save", "m",
                     "--payload", "{}",
                     says=["a backup is read-only", "try: stet backup restore"])
        self.refused(USAGE, "--store", "backup:b", "backup", "create", "c",
                     says=["of a backup there is none", "try: cp -a"])

    def test_a_number_sign_may_be_part_of_a_folder(self):
        """A number behind the last one is a backup's; the rest is a path."""
        self.stet("backup", "create", "b#x")
        self.stet("machine", "save", "m", "--payload", '{"n":9}')
        self.stet("backup", "create", "b#x")
        for url, n in (("backup:b#x", 9), ("backup:b#x#1", 4)):
            state = self.stet("--store", url, "machine", "load", "m").out
            self.assertEqual(state.strip(), '{"n":%d}' % n)
        for number in ((), ("--backup", "1")):
            self.stet("backup", "restore", "b#x", "--machine", "m", "--as",
                      "m%d" % len(number), *number)

    def test_prune_asks_first(self):
        """What it removes does not come back."""
        for _ in range(3):
            self.stet("machine", "save", "m", "--payload", "{}")
            self.create()
        answer = self.run_stet("backup", "prune", "b", "--keep", "1")
        self.assertEqual(answer.code, USAGE, answer)
        self.assertIn("removes all backups in b but the newest 1", answer.err)
        self.assertIn("try: the same with --yes", answer.err)
        self.refused(USAGE, "backup", "prune", "b", "--yes", says="--keep")
        answer = self.run_stet("backup", "prune", "b", "--keep", "1", "--yes",
                               "--json")
        self.assertEqual(answer.json["backups"], 2)
        self.assertGreater(answer.json["files"], 0)
        [left] = self.stet("backup", "list", "b", "--json").objects
        self.assertEqual(left["backup"], 3)
        self.stet("backup", "verify", "b")

    def test_what_is_no_backup_folder_is_refused(self):
        """A store stays a store; another store's backups stay its own."""
        self.refused(NO, "backup", "create", "stet-data",
                     says=["stet-data is a store", "an empty folder"])
        self.stet("store", "verify")
        for verb, *options in (["list"], ["verify"], ["restore", "--out", "r"]):
            self.refused(NO, "backup", verb, "stet-data", *options,
                         says="stet-data is a store and holds no backups")
        self.create()
        self.stet("--store", "s", "machine", "save", "x", "--payload", "{}")
        self.refused(NO, "--store", "s", "backup", "create", "b",
                     says="holds backups of another store")

    def test_numbers_begin_at_one(self):
        """0 is no backup's number, and not as if none was given."""
        self.create()
        self.refused(USAGE, "backup", "verify", "b", "--backup", "0",
                     says="--backup 0: not a number from 1 to 4294967295")
        self.refused(USAGE, "backup", "prune", "b", "--keep", "0", "--yes",
                     says="--keep 0: not a number from 1")


if __name__ == "__main__":
    main()
