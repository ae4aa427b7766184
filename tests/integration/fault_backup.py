#!/usr/bin/env python3
"""Backups of a store that another process writes and settles, some of them
killed: each that counts restores to what the writer had acknowledged, up to its
position, and none hurts another."""
import glob
import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from scribe import Event, Scribe, rounds, run_scribe
from stetcli import DONE, STET, StetCase, main

SEED = int(os.environ.get("STET_SEED", random.randrange(1 << 32)))
THREADS = 2
# Events that may be acknowledged and not yet known durable to a reader: those
# of the frames in flight when it looked, of up to 4 from each thread.
IN_FLIGHT = 4 * THREADS * 4


class Backup(StetCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)

    def kill_create(self):
        """Begin a backup and kill it at some moment."""
        process = subprocess.Popen(
            [STET, "--store", "stet-data", "backup", "create", "backup"],
            cwd=self.folder, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        time.sleep(self.random.random() * 0.03)
        process.kill()
        process.wait()

    def tell(self, store):
        said = run_scribe(f"open {store} readonly", "tell", "verify", "close",
                          cwd=self.folder)
        self.assertEqual((said.refusals, said.err), ([], ""))
        [telling] = said.tellings
        return telling

    def write_and_back_up(self, count):
        """Give the positions of backups made beside a writer, and up to which
        position it had acknowledged all before."""
        scribe = Scribe(cwd=self.folder)
        scribe.send("open stet-data segment=65536")
        scribe.hear_reply("open")
        made = {}
        for nth in range(count):
            scribe.send(f"mixed {nth} {THREADS} 150", "compact")
            enough = scribe.text.count(b"\nack ") + 200
            scribe.hear(lambda text: text.count(b"\nack ") >= enough)
            if nth % 3 == 1:
                self.kill_create()
                continue
            acked = max(e.position for e in scribe.said().of(Event))
            told = self.run_stet("backup", "create", "backup", "--json")
            self.assertEqual(told.code, DONE, told)
            position = int(told.json["position"])
            self.assertGreater(position, acked - IN_FLIGHT)
            made[told.json["backup"]] = position
        scribe.kill()
        return made

    def test_backups_beside_a_writer_are_what_it_wrote(self):
        """Also those that a killed one came before."""
        try:
            made = self.write_and_back_up(rounds(8, 60, 4))
            # The writer was killed: the rest is shown once it is opened.
            opened = run_scribe("open stet-data", "close", cwd=self.folder)
            self.assertEqual(opened.refusals, [])
            whole = self.tell("stet-data")
            self.assertTrue(glob.glob(self.path("backup", "*.set")))
            listed = self.stet("backup", "list", "backup", "--json").objects
            # A killed one may have come so far that it counts.
            numbers = {b["backup"]: int(b["position"]) for b in listed}
            self.assertLessEqual(made.items(), numbers.items())
            for number, position in numbers.items():
                self.check(str(number), whole[:position])
            self.restore_to_points(whole, max(numbers.values()))
        except BaseException:
            print(f"STET_SEED={SEED}")
            raise

    def check(self, number, expected):
        self.stet("backup", "verify", "backup", "--backup", number)
        self.stet("backup", "restore", "backup", "--backup", number,
                  "--out", "restored")
        self.assertEqual(self.tell("restored"), expected)
        shutil.rmtree(self.path("restored"))

    def restore_to_points(self, whole, newest):
        """To positions within and between batches."""
        for _ in range(rounds(4, 20, 1)):
            wanted = self.random.randrange(1, newest)
            got = self.stet("backup", "restore", "backup", "--out", "restored",
                            "--to", str(wanted), "--json").json
            end = int(got["position"])
            self.assertLessEqual(end, wanted)
            self.assertEqual(self.tell("restored"), whole[:end])
            # Had it gone on, it would have been with half a batch.
            tokens = [event.token for event, _ in whole[end:wanted + 1]]
            self.assertLessEqual(len(set(tokens)), 1, tokens)
            shutil.rmtree(self.path("restored"))

    def test_a_killed_restore_leaves_no_store(self):
        """It cannot be opened until a restore comes to its end."""
        run_scribe("open stet-data segment=65536", "mixed 1 2 400", "close",
                   cwd=self.folder)
        self.stet("backup", "create", "backup")
        whole = self.tell("stet-data")
        for _ in range(rounds(8, 100, 3)):
            process = subprocess.Popen(
                [STET, "backup", "restore", "backup", "--out", "restored",
                 "--to", str(len(whole) - 5)],
                cwd=self.folder, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            time.sleep(self.random.random() * 0.03)
            process.kill()
            process.wait()
            if not os.path.exists(self.path("restored", "RESTORED")):
                looked = self.run_stet("--store", "restored", "store", "verify")
                self.assertNotEqual(looked.code, DONE, looked)
                self.stet("backup", "restore", "backup", "--out", "restored",
                          "--to", str(len(whole) - 5))
            told = self.tell("restored")
            self.assertEqual(told, whole[:len(told)])
            self.assertGreater(len(told), len(whole) - 12)
            shutil.rmtree(self.path("restored"))


if __name__ == "__main__":
    main()
