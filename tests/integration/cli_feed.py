#!/usr/bin/env python3
"""feed and consumer: every event in order, here and in other processes."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DONE, NO, STET, USAGE, StetCase, main


class Feed(StetCase):
    def save(self, machine, text="{}"):
        self.stet("machine", "save", machine, "--payload", text)

    def places(self, *words):
        """(position, machine, seq) of what a command prints."""
        return [(int(e["position"]), e["state_machine_id"], e["seq"])
                for e in self.stet(*words, "--json").objects]

    def setUp(self):
        super().setUp()
        for machine in ("a", "b", "a"):
            self.save(machine)

    def test_a_feed_is_everything_in_order(self):
        """And goes on from any position."""
        self.assertEqual(self.places("feed"),
                         [(1, "a", 1), (2, "b", 1), (3, "a", 2)])
        self.assertEqual(self.places("feed", "--from", "3"), [(3, "a", 2)])
        self.assertEqual(self.places("feed", "--from", "4"), [])
        self.assertEqual(self.places("feed", "--match", "b*"), [(2, "b", 1)])
        self.assertEqual(self.places("feed", "--limit", "1"), [(1, "a", 1)])
        self.assertEqual(self.places("feed", "--kind", "deleted"), [])
        self.assertEqual(self.places("feed", "--namespace", "3"), [])
        self.assertEqual(len(self.stet("feed").lines), 3)
        self.refused(USAGE, "feed", "--from", "5",
                     says="the next event will have 4")

    def test_what_was_dropped_is_printed_as_such(self):
        """A gap that nobody sees would be a loss that nobody sees."""
        self.run_stet("store", "compact", "--keep-events", "1", "--match",
                      "a", "--yes")
        self.save("a")
        self.run_stet("store", "compact", "--keep-events", "1", "--match",
                      "a", "--yes")
        events = self.stet("feed", "--json").objects
        self.assertEqual([int(e["position"]) for e in events], [1, 2, 3, 4])
        self.assertEqual([e.get("is_gone", False) for e in events],
                         [True, False, False, False])
        self.assertIn("(dropped)", self.stet("feed").lines[0])

    def test_who_follows_sees_what_other_processes_write(self):
        """Until the limit that the test gives it."""
        following = subprocess.Popen(
            [STET, "feed", "--from", "3", "--follow", "--limit", "4",
             "--json"], cwd=self.folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.addCleanup(following.kill)
        first = following.stdout.readline()  # it is under way
        for machine in ("c", "a", "c"):
            self.save(machine)
        out, err = following.communicate(timeout=60)
        events = [json.loads(line) for line in (first + out).splitlines()]
        self.assertEqual(
            [(int(e["position"]), e["state_machine_id"]) for e in events],
            [(3, "a"), (4, "c"), (5, "a"), (6, "c")])
        self.assertEqual((following.returncode, err), (DONE, b""))

    def test_who_follows_ends_with_its_reader(self):
        """Also while nothing is written that it could fail to print."""
        following = subprocess.Popen(
            [STET, "feed", "--follow"], cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(following.kill)
        following.stdout.readline()
        following.stdout.close()
        self.assertEqual(following.wait(timeout=60), DONE)

    def test_a_consumer_is_given_what_it_did_not_acknowledge(self):
        """Each command is another process: only the store remembers."""
        fetch = ("consumer", "fetch", "mail", "--limit", "2")
        self.assertEqual(self.places(*fetch), [(1, "a", 1), (2, "b", 1)])
        self.assertEqual(self.places(*fetch), [(1, "a", 1), (2, "b", 1)])
        self.assertEqual(
            self.stet("consumer", "ack", "mail", "--position", "1").out, "1\n")
        self.assertEqual(self.places(*fetch, "--ack"),
                         [(2, "b", 1), (3, "a", 2)])
        self.assertEqual(self.places(*fetch), [])
        shown = self.stet("consumer", "show", "mail", "--json").json
        self.assertEqual((shown["acked_position"], shown["events_behind"]),
                         ("3", 0))
        self.stet("consumer", "reset", "mail", "--from", "3")
        self.assertEqual(self.places(*fetch), [(3, "a", 2)])
        [line] = self.stet("consumer", "list").lines
        self.assertEqual(line.split("\t")[:3], ["mail", "", "2"])
        self.assertEqual(self.stet("consumer", "parked", "mail").out, "")

    def test_a_consumer_keeps_its_choice(self):
        """Other events under the same name would be other work."""
        self.assertEqual(self.places("consumer", "fetch", "x", "--match", "b"),
                         [(2, "b", 1)])
        self.assertEqual(self.places("consumer", "fetch", "x"), [(2, "b", 1)])
        answer = self.run_stet("consumer", "fetch", "x", "--match", "a")
        self.assertEqual(answer.code, USAGE, answer)
        self.assertIn("for other events", answer.err)

    def test_what_is_not_there_is_told(self):
        """With the next step, and nothing done."""
        for verb in ("show", "reset"):
            self.refused(NO, "consumer", verb, "none", says="no consumer none")
        self.refused(NO, "consumer", "delete", "none", "--yes",
                     says="no consumer none")
        self.refused(USAGE, "consumer", "ack", "mail", says="not said")
        self.stet("consumer", "fetch", "mail")
        self.refused(USAGE, "consumer", "ack", "mail", "--position", "99",
                     says="no event at position 99")
        self.refused(NO, "consumer", "release", "mail", "--position", "1",
                     says="parked nothing at position 1")

    def test_a_consumer_is_deleted_only_with_a_yes(self):
        """What it did would be done again by the next of its name."""
        self.stet("consumer", "fetch", "mail", "--ack")
        answer = self.run_stet("consumer", "delete", "mail")
        self.assertEqual(answer.code, USAGE)
        self.assertIn("is at position 3", answer.err)
        self.assertEqual(len(self.stet("consumer", "list").lines), 1)
        answer = self.run_stet("consumer", "delete", "mail", "--yes")
        self.assertEqual(answer.code, DONE)
        self.assertEqual(self.stet("consumer", "list").lines, [])


if __name__ == "__main__":
    main()
