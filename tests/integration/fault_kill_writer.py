#!/usr/bin/env python3
"""Writers are killed at random moments: every event that was acknowledged is
there with its seq, its position and its bytes, every batch is whole, and the
next open needs no help."""
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from scribe import Event, Ledger, Scribe, rounds, run_scribe
from stetcli import DONE, NO, StetCase, main

SEED = int(os.environ.get("STET_SEED", random.randrange(1 << 32)))
THREADS = 4
ENDLESS = 1 << 30
# Small segments, so that kills fall into turns and sealing. What is written
# at level os survives a kill as well.
OPTIONS = ("segment=65536", "segment=65536 os", "segment=262144")
# A store is checked as a whole, and a new one begun, after so many kills.
ROUNDS_A_STORE = 25


class KillWriter(StetCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)

    def kill_one(self, ledger, run):
        """Open, show what came since the last look, write; killed after a
        random number of answers, at times during the open itself."""
        scribe = Scribe(cwd=self.folder)
        scribe.send(f"open stet-data {self.random.choice(OPTIONS)}",
                    f"tell {ledger.shown + 1}",
                    f"mixed {run} {THREADS} {ENDLESS}")
        if self.random.random() < 0.25:
            scribe.hear(lambda text: False, self.random.random() * 0.01)
        else:
            enough = int(2 ** (self.random.random() * 10))
            heard = scribe.hear(lambda text: b"\nnak " in text or
                                text.count(b"\nack ") >= enough)
            self.assertTrue(heard, f"{enough} answers never came")
        said = scribe.kill()
        for reply in said.refusals:
            self.fail(str(reply))
        for nak in said.naks:
            self.fail(str(nak))
        for telling in said.tellings:
            ledger.check(telling)
        ledger.note(said)
        return len(said.of(Event))

    def kill_many(self, count):
        ledger, acked = Ledger(), 0
        for nth in range(count):
            # Every other life repeats what the one before it wrote: under the
            # same keys, so that nothing is stored twice.
            acked += self.kill_one(ledger, run=nth // 2)
            verified = self.run_stet("store", "verify")
            # Killed before there was a store, it left none.
            allowed = (DONE,) if ledger.events else (DONE, NO)
            self.assertIn(verified.code, allowed, verified)
        said = run_scribe("open stet-data", f"tell {ledger.shown + 1}",
                          "tell", "verify", "close", cwd=self.folder)
        self.assertEqual((said.refusals, said.err), ([], ""))
        newest, every = said.tellings
        ledger.check(newest)
        ledger.check_again(every)
        shutil.rmtree(self.path("stet-data"))
        return acked

    def test_a_killed_writer_loses_nothing_acknowledged(self):
        """The one thing that a store is for."""
        left = rounds(50, 500, 8)
        acked = 0
        try:
            while left > 0:
                acked += self.kill_many(min(left, ROUNDS_A_STORE))
                left -= ROUNDS_A_STORE
        except BaseException:
            print(f"STET_SEED={SEED}")
            raise
        print(f"{acked} acknowledged events")


if __name__ == "__main__":
    main()
