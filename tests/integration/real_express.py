#!/usr/bin/env python3
"""588 saves of one real document: every version comes back to the byte, at its
seq and at its time; the log takes a tenth of them, and less once settled."""
import datetime
import gzip
import hashlib
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "reader"))
from layout import Key, W
from scribe import rounds
from stetcli import DONE, EXPRESS, NO, StetCase, main, no_data
from store import Store

SAVES, RAW_BYTES = 588, 843311
MACHINE = "package.json"
SPARE_BYTES_MAX = 1 << 20  # the one that the next writer begins with


def versions():
    """(time, exact bytes of the state) of each line, by its bytes alone."""
    with gzip.open(EXPRESS) as file:
        for line in file.read().splitlines():
            begin = line.index(b'"state":') + len(b'"state":')
            state, end = json.JSONDecoder().raw_decode(line[begin:].decode())
            yield json.loads(line)["ts"], \
                line[begin:].decode()[:end].encode()


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(
        seconds, datetime.timezone.utc).isoformat()


class Express(StetCase):
    part = 0.10  # of the states that the log takes at most

    def setUp(self):
        super().setUp()
        self.versions = list(versions())
        self.states = [state for _, state in self.versions]
        self.assertEqual((len(self.states), sum(map(len, self.states))),
                         (SAVES, RAW_BYTES))
        done = self.run_stet("import", EXPRESS, "--json")
        self.assertEqual(done.code, DONE, done)
        self.assertEqual((done.json["machines"], done.json["events"]),
                         (1, SAVES))

    def seq_at(self, time):
        """The last version of the longest beginning in which nothing is
        later than that."""
        seq = 0
        while seq < SAVES and self.versions[seq][0] <= time:
            seq += 1
        return seq

    def load(self, at):
        return self.stet("machine", "load", MACHINE, "--at", at).raw

    def test_every_version_is_there_at_its_seq(self):
        """All of them through one process, and many by themselves."""
        found = self.stet("machine", "replay", MACHINE, "--json").objects
        self.assertEqual(
            [(e["seq"], e["state"]["bytes"], e["state"]["hash"])
             for e in found],
            [(n + 1, len(s), hashlib.sha256(s).hexdigest())
             for n, s in enumerate(self.states)])
        lines = self.stet("export").raw.splitlines()
        for line, state in zip(lines, self.states, strict=True):
            self.assertIn(b'"state":' + state + b"}", line)
        for seq in range(1, SAVES + 1, rounds(12, 1, 60)):
            self.assertEqual(self.load(str(seq)), self.states[seq - 1], seq)

    def test_every_version_is_there_at_its_time(self):
        """And just before it the one before: where two have one time, the
        later one answers."""
        for time, _ in self.versions[::rounds(12, 1, 60)]:
            for moment in (time, time - 1):
                seq = self.seq_at(moment)
                answer = self.run_stet("machine", "load", MACHINE, "--at",
                                       rfc3339(moment))
                self.assertEqual(
                    (answer.code, answer.raw),
                    (DONE, self.states[seq - 1]) if seq else (NO, b""), moment)

    def test_a_reader_of_the_bytes_finds_the_same(self):
        """Every version at its seq and at its time, without stet."""
        store = Store(self.path("stet-data"))
        key = Key(0, MACHINE.encode())
        found = [state.data for _, state in store.states(key)]
        self.assertTrue(found == self.states)
        for time, _ in self.versions:
            self.assertEqual(store.at_time(key, time * 10**9).seq,
                             self.seq_at(time))

    def test_the_log_takes_a_small_part(self):
        """Frames, or a set's blocks, with their padding, against the sum of
        the states."""
        info = self.stet("store", "info", "--json").json
        self.assertEqual(info["state_raw_bytes"], RAW_BYTES)
        print(f"log_bytes {info['log_bytes']} of {RAW_BYTES}: "
              f"{100 * info['log_bytes'] / RAW_BYTES:.2f} %")
        self.assertLessEqual(info["log_bytes"], RAW_BYTES * self.part)

    def test_a_clean_close_leaves_no_prewritten_space(self):
        """But for the spare: segments are as large as what is in them, and
        what is told is what the files take."""
        folder = self.path("stet-data")
        store = Store(folder)
        info = self.stet("store", "info", "--json").json
        self.assertTrue(store.segments.is_clean)
        chain = {file.name: file for file in store.segments.chain}
        spares = []
        for name in os.listdir(folder):
            size = os.path.getsize(os.path.join(folder, name))
            if name in chain:
                trailer = chain[name].trailer
                self.assertEqual(
                    size, trailer.end_offset + (trailer.number + 1) * W)
            elif name.endswith(".seg"):
                spares.append(size)
        self.assertEqual(len(spares), 1)
        self.assertLessEqual(spares[0], SPARE_BYTES_MAX)
        used = sum(os.stat(os.path.join(folder, name)).st_blocks * 512
                   for name in os.listdir(folder))
        print(f"disk_bytes {info['disk_bytes']}, of that spare {spares[0]}")
        self.assertEqual(info["disk_bytes"], used)
        self.assertEqual(
            sum(len(f.data) for f in chain.values()) + 2 * W,
            info["log_bytes"] + info["index_bytes"])


class Settled(Express):
    part = 0.05

    def setUp(self):
        super().setUp()
        done = self.stet("store", "compact", "--json").json
        self.assertEqual(done["settled"], SAVES)


if __name__ == "__main__":
    main(no_data(EXPRESS))
