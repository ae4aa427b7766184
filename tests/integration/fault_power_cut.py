#!/usr/bin/env python3
"""Power is cut under a real kernel, and a disk fails under one: a machine in
User-Mode Linux writes to a store and says what was acknowledged, until it is
gone, or its disk is well again. Then the disk is looked at."""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import crashdisk
import uml
from scribe import (IS_SLOW, SCRIBE, Event, Ledger, Reply, Said, claim, rounds,
                    run_scribe)
from stetcli import DONE, NO, STET, main

SEED = int(os.environ.get("STET_SEED", "1"))
CUTS_OF_A_DISK = 8  # then a new one, before it is full
SAID = re.compile(r"(?:ack|nak|has|ok|no \w+ STET_E_\w+) .*\n")

# Writes and never ends. RUN numbers the machine, KIND is its file system.
WRITE = """
mount -t $KIND /dev/ubda /mnt
cd /mnt
{ echo open store segment=65536; echo mixed $RUN 4 100000000; } | scribe
"""

# The disk takes no writes for a while. Linux tells of that once, and from then
# on the page cache shows what the disk does not hold. Each part has its scribe,
# which ends as a killed process does; LEVEL is the store's.
FAIL = """
insmod /dm-mod.ko
insmod /dm-flakey.ko
export DM_DISABLE_UDEV=1
sectors=$(cat /sys/class/block/ubda/size)
well="0 $sectors flakey /dev/ubda 0 1000000 0"
sick="0 $sectors flakey /dev/ubda 0 0 1000000 1 error_writes"
dmsetup create disk --table "$well"
mount -t $KIND /dev/mapper/disk /mnt
cd /mnt
turn() {
    dmsetup suspend --noflush --nolockfs disk
    dmsetup load disk --table "$1"
    dmsetup resume disk
}
begin() {
    rm -f /in /out
    mkfifo /in /out
    scribe </in >/out &
    exec 3>/in 4</out
    say open store segment=65536 $LEVEL
}
say() {
    echo "$@" >&3
    while read -r line <&4; do
        echo "$line"
        case $line in "ok $1"|"no $1 "*) return ;; esac
    done
}
end() {
    exec 3>&-
    wait
}
echo part well
begin
say mixed 1 1 20
say sync
echo part sick
turn "$sick"
say mixed 2 1 5
say sync
echo part healed
turn "$well"
say mixed 3 1 5
say sync
say tell
end
echo part reopened
begin
say tell
say verify
say mixed 4 1 5
say sync
say tell
end
echo part cold
cd /
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
mount -t $KIND /dev/mapper/disk /mnt
cd /mnt
begin
say tell
say verify
say close
end
echo part end
"""


def heard(text):
    """What a scribe said on a console where others talk, too."""
    lines = text.splitlines(keepends=True)
    return Said("".join(line for line in lines if SAID.fullmatch(line)))


class PowerCut(unittest.TestCase):
    def setUp(self):
        home = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
        self.folder = tempfile.mkdtemp(prefix="stet-power-", dir=home)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.root = os.path.join(self.folder, "root.cpio")
        uml.make_root(self.root, [SCRIBE, "dmsetup"],
                      {"write": WRITE, "fail": FAIL}, ["dm-mod", "dm-flakey"])

    def check(self, kind, image, ledger, run):
        """Look at the disk as the next start of a machine would."""
        root = os.path.join(self.folder, "mnt")
        os.makedirs(root, exist_ok=True)
        with crashdisk.mounted(kind, image, root):
            verified = subprocess.run(
                [STET, "--store", os.path.join(root, "store"), "store",
                 "verify"], capture_output=True, text=True)
            claim(verified.returncode in ((DONE,) if ledger.events else
                                          (DONE, NO)),
                  f"{verified.stdout}{verified.stderr}")
            said = run_scribe("open store segment=65536", "tell", "verify",
                              f"mixed {1000 + run} 1 3", "tell", "close",
                              cwd=root)
        claim(not said.refusals and not said.naks,
              f"reopened: {said.refusals} {said.naks} {said.err}")
        ledger.follow(said)
        ledger.check(said.tellings[-1][ledger.shown:])

    def cut_one(self, kind, image, ledger, run, enough):
        """A machine's life: `enough` events are acknowledged, and it is cut."""
        with uml.Machine(self.root, "write", image, KIND=kind,
                         RUN=run) as machine:
            claim(machine.hear(lambda text: text.count("\nack") >= enough),
                  f"the machine fell silent: {machine.text[-500:]}")
            said = heard(machine.cut())
        claim(not said.naks and not said.refusals,
              f"{said.naks} {said.refusals}")
        ledger.note(said)
        self.check(kind, image, ledger, run)

    def check_cuts(self, kind, count):
        why = crashdisk.why_not(kind)
        if why:
            self.skipTest(why)
        began, acknowledged = time.monotonic(), 0
        chance = random.Random(SEED)
        image = os.path.join(self.folder, "disk")
        for run in range(1, count + 1):
            if run % CUTS_OF_A_DISK == 1:
                crashdisk.make_image(kind, image)
                ledger = Ledger()
            before = len(ledger.events)
            self.cut_one(kind, image, ledger, run, chance.randrange(1, 600))
            acknowledged += len(ledger.events) - before
        print(f"{kind}: {count} cuts, {acknowledged} events acknowledged, "
              f"none lost, {time.monotonic() - began:.1f} s")

    def test_a_cut_on_ext4_loses_nothing_acknowledged(self):
        """Debian's default."""
        self.check_cuts("ext4", rounds(6, 350, 1))

    def test_a_cut_on_xfs_loses_nothing_acknowledged(self):
        """Which delays more."""
        self.check_cuts("xfs", rounds(4, 150, 1))

    def hold_failure(self, parts, level):
        """While the disk fails, and once it is well again, nothing is written:
        only a new open believes it. Whoever meets the failure first, a writer
        or the keeper, is told."""
        statuses = {nak.status for nak in parts["sick"].naks}
        claim(statuses <= {"STET_E_UNKNOWN", "STET_E_READONLY"} and
              (statuses or level == "os"), str(parts["sick"].items))
        claim(level == "os" or not parts["sick"].of(Event),
              f"acknowledged: {parts['sick'].items}")
        claim({nak.status for nak in parts["healed"].naks} ==
              {"STET_E_READONLY"} and not parts["healed"].of(Event),
              f"written: {parts['healed'].items}")
        synced = [r.status for name in ("sick", "healed")
                  for r in parts[name].of(Reply) if r.command == "sync"]
        claim(level == "disk" or "STET_OK" not in synced, str(synced))

    def check_failure(self, kind, level):
        image = os.path.join(self.folder, "disk")
        crashdisk.make_image(kind, image)
        with uml.Machine(self.root, "fail", image, KIND=kind,
                         LEVEL=level) as machine:
            claim(machine.hear(lambda text: "\npart end" in text),
                  f"the machine fell silent: {machine.text[-900:]}")
            text = machine.cut()
        parts = {part.split("\n", 1)[0]: heard(part)
                 for part in text.split("part ")[1:]}
        ledger = Ledger()
        ledger.note(parts["well"])
        self.hold_failure(parts, level)
        for item in parts["sick"].naks + parts["healed"].naks:
            ledger.note_one(item)
        for name in ("reopened", "cold"):
            claim(not parts[name].refusals and not parts[name].naks,
                  f"{name}: {parts[name].refusals} {parts[name].naks}")
            ledger.follow(parts[name])
            ledger.check(parts[name].tellings[-1][ledger.shown:])
        print(f"{kind}, level {level}: {len(ledger.events)} events")

    def test_a_disk_that_fails_once_shows_nothing_that_it_does_not_hold(self):
        """What a failed sync was for may be in the page cache only: what a new
        open shows from there must not be gone once the cache is."""
        for kind in ("ext4", "xfs"):
            for level in ("disk", "os"):
                with self.subTest(kind=kind, level=level):
                    self.check_failure(kind, level)


if __name__ == "__main__":
    crashdisk.go_apart()
    main("sanitizers do not fit into these machines" if IS_SLOW else
         uml.why_not("dmsetup") or crashdisk.why_not("ext4"))
