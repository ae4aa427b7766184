#!/usr/bin/env python3
"""export --proof and store verify-proof: what a stranger is told, with nothing
but the file; and tests/reader/proofcheck.py, which shares no line with stet,
comes to the same heads."""
import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "reader"))
import proofcheck
from stetcli import DAMAGED, DONE, ENVIRONMENT, NO, USAGE, StetCase, main


class Proof(StetCase):
    def setUp(self):
        """A game and a fork of it, settled twice."""
        super().setUp()
        for n in range(4):
            self.stet("machine", "save", "game:1", "--payload", f'{{"n":{n}}}')
        self.stet("machine", "fork", "game:1", "what-if", "--at", "3")
        self.stet("store", "compact")
        self.stet("machine", "step", "what-if", "--to", "won", "--action",
                  "deal", "--actor", "alice", "--payload", '{"n":9}')
        self.stet("machine", "update", "game:1", '{"turn":2}')
        self.stet("store", "compact")

    def prove(self, machine, name="proof"):
        self.write(name, self.stet("export", machine, "--proof").raw)
        return name

    def head(self, machine):
        return self.stet("machine", "show", machine, "--json").json[
            "chain_head"]

    def test_a_proof_needs_no_store(self):
        """It says whose history it is, how long, and which head to compare."""
        heads = {name: self.head(name) for name in ("game:1", "what-if")}
        self.prove("game:1")
        self.prove("what-if", "fork")
        shutil.rmtree(self.path("stet-data"))
        [part] = self.stet("store", "verify-proof", "proof", "--json").objects
        self.assertEqual(
            (part["state_machine_id"], part["events"], part["last_seq"],
             part["chain_head"]), ("game:1", 5, 5, heads["game:1"]))
        parent, fork = self.stet("store", "verify-proof", "fork",
                                 "--json").objects
        self.assertEqual((parent["state_machine_id"], parent["last_seq"]),
                         ("game:1", 3))
        self.assertEqual(
            (fork["parent_id"], fork["parent_seq"], fork["first_seq"],
             fork["last_seq"], fork["chain_head"]),
            ("game:1", 3, 4, 5, heads["what-if"]))
        self.assertIn(f"chain_head       {heads['what-if']} after seq 5\n",
                      self.stet("store", "verify-proof", "fork").out)

    def test_a_stranger_comes_to_the_same_heads(self):
        """With a page of text and a hash function."""
        for machine in ("game:1", "what-if"):
            lines = self.stet("export", machine, "--proof").lines
            told = self.run_stet("store", "verify-proof", "-", "--json",
                                 stdin="\n".join(lines) + "\n").objects
            self.assertEqual(
                [(part["state_machine_id"].encode(), part["last_seq"],
                  part["chain_head"]) for part in told],
                [(key[1], seq, head) for key, seq, head in proofcheck.check(
                    [json.loads(line) for line in lines])])

    def test_an_old_head_is_met_and_a_foreign_one_is_not(self):
        """A history that was written anew never had what was published."""
        old = self.head("game:1")
        self.stet("machine", "save", "game:1", "--payload", "7")
        self.stet("store", "compact")
        self.prove("game:1")
        met = self.stet("store", "verify-proof", "proof", "--head", old,
                        "--json").json
        self.assertEqual((met["head_met_at_seq"], met["last_seq"]), (5, 6))
        self.refused(NO, "store", "verify-proof", "proof", "--head", "0" * 64,
                     says="never had this head")
        self.refused(USAGE, "store", "verify-proof", "proof", "--head", "0",
                     says="64 digits")

    def test_what_was_changed_is_refused_with_its_line(self):
        """Exit code 4, as for all that is damaged."""
        proof = self.stet("export", "game:1", "--proof").raw
        lines = proof.splitlines(keepends=True)
        event = json.loads(lines[3])
        event["body"] = b'{"n":8}'.hex()
        lines[3] = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        self.write("forged", b"".join(lines))
        self.refused(DAMAGED, "store", "verify-proof", "forged",
                     says="forged: line 4: the chain does not fit event 2")
        self.write("cut", proof[:-1])
        self.refused(DAMAGED, "store", "verify-proof", "cut",
                     says="the proof ends here")
        self.write("else", b"\x00" * 100000)
        self.refused(DAMAGED, "store", "verify-proof", "else", says="line 1")

    def test_what_is_not_settled_is_left_out_and_told(self):
        """Nobody may take it for all there is."""
        self.stet("machine", "save", "game:1", "--payload", "7")
        answer = self.run_stet("export", "game:1", "--proof")
        self.assertEqual(answer.code, DONE)
        self.assertIn("ends at seq 5", answer.err)
        self.stet("machine", "save", "new", "--payload", "7")
        self.refused(NO, "export", "new", "--proof", says="store compact")
        self.refused(NO, "export", "nobody", "--proof", says="nobody")

    def test_a_proof_is_of_one_machine_in_one_format(self):
        """And of a file that is there."""
        self.refused(USAGE, "export", "--proof", says="ID --proof")
        self.refused(USAGE, "export", "game:1", "--proof", "--format", "csv",
                     says="--format")
        self.refused(ENVIRONMENT, "store", "verify-proof", "nowhere",
                     says="nowhere")


if __name__ == "__main__":
    main()
