#!/usr/bin/env python3
"""machine erase, hold, store compact --keep-*: what may go, goes; and only it.

The reader in tests/reader, which shares no line with stet, verifies each store
and looks for what must not be on the disk any more.
"""
import os
import sys

for folder in ("lib", "reader"):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", folder))
from sets import Set
from stetcli import DONE, NO, USAGE, StetCase, main
from store import Store
from verify import verify


def member(n):
    return f'{{"m{n}":"SECRET-{n}."}}'


class Retention(StetCase):
    def setUp(self):
        super().setUp()
        lines = [f'{{"id":"g","kind":"saved","state":{member(1)}}}']
        lines += [f'{{"id":"g","kind":"updated","payload":{member(n)}}}'
                  for n in range(2, 41)]
        self.write("g.jsonl", "\n".join(lines))
        self.stet("import", "g.jsonl")

    def talking(self, *args, says=()):
        """Run the command, which says what it does before it does it."""
        answer = self.run_stet(*args)
        self.assertEqual(answer.code, DONE, answer)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, answer.err)
        self.assertNotIn("try:", answer.err)
        return answer

    def seqs(self, machine="g"):
        events = self.stet("machine", "history", machine, "--json").objects
        return [event["seq"] for event in events]

    def verified(self):
        self.stet("store", "verify")
        verify(Store(self.path("stet-data")))

    def on_disk(self):
        """Every byte of the store, that of packed blocks unpacked."""
        folder, found = self.path("stet-data"), b""
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                found += file.read()
        for file in Store(folder).segments.chain:
            if isinstance(file, Set):
                found += b"".join(block for _, _, block in file.blocks())
        return found

    def test_events_go_only_with_a_yes(self):
        """The plan is told; nothing is lost to a slip."""
        rule = ("store", "compact", "--keep-events", "5")
        answer = self.run_stet(*rule)
        self.assertEqual(answer.code, USAGE)
        self.assertIn("drops of every machine what is more than 5 events",
                      answer.err)
        self.assertIn("try: the same with --yes", answer.err)
        self.assertEqual(self.seqs(), list(range(1, 41)))
        self.talking(*rule, "--match", "other*", "--yes")
        self.assertEqual(self.seqs(), list(range(1, 41)))
        self.talking(*rule, "--match", "g*", "--yes", says="like g*")
        self.assertEqual(self.seqs(), list(range(35, 41)))
        self.refused(NO, "machine", "load", "g", "--at", "34",
                     says="seq 34 of g was dropped; the first that is there "
                          "after it is 35")
        self.refused(NO, "machine", "fork", "g", "f", "--at", "3",
                     says="dropped")
        self.verified()
        self.assertNotIn(member(12).encode(), self.on_disk())

    def test_options_that_make_no_sense_are_refused(self):
        """What would drop everything, or something else than was meant."""
        for words in (("--keep-events", "0", "--yes"), ("--match", "g*"),
                      ("--keep-age", "9", "--yes"), ("--keep-age", "0d"),
                      ("--keep-age", "9999999999d")):
            self.refused(USAGE, "store", "compact", *words)
        answer = self.run_stet("store", "compact", "--keep-events", "5",
                               "--match", "[", "--yes")
        self.assertEqual(answer.code, USAGE, answer)
        self.assertIn("try: --match with another pattern", answer.err)

    def test_old_events_go(self):
        """By the time at which they were stored."""
        self.talking("store", "compact", "--keep-age", "30d", "--yes",
                     says="older than 30d")
        self.assertEqual(self.seqs(), list(range(1, 41)))

    def test_a_hold_stands_in_the_way(self):
        """Of dropping silently, of erasing with a refusal that names it."""
        self.stet("hold", "set", "case-7", "g")
        self.stet("hold", "set", "audit")
        self.refused(NO, "hold", "set", "case-7", "g", says="another name")
        held = self.stet("hold", "list", "--json").objects
        self.assertEqual([(h["name"], h["state_machine_id"]) for h in held],
                         [("audit", None), ("case-7", "g")])
        self.talking("store", "compact", "--keep-events", "5", "--yes")
        self.assertEqual(self.seqs(), list(range(1, 41)))
        answer = self.run_stet("machine", "erase", "g", "--up-to", "9",
                               "--yes")
        self.assertEqual(answer.code, NO)
        self.assertIn("g is held by audit", answer.err)
        for name in ("case-7", "audit"):
            answer = self.run_stet("hold", "release", name)
            self.assertEqual(answer.code, USAGE, answer)
            self.talking("hold", "release", name, "--yes",
                         says="no longer holds")
        self.refused(NO, "hold", "release", "audit", "--yes",
                     says="no hold audit")
        self.talking("store", "compact", "--keep-events", "5", "--yes")
        self.assertEqual(self.seqs(), list(range(35, 41)))

    def test_what_is_erased_leaves_the_disk(self):
        """From reads at once, from the files when they are settled."""
        self.assertIn(b"SECRET-7.", self.on_disk())
        self.stet("machine", "save", "g", "--payload", '{"clean":1}')
        self.stet("machine", "update", "g", "--payload", '{"more":2}')
        answer = self.run_stet("machine", "erase", "g", "--up-to", "40")
        self.assertEqual(answer.code, USAGE)
        self.assertEqual(self.stet("machine", "load", "g", "--at", "7").code,
                         DONE)
        self.talking("machine", "erase", "g", "--up-to", "40", "--yes",
                     says=["up to seq 40", "store compact"])
        self.refused(NO, "machine", "load", "g", "--at", "7",
                     says="seq 7 of g was erased; the first that is there "
                          "after it is 41")
        self.stet("store", "compact")
        self.assertNotIn(b"SECRET-", self.on_disk())
        self.verified()
        events = self.stet("machine", "history", "g", "--json").objects
        self.assertEqual([e["seq"] for e in events], list(range(1, 43)))
        self.assertEqual([e.get("is_erased", False) for e in events],
                         [True] * 40 + [False] * 2)
        self.assertIn("(erased)", self.stet("machine", "history", "g").out)
        self.assertEqual(self.stet("machine", "load", "g").out,
                         '{"clean":1,"more":2}')
        self.write("p", self.stet("export", "g", "--proof").raw)
        self.assertNotIn(b"SECRET-".hex(), open(self.path("p")).read())
        proven = self.stet("store", "verify-proof", "p", "--json").json
        self.assertEqual((proven["events"], proven["erased"]), (42, 40))

    def test_a_history_with_gaps_can_be_imported_elsewhere(self):
        """What is left says what it came to, so that it can be stored."""
        self.talking("store", "compact", "--keep-events", "5", "--yes")
        self.talking("machine", "erase", "g", "--up-to", "37", "--yes")
        self.write("e.jsonl", self.stet("export", "--format", "jsonl").raw)
        self.assertNotIn("SECRET-37", open(
            self.path("e.jsonl")).readlines()[2])
        self.stet("import", "e.jsonl", "--store", "other")
        self.assertEqual(
            self.stet("machine", "load", "g", "--store", "other").out,
            self.stet("machine", "load", "g").out)


if __name__ == "__main__":
    main()
