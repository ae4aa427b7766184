#!/usr/bin/env python3
"""Events whose times arrive out of order: an as-of read answers the longest
beginning of the history in which nothing happened after the time asked for."""
import itertools
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import NO, StetCase, main

DAY = 86400
EPOCH = 1763596800 # 2025-11-20T00:00:00Z


def rfc3339(ts):
    """Of whole seconds on the days of this file."""
    day, second = divmod(ts - EPOCH, DAY)
    return (f"2025-11-{20 + day:02}T{second // 3600:02}:"
            f"{second // 60 % 60:02}:{second % 60:02}Z")


def as_of(times, asked):
    """The rule of the core: how many events are within the prefix."""
    maxima = list(itertools.accumulate(times, max))
    return sum(1 for m in maxima if m <= asked)


class LateEvents(StetCase):
    def load_at(self, machine, ts):
        answer = self.run_stet("machine", "load", machine, "--at",
                               rfc3339(ts))
        return answer.out if answer.code != NO else None

    def import_times(self, machine, times):
        lines = [json.dumps({"id": machine, "ts": ts, "state": {"n": n}})
                 for n, ts in enumerate(times, 1)]
        name = self.write(f"{machine}.jsonl", "\n".join(lines) + "\n")
        self.stet("import", name)

    def check(self, machine, times):
        for asked in sorted({t + d for t in times for d in (-1, 0, 1)}):
            seq = as_of(times, asked)
            want = f'{{"n": {seq}}}' if seq else None
            self.assertEqual(self.load_at(machine, asked), want,
                             f"{machine} at {rfc3339(asked)} of "
                             f"{[rfc3339(t) for t in times]}")

    def test_a_late_event_counts_from_the_latest_before_it(self):
        """It came in after something that happened later, so that a prefix
        which holds it holds that, too."""
        late = [EPOCH + 60, EPOCH + 300, EPOCH + 120, EPOCH + 180,
                EPOCH + 360]
        self.import_times("late", late)
        self.check("late", late)
        # Spelled out: at 120 s only the first had happened in the prefix.
        self.assertEqual(self.load_at("late", EPOCH + 120), '{"n": 1}')
        self.assertEqual(self.load_at("late", EPOCH + 299), '{"n": 1}')
        self.assertEqual(self.load_at("late", EPOCH + 300), '{"n": 4}')

    def test_of_two_events_at_one_time_the_greater_seq_counts(self):
        """Also where the times repeat later."""
        twice = [EPOCH + 10, EPOCH + 10, EPOCH + 20, EPOCH + 20, EPOCH + 10]
        self.import_times("twice", twice)
        self.check("twice", twice)

    def test_any_order_keeps_to_the_rule(self):
        """Histories of random times, held to the rule's plain reading."""
        pick = random.Random(11)
        for n in range(6):
            times = [EPOCH + pick.randrange(40) for _ in range(12)]
            self.import_times(f"any{n}", times)
            self.check(f"any{n}", times)

    def test_a_fork_keeps_what_came_late_before_it(self):
        """By time its parent's maximum counts for it."""
        times = [EPOCH + 60, EPOCH + 300, EPOCH + 120]
        self.import_times("parent", times)
        self.stet("machine", "fork", "parent", "child", "--at", "3")
        self.stet("machine", "save", "child", "--payload", '{"n": 9}',
                  "--at", rfc3339(EPOCH + 200))
        self.assertEqual(self.load_at("child", EPOCH + 299), '{"n": 1}')
        self.assertEqual(self.load_at("child", EPOCH + 60), '{"n": 1}')

    def test_late_transitions_fold_in_the_order_of_their_seqs(self):
        """Time picks where to stop, never in what order events apply."""
        lines = [{"id": "t", "ts": EPOCH + ts, "to": to, "action": to,
                  "payload": {"last": to, to: ts}}
                 for ts, to in ((10, "a"), (50, "b"), (30, "c"), (60, "d"))]
        name = self.write("t.jsonl", "\n".join(map(json.dumps, lines)))
        self.stet("import", name)
        self.assertEqual(json.loads(self.load_at("t", EPOCH + 49)),
                         {"last": "a", "a": 10})
        self.assertEqual(json.loads(self.load_at("t", EPOCH + 50)),
                         {"last": "c", "a": 10, "b": 50, "c": 30})


if __name__ == "__main__":
    main()
