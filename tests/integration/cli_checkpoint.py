#!/usr/bin/env python3
"""checkpoint: names for points of a machine and of the whole store."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import NO, USAGE, StetCase, main


class Checkpoints(StetCase):
    def setUp(self):
        super().setUp()
        for n in range(1, 4):
            self.save("m", n)

    def save(self, machine, n):
        self.stet("machine", "save", machine, "--payload", f'{{"n":{n}}}')

    def load(self, machine, name):
        return self.stet("machine", "load", machine, "--at", "@" + name).out

    def listed(self, *words):
        return self.stet("checkpoint", "list", *words, "--json").objects

    def test_a_name_stays_where_it_was_set(self):
        """Later writes do not move it; loading it changes nothing."""
        self.stet("checkpoint", "set", "now", "m")
        self.stet("checkpoint", "set", "early", "m", "--at", "1")
        self.save("m", 4)
        self.assertEqual(self.load("m", "now"), '{"n":3}')
        self.assertEqual(self.load("m", "early"), '{"n":1}')
        self.assertEqual(self.stet("machine", "load", "m").out, '{"n":4}')

    def test_it_records_where_it_is(self):
        """A checkpoint tells turn_number and history_size."""
        answer = self.stet("checkpoint", "set", "here", "m", "--at", "2",
                           "--metadata", '{"why":"test"}', "--json").json
        self.assertEqual(answer, {"name": "here", "state_machine_id": "m"})
        shown = self.stet("checkpoint", "show", "here", "m", "--json").json
        self.assertEqual(self.listed("m"), [shown])
        self.assertRegex(shown.pop("created_at"), r"^20\d\d-.*Z$")
        self.assertEqual(shown, {
            "name": "here", "state_machine_id": "m", "turn_number": 2,
            "history_size": 2, "position": "2",
            "metadata": {"why": "test"}})
        self.assertRegex(self.stet("checkpoint", "list", "m").out,
                         r"^here\tm seq 2\t20\S+Z\t")

    def test_a_taken_name_is_refused_unless_replaced(self):
        """Nobody's name is moved by accident."""
        self.stet("checkpoint", "set", "x", "m", "--at", "1")
        self.refused(NO, "checkpoint", "set", "x", "m", says="--replace")
        self.assertEqual(self.load("m", "x"), '{"n":1}')
        self.stet("checkpoint", "set", "x", "m", "--replace")
        self.assertEqual(self.load("m", "x"), '{"n":3}')

    def test_names_are_per_machine(self):
        """The same name on two machines and on the store is three."""
        self.save("other", 7)
        self.stet("checkpoint", "set", "x", "m", "--at", "1")
        self.stet("checkpoint", "set", "x", "other")
        self.stet("checkpoint", "set", "x")
        self.assertEqual(self.load("m", "x"), '{"n":1}')
        self.assertEqual(self.load("other", "x"), '{"n":7}')
        self.assertEqual([c["state_machine_id"] for c in self.listed()],
                         [None])

    def test_a_cut_of_the_store_holds_every_machine(self):
        """One name, all machines as they were."""
        self.save("other", 7)
        self.stet("checkpoint", "set", "nightly")
        self.save("m", 4)
        self.save("other", 8)
        self.save("later", 1)
        self.assertEqual(self.load("m", "nightly"), '{"n":3}')
        self.assertEqual(self.load("other", "nightly"), '{"n":7}')
        self.refused(NO, "machine", "load", "later", "--at", "@nightly")

    def test_a_name_may_be_left_out(self):
        """It is checkpoint_ and the time then."""
        for words in ([], ["", "m"]):
            name = self.stet("checkpoint", "set", *words).out
            self.assertRegex(name, r"^checkpoint_20\d\d-\S+Z\n$")

    def test_restore_is_one_event_and_keeps_what_happened_since(self):
        """Continuing from a checkpoint loses nothing."""
        self.stet("checkpoint", "set", "x", "m", "--at", "1")
        got = self.stet("checkpoint", "restore", "x", "m", "--actor", "ann",
                        "--json").json
        self.assertEqual(got["seq"], 4)
        self.assertEqual(self.stet("machine", "load", "m").out, '{"n":1}')
        events = self.stet("machine", "history", "m", "--json").objects
        self.assertEqual((events[3]["kind"], events[3]["actor_id"]),
                         ("restored", "ann"))
        self.assertEqual(
            self.stet("machine", "load", "m", "--at", "3").out, '{"n":3}')

    def test_delete_takes_the_name_and_nothing_else(self):
        """The plan tells where the name was."""
        self.stet("checkpoint", "set", "x", "m", "--at", "2")
        answer = self.run_stet("checkpoint", "delete", "x", "m", "--yes")
        self.assertEqual((answer.code, answer.out), (0, ""), answer)
        self.assertEqual(answer.err, "stet: takes away the name x of m seq 2;"
                                     " the history stays\n")
        self.assertEqual(self.listed("m"), [])
        self.assertEqual(self.stet("machine", "load", "m").out, '{"n":3}')
        self.refused(NO, "checkpoint", "delete", "x", "m", "--yes",
                     says="x of m")

    def test_delete_without_yes_is_a_plan(self):
        """For a script as for a person: the same line does the same."""
        for words, point in ((["x", "m"], "m seq 3"),
                             (["x"], "the whole store at position 5")):
            self.stet("checkpoint", "set", *words)
            asked = self.run_stet("checkpoint", "delete", *words)
            self.assertEqual(
                (asked.code, asked.out, asked.err),
                (USAGE, "", f"stet: takes away the name x of {point}; the "
                 "history stays\nstet: checkpoint x: not deleted without "
                 "--yes\ntry: the same with --yes\n"))
            self.stet("checkpoint", "show", *words)
            deleted = self.run_stet("checkpoint", "delete", *words, "--yes",
                                    "--json")
            self.assertEqual(deleted.json, {
                "name": "x", "is_deleted": True,
                "state_machine_id": words[1] if words[1:] else None})
            self.refused(NO, "checkpoint", "show", *words)

    def test_what_is_not_there_is_named(self):
        """Name, machine and the next step."""
        self.refused(NO, "checkpoint", "show", "none", "m", says="none of m")
        self.refused(NO, "checkpoint", "show", "none",
                     says="none of the whole store")
        self.refused(NO, "checkpoint", "restore", "none", "m")
        self.refused(NO, "checkpoint", "set", "x", "nobody")
        self.refused(NO, "checkpoint", "set", "x", "m", "--at", "9")
        self.refused(NO, "machine", "load", "m", "--at", "@none")
        self.refused(USAGE, "checkpoint", "set", "a\nb", "m")
        self.refused(USAGE, "checkpoint", "set", "x", "m", "--metadata", "{")


if __name__ == "__main__":
    main()
