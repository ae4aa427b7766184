#!/usr/bin/env python3
"""Power is cut under a real file system: what the disk may then hold is mounted
and opened, and everything acknowledged before the cut is there.

A life of a store is recorded on a disk that logs its writes and flushes. Each
image is what a cut at one moment of it leaves: all that was flushed, and of the
rest nothing, all, some writes or some sectors."""
import bisect
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import crashdisk
from scribe import (SCRIBE, Ledger, Said, claim, event_of, rounds,
                    run_scribe)
from stetcli import DONE, NO, STET, main

SEED = int(os.environ.get("STET_SEED", "1"))
OPEN = "open store segment=65536"
# Turns, sealing, settling, a clean end and a killed process's recovery.
LIVES = ((OPEN, "mixed 1 1 30", "steps", "mixed 2 4 15", "sync", "close"),
         (OPEN, "compact", "mixed 3 1 20", "steps", "mixed 4 2 5"),
         (OPEN, "mixed 5 4 15", "close"),
         (OPEN, "compact", "mixed 6 1 5", "close"))
OS_LIVES = ((OPEN + " os", "mixed 1 1 25", "sync", "mixed 2 4 15", "sync",
             "mixed 3 1 25", "steps"),
            (OPEN + " os", "mixed 4 1 15", "sync", "mixed 5 1 15", "close"))
AFTER = ("open store segment=65536", "tell", "verify", "mixed 99 1 2", "close")


def live(lives):
    """Something to record: these lives, one after the other."""
    def use(root, notes):
        for commands in lives:
            subprocess.run([SCRIBE], cwd=root, stdout=notes, check=True,
                           input="".join(c + "\n" for c in commands).encode())
        names = os.listdir(os.path.join(root, "store"))
        claim(lives is not LIVES or any(n.endswith(".set") for n in names),
              f"nothing was settled: {names}")
    return use


class Owed:
    """What a recording acknowledged or showed, by the moment; `before`: what was
    owed when it began."""

    def __init__(self, recording, is_synced_only=False, before=0):
        said = Said(recording.notes())
        claim(not said.naks and not said.refusals,
              f"{said.naks} {said.refusals}")
        self.events = {}
        self.moments, self.positions = [0], [before]
        rest = ""
        for moment, (kind, _, data) in enumerate(recording.records):
            if kind != crashdisk.NOTE:
                continue
            *lines, rest = (rest + data.decode()).split("\n")
            for line in lines:
                self.take(line)
            if not is_synced_only or "ok sync" in lines:
                self.moments.append(moment)
                self.positions.append(max([before, *self.events]))

    def take(self, line):
        kind, *fields = line.split(" ")
        if kind in ("ack", "has"):
            event = event_of(fields[:5])
            self.events[event.position] = event

    def at(self, moment):
        """The last position that was owed before the moment."""
        return self.positions[bisect.bisect_left(self.moments, moment) - 1]


class Cut:
    """An image, held to what is owed."""

    def __init__(self, owed, moment, root):
        self.owed = owed
        self.position = owed.at(moment)
        self.root = root

    def check(self):
        verified = subprocess.run(
            [STET, "--store", os.path.join(self.root, "store"), "store",
             "verify"], capture_output=True, text=True)
        may = (DONE,) if self.position > 0 else (DONE, NO)
        claim(verified.returncode in may,
              f"{verified.returncode}: {verified.stdout}{verified.stderr}")
        said = run_scribe(*AFTER, cwd=self.root)
        claim(not said.refusals and not said.naks,
              f"reopened: {said.refusals} {said.naks} {said.err}")
        telling = said.tellings[0]
        Ledger().check(telling)  # in order, whole batches
        shown = [event for event, _ in telling]
        claim(len(shown) >= self.position,
              f"acknowledged to {self.position}, shown to {len(shown)}")
        for event in shown:
            claim(self.owed.events.get(event.position, event) == event,
                  f"{event} was {self.owed.events.get(event.position)}")


class Images(unittest.TestCase):
    def setUp(self):
        home = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="stet-cut-", dir=home)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def record(self, kind, lives, base=None):
        home = tempfile.mkdtemp(dir=self.folder)
        return crashdisk.Recording(kind, home, live(lives), base)

    def moments(self, recording, count, chance):
        """Half of them anywhere, half where much was on its way."""
        waiting, busy = 0, []
        for i, (kind, _, _) in enumerate(recording.records):
            waiting = 0 if kind == crashdisk.FLUSH else \
                waiting + (kind == crashdisk.WRITE)
            busy += [i + 1] if waiting > 1 else []
        some = [chance.randrange(1, len(recording.records) + 1)
                for _ in range(count - count // 2)]
        return sorted(some + chance.choices(busy or some, k=count // 2))

    def try_moments(self, recording, owed, moments, chance):
        """Cut at each moment; gives what was wrong."""
        home = tempfile.mkdtemp(dir=self.folder)
        image, root = (os.path.join(home, n) for n in ("image", "root"))
        os.mkdir(root)
        cutter = crashdisk.Cutter(recording, os.path.join(home, "still"))
        wrong = []
        for moment in moments:
            how = cutter.cut(chance, moment, image)
            try:
                with crashdisk.mounted(recording.kind, image, root):
                    Cut(owed, moment, root).check()
            except (AssertionError, OSError) as error:
                wrong.append(f"seed {SEED}, cut after {moment} of "
                             f"{len(recording.records)} records, {how}: "
                             f"{error}")
        cutter.close()
        shutil.rmtree(home)
        return wrong

    def try_images(self, recording, owed, count):
        """Images of one recording; gives what was wrong with them."""
        began = time.monotonic()
        jobs = os.cpu_count()
        moments = self.moments(recording, count, random.Random(SEED))
        size = -(-len(moments) // jobs)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            parts = [pool.submit(self.try_moments, recording, owed,
                                 moments[i:i + size], random.Random(SEED + i))
                     for i in range(0, len(moments), size)]
            wrong = [text for part in parts for text in part.result()]
        print(f"{recording.kind}: {len(moments)} images, {len(wrong)} wrong, "
              f"{time.monotonic() - began:.1f} s")
        return wrong

    def check_images(self, kind, count):
        why = crashdisk.why_not(kind)
        if why:
            self.skipTest(why)
        recording = self.record(kind, LIVES)
        wrong = self.try_images(recording, Owed(recording), count)
        self.assertEqual(wrong, [], "\n".join(wrong[:10]))

    def test_a_cut_on_ext4_loses_nothing_acknowledged(self):
        """Debian's default."""
        self.check_images("ext4", rounds(220, 6000, 10))

    def test_a_cut_on_xfs_loses_nothing_acknowledged(self):
        """Which delays more, and replays its log in its own order."""
        self.check_images("xfs", rounds(100, 3000, 10))

    def test_a_cut_during_recovery_loses_nothing(self):
        """Recovery, and a few writes after it, on what a first cut left: what
        was acknowledged before that cut, or shown since, is kept."""
        first = self.record("ext4", LIVES)
        owed = Owed(first)
        chance = random.Random(SEED)
        cutter = crashdisk.Cutter(first, os.path.join(self.folder, "still"))
        wrong = []
        for moment in self.moments(first, rounds(5, 150, 2), chance):
            image = os.path.join(self.folder, f"image{moment}")
            cutter.cut(chance, moment, image)
            second = self.record("ext4", [(OPEN, "tell", "mixed 50 1 5")],
                                 image)
            wrong += self.try_images(
                second, Owed(second, before=owed.at(moment)), rounds(20, 60, 4))
        cutter.close()
        self.assertEqual(wrong, [], "\n".join(wrong[:10]))

    def test_a_cut_at_level_os_loses_nothing_synced(self):
        """What a sync came after is kept. And the control of this harness: of
        what none came after something must be lost."""
        recording = self.record("ext4", OS_LIVES)
        count = rounds(60, 1000, 10)
        synced = Owed(recording, is_synced_only=True)
        self.assertEqual(self.try_images(recording, synced, count), [])
        lost = self.try_images(recording, Owed(recording), count)
        self.assertTrue([t for t in lost if "acknowledged to" in t])


if __name__ == "__main__":
    crashdisk.go_apart()
    main(crashdisk.why_not("ext4") or crashdisk.why_no_recording())
