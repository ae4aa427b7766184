#!/usr/bin/env python3
"""An import is killed at random moments: the next open needs no help, the
same import completes, nothing is stored twice and nothing is missing."""
import collections
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from scribe import rounds
from stetcli import DONE, NO, RECEIPT, STET, StetCase, main, no_data

SEED = int(os.environ.get("STET_SEED", random.randrange(1 << 32)))
# What differs from one import of a file to the next.
VOLATILE = ("recorded_at", "position")


def generated_log(path):
    """Saves and transitions of 40 machines, mixed."""
    pick = random.Random(7)
    with gzip.open(path, "wt", encoding="utf-8") as out:
        for n in range(4000):
            event = {"id": f"game:{pick.randrange(40)}", "ts": 1763616248 + n}
            if pick.random() < 0.3:
                event["state"] = {"n": n, "pad": "x" * pick.randrange(900)}
            else:
                event.update({"to": f"s{pick.randrange(6)}",
                              "action": f"a{n}", "actor": "bot",
                              "payload": {f"k{n % 7}": n}})
            out.write(json.dumps(event) + "\n")


class KillImport(StetCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)

    def histories(self):
        """Each machine's events, without what an import decides anew."""
        found = collections.defaultdict(list)
        asked = self.run_stet("log", "query", "--json")
        self.assertEqual(asked.code, DONE, asked.err)
        for event in asked.objects:
            for name in VOLATILE:
                event.pop(name)
            found[event["state_machine_id"]].append(event)
        return found

    def drop_store(self):
        shutil.rmtree(self.path("stet-data"), ignore_errors=True)

    def import_whole(self, path):
        done = self.run_stet("import", path)
        self.assertEqual(done.code, DONE, done)

    def import_or_be_killed(self, path, most_s):
        """Whether the import came to its end before the kill."""
        process = subprocess.Popen([STET, "import", path], cwd=self.folder,
                                   stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        try:
            _, told = process.communicate(
                timeout=self.random.random() * most_s)
            self.assertEqual(process.returncode, DONE, told)
            return True
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return False

    def check_same(self, whole):
        found = self.histories()
        self.assertEqual(sorted(found), sorted(whole))
        for name, events in found.items():
            self.assertEqual(events, whole[name], name)

    def check_prefixes(self, whole):
        """What a killed import left is how each machine began."""
        for name, events in self.histories().items():
            self.assertEqual(events, whole[name][:len(events)], name)

    def survive(self, path, kills):
        began = time.monotonic()
        self.import_whole(path)
        usual_s = time.monotonic() - began
        whole = self.histories()
        self.drop_store()
        while kills > 0:
            if self.import_or_be_killed(path, usual_s * 1.3):
                self.check_same(whole)
                self.drop_store()
                continue
            kills -= 1
            if not os.path.exists(self.path("stet-data")):
                continue
            # Killed before the store was made, there is nothing to verify.
            verified = self.run_stet("store", "verify")
            self.assertIn(verified.code, (DONE, NO), verified)
            if verified.code == DONE and kills % 5 == 0:
                self.check_prefixes(whole)
        self.import_whole(path)
        self.check_same(whole)
        self.drop_store()

    def run_rounds(self, path, kills):
        try:
            self.survive(path, kills)
        except BaseException:
            print(f"STET_SEED={SEED}")
            raise

    def test_a_killed_import_completes_the_next_time(self):
        """Saves and transitions of a log made here."""
        path = self.path("made.jsonl.gz")
        generated_log(path)
        self.run_rounds(path, rounds(25, 250, 4))

    @unittest.skipIf(no_data(RECEIPT), no_data(RECEIPT))
    def test_a_killed_import_of_a_real_log_completes(self):
        """1,434 machines, as a stream of XES."""
        self.run_rounds(RECEIPT, rounds(25, 250, 2))


if __name__ == "__main__":
    main()
