#!/usr/bin/env python3
"""recover: the best state that can be had, and what is missing."""
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DAMAGED, DONE, NO, USAGE, StetCase, main


class Recovery(StetCase):
    def setUp(self):
        super().setUp()
        for n in range(1, 6):
            self.step("m", n)

    def step(self, machine, n, *more):
        self.stet("machine", "step", machine, "--to", f"s{n}", "--action", "go",
                  "--payload", f'{{"n":{n},"mark":"MARK-{machine}-{n:03}"}}',
                  *more)

    def answers(self, *words, code=DONE):
        """Recover: there is a report, whatever the exit code says of it."""
        answer = self.run_stet("recover", "run", *words, "--json")
        self.assertEqual(answer.code, code, str(answer))
        lines = answer.err.splitlines() or [""] * 2
        self.assertEqual((lines[-2][:5], lines[-1][:4]),
                         ("", "") if code == DONE else ("stet:", "try:"))
        return answer.objects

    def recover(self, *words, code=DONE):
        [answer] = self.answers(*words, code=code)
        return answer

    def state(self, machine):
        return self.stet("machine", "load", machine).out

    def damage(self, text):
        """Change a byte of the first place in the store that has the text."""
        for path in sorted(glob.glob(self.path("stet-data", "*.seg"))):
            with open(path, "r+b") as file:
                at = file.read().find(text.encode())
                if at >= 0:
                    file.seek(at)
                    file.write(b"X")
                    return
        self.fail(f"{text} is nowhere")

    def test_each_mode_tells_what_it_reached(self):
        """Only a report: nothing is written."""
        self.step("m", 6, "--error", "oh")
        self.stet("checkpoint", "set", "here", "m", "--at", "2")
        before = self.stet("store", "info", "--json").json["events"]
        for words, seq in [(["--mode", "latest"], 6),
                           (["--mode", "before_error"], 5),
                           (["--mode", "checkpoint", "--checkpoint", "here"], 2),
                           (["--mode", "snapshot"], 1),
                           (["--mode", "snapshot,latest", "--snapshot", "3"], 6),
                           (["--mode", "point_in_time", "--time",
                             "2099-01-01T00:00:00Z"], 6)]:
            answer = self.recover("m", *words)
            self.assertEqual(answer["status"], "success")
            self.assertEqual(answer["reached_seq"], seq)
            self.assertEqual(answer["state_data"]["n"], seq)
        self.assertEqual(self.recover("m", "--mode", "before_error")
                         ["error_seq"], 6)
        self.assertIsNone(self.recover("m")["error_seq"])
        self.assertEqual(self.stet("store", "info", "--json").json["events"],
                         before)

    def test_what_is_not_there_exits_with_1(self):
        self.assertEqual(
            self.recover("m", "--mode", "point_in_time", "--time",
                         "1980-01-01T00:00:00Z", code=NO)["status"],
            "not_found")
        self.refused(NO, "recover", "run", "none", says="none")
        self.assertEqual(self.recover("m", "--max-transitions", "2", code=NO)
                         ["reached_seq"], 3)

    def test_wrong_questions_exit_with_2(self):
        for words in [["--mode", "sideways"], ["--mode", "version"],
                      ["--mode", "point_in_time"], ["--to", "x", "--adopt"]]:
            self.refused(USAGE, "recover", "run", "m", *words)

    def test_damage_is_passed_by_and_adopted(self):
        """The state before it, said to be; then it is the machine's."""
        self.damage("MARK-m-004")
        self.refused(DAMAGED, "machine", "load", "m")
        answer = self.recover("m", code=DAMAGED)
        self.assertEqual(answer["status"], "partial")
        self.assertEqual((answer["wanted_seq"], answer["reached_seq"],
                          answer["skipped"]), (5, 3, 2))
        self.assertIn("seg at offset", answer["reason"])
        fork = self.recover("m", "--to", "m-again", code=DAMAGED)
        self.assertEqual(fork["written_seq"], 4)
        self.assertEqual(self.state("m-again"), '{"n":3,"mark":"MARK-m-003"}')
        self.assertEqual(self.stet("recover", "history", "--json").out, "")
        adopted = self.recover("m", "--adopt", "--actor", "me", code=DAMAGED)
        self.assertEqual(adopted["written_seq"], 6)
        self.assertEqual(self.state("m"), '{"n":3,"mark":"MARK-m-003"}')
        self.assertEqual(self.recover("m")["status"], "success")
        made = self.stet("recover", "history", "--json").json
        self.assertEqual((made["seq"], made["kind"], made["actor_id"]),
                         (6, "restored", "me"))
        self.assertEqual(made["metadata"]["recovery"],
                         {"mode": "latest", "seq": 3, "status": "partial"})

    def test_a_pattern_recovers_each_that_matches(self):
        """The worst of them decides the exit code."""
        for n in range(1, 4):
            self.step("bot:1", n)
            self.step("bot:2", n)
        answers = self.answers("bot:*")
        self.assertEqual([(a["state_machine_id"], a["status"])
                          for a in answers],
                         [("bot:1", "success"), ("bot:2", "success")])
        self.damage("MARK-bot:2-003")
        answers = self.answers("*", code=DAMAGED)
        self.assertEqual([a["status"] for a in answers],
                         ["success", "partial", "success"])
        self.refused(NO, "recover", "run", "bot:*", "--to", "x")

    def test_points_are_snapshots_and_checkpoints(self):
        self.stet("checkpoint", "set", "here", "m", "--at", "2")
        points = self.stet("recover", "points", "m", "--json").objects
        self.assertEqual([(p["recovery_id"], p["seq"], p["transition_count"],
                           p["is_snapshot"]) for p in points],
                         [("1", 1, 1, True), ("@here", 2, 2, False)])
        self.assertIn("@here\tseq 2", self.stet("recover", "points", "m").out)
        self.refused(NO, "recover", "points", "none")


if __name__ == "__main__":
    main()
