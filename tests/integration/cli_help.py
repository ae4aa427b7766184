#!/usr/bin/env python3
"""The command line itself: help, the man page, completion, and what is said
to a line that means nothing."""
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DONE, NO, STET, USAGE, StetCase, main


class Help(StetCase):
    def commands(self):
        return self.stet("help", "--json").objects

    def words(self, command):
        return [w for w in (command["noun"], command["verb"]) if w]

    def test_every_command_helps_at_its_own_level(self):
        """Help that is missing for one verb is worse than none: it looks as
        if the verb were not there."""
        for command in self.commands():
            words = self.words(command)
            by_option = self.stet(*words, "--help").out
            self.assertEqual(by_option, self.stet("help", *words).out)
            self.assertTrue(
                by_option.startswith(f"usage: stet {' '.join(words)}"),
                by_option)
            for option in command["options"]:
                self.assertIn(f"  --{option}", by_option)

    def test_an_option_tells_its_words(self):
        """Where they are too many for its name, behind what it is for."""
        step = " ".join(self.stet("help", "machine", "step").out.split())
        self.assertIn("--type TYPE who or what caused the transition: "
                      "user_action| system_event|", step)
        self.assertIn("--level os|disk what an answer promises", step)
        self.assertIn("--payload JSON|@FILE|- the payload itself", step)
        self.assertNotIn("null)", step)

    def test_a_noun_lists_its_verbs(self):
        """The second level: what can be done with a machine."""
        for command in self.commands():
            if command["verb"]:
                listed = self.stet(command["noun"], "--help").out
                self.assertIn(f"  {command['noun']} {command['verb']}",
                              listed)

    def test_the_top_names_every_command(self):
        """The first thing that a newcomer reads."""
        top = self.stet("help").out
        self.assertEqual(top, self.stet("--help").out)
        self.assertEqual(top, self.stet("-h").out)
        for command in self.commands():
            self.assertIn("  " + " ".join(self.words(command)) + " ", top)

    def test_help_fits_a_terminal(self):
        """Lines that wrap by themselves cannot be read; only an example,
        which is copied as a whole, may be longer."""
        for command in self.commands():
            text = self.stet("help", *self.words(command)).out
            for line in text.split("\nexamples:\n")[0].splitlines():
                self.assertLess(len(line), 80, line)

    def test_examples_parse(self):
        """An example that the parser refuses teaches a wrong line. Help takes
        the place of the run, so that nothing has to be there."""
        for command in self.commands():
            text = self.stet("help", *self.words(command)).out
            for line in text.partition("\nexamples:\n")[2].splitlines():
                ran = subprocess.run(
                    ["sh", "-c", line.strip().replace("stet", '"$0"', 1)
                     .split(" >")[0] + " --help", STET],
                    capture_output=True)
                self.assertEqual(ran.returncode, DONE, line)

    def test_version_says_three_numbers(self):
        """Scripts compare it."""
        self.assertRegex(self.stet("version").out, r"^stet \d+\.\d+\.\d+\n$")
        self.assertEqual(self.stet("--version").out, self.stet("version").out)
        self.assertEqual("stet " + self.stet("version", "--json")
                         .json["version"] + "\n", self.stet("version").out)


class ManPage(StetCase):
    def test_it_names_all_that_help_names(self):
        """Both come from one table; a page that is short of a verb shows that
        they no longer do."""
        page = self.stet("help", "--man").out
        for command in self.stet("help", "--json").objects:
            words = [w for w in (command["noun"], command["verb"]) if w]
            name = " ".join(words).replace("-", r"\\-")
            self.assertRegex(page, rf"\n\.SS stet {name}[ \n]")

    def test_it_formats_without_a_warning(self):
        """A page that roff complains about shows its own markup."""
        self.write("stet.1", self.stet("help", "--man").out)
        ran_any = False
        for tool in (["mandoc", "-T", "lint", "-W", "warning", "stet.1"],
                     ["groff", "-man", "-ww", "-z", "stet.1"],
                     ["man", "--warnings=all", "-l", "stet.1"]):
            if shutil.which(tool[0]) is None:
                continue
            ran_any = True
            done = subprocess.run(tool, cwd=self.folder, capture_output=True,
                                  text=True, env=dict(os.environ, PAGER="cat",
                                                      MANPAGER="cat"))
            said = done.stderr if tool[0] != "mandoc" else re.sub(
                r".*missing date.*\n", "", done.stdout + done.stderr)
            self.assertEqual(said, "", tool[0])
        if not ran_any:
            self.skipTest("neither mandoc nor groff nor man is here")


@unittest.skipIf(shutil.which("bash") is None, "bash is not here")
class Completion(StetCase):
    def complete(self, line):
        """The words that bash offers at the end of a line."""
        self.write("stet.bash",
                   self.stet("help", "--completion", "bash").out)
        words = line.split(" ")
        script = (". ./stet.bash; COMP_WORDS=(\"$@\"); "
                  "COMP_CWORD=$(($# - 1)); _stet; "
                  "printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-euc", script, "bash", *words],
                              cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_it_offers_nouns_verbs_options_and_choices(self):
        """The four places where a word of the table can stand."""
        self.assertIn("checkpoint", self.complete("stet "))
        self.assertEqual(self.complete("stet ch"), ["checkpoint"])
        self.assertEqual(self.complete("stet machine re"), ["replay"])
        self.assertEqual(self.complete("stet machine step game:1 --phase"),
                         ["--phase-change"])
        self.assertEqual(self.complete("stet log flow --format "),
                         ["json", "dot", "svg"])
        self.assertEqual(self.complete("stet import --format "),
                         ["xes", "csv", "jsonl"])

    def test_a_value_is_not_taken_for_a_noun(self):
        """Options may stand before the noun."""
        self.assertEqual(self.complete("stet --store log mach"), ["machine"])

    def test_a_free_value_is_left_to_file_names(self):
        """Nothing of ours is offered, so that bash offers files."""
        self.assertEqual(self.complete("stet machine list --store "), [])


class WrongLines(StetCase):
    def test_the_nearest_name_is_the_next_step(self):
        """A slip of the finger is answered with the word that was meant."""
        for words, meant in (
                (["mahcine", "list"], "try: stet machine"),
                (["machine", "lsit"], "try: stet machine list"),
                (["machine", "stepp", "a"], "try: stet machine step"),
                (["machine", "load", "a", "--ta", "1"], "try: --at"),
                (["machine", "list", "--lim", "1"], "try: --limit"),
                (["log", "flow", "--format", "dt"], "try: --format dot"),
                (["explain", "reducr"], "try: stet explain reducer"),
                (["help", "machin"], "try: stet help machine")):
            code = NO if words[0] == "explain" else USAGE
            self.refused(code, *words, says=meant)

    def test_each_mistake_is_named(self):
        """What is wrong, in the words that were typed."""
        for words, says in (
                ([], "no command given"),
                (["machine"], "machine: no verb given"),
                (["machine", "load"], "machine load: an argument is missing"),
                (["machine", "load", "a", "b"], "b: one argument too many"),
                (["machine", "load", "a", "--colour"],
                 "--colour: no such option of machine load"),
                (["--colour", "machine", "list"], "--colour: no such option"),
                (["machine", "load", "a", "--at"], "--at: no value given"),
                (["machine", "load", "a", "--at", "soon"], "soon: not a seq"),
                (["machine", "load", "a", "--at", "0"], "0: not a seq"),
                (["machine", "load", "a", "--recorded"],
                 "--recorded: the point is not a time"),
                (["machine", "list", "--json=yes"], "--json=yes: takes no"),
                (["machine", "list", "--limit", "ten"], "--limit ten: not a"),
                (["machine", "list", "--limit", str(2 ** 64)], "not a"),
                (["machine", "list", "--namespace", "255"], "from 0 to 254"),
                (["machine", "step", "a", "--expect", "0"], "--expect 0: not"),
                (["machine", "step", "a", "--at", "noon"], "--at noon: not"),
                (["machine", "step", "a", "--type", "x"], "--type x: not"),
                (["machine", "update", "a"], "a: no patch given"),
                (["machine", "update", "a", "{}", "--payload", "{}"],
                 "--payload is given too")):
            self.refused(USAGE, *words, says=says)
        self.assertEqual(os.listdir(self.folder), [],
                         "a wrong line made a store")

    def test_options_stand_anywhere_until_two_dashes(self):
        """An id may begin with a dash; then it follows --."""
        for words in (["--store", "s", "machine", "save", "-x"],):
            self.refused(USAGE, *words, says="-x: no such option")
        self.stet("--store=s", "machine", "--json", "save", "--payload", "{}",
                  "--", "-x")
        self.assertEqual(self.stet("machine", "list", "--store", "s").out,
                         "-x\t\t1\n")

    def test_the_last_of_a_repeated_option_counts(self):
        """So an alias with options of its own can be overruled."""
        self.stet("--store", "a", "machine", "save", "m", "--payload", "{}",
                  "--store", "b")
        self.assertEqual(os.listdir(self.folder), ["b"])

    def test_control_characters_do_not_reach_the_terminal(self):
        """A name that moves the cursor could hide what is said."""
        answer = self.refused(USAGE, "machine", "\x1b[2J\n")
        self.assertIn("\\x1b[2J\\x0a", answer.err)


class Explain(StetCase):
    def test_a_word_gives_its_meaning_and_its_names(self):
        """A word that users bring leads to ours."""
        self.assertIn("machine step",
                      self.stet("explain", "handle_transition").out)
        self.assertIn("RFC 7386", self.stet("explain", "reducer").out)
        self.assertEqual(
            self.stet("explain", "load_state", "--json").json["cli"],
            "machine save, machine load")

    def test_names_of_commands_that_are_here_are_commands(self):
        """The table of names must not promise a verb that is not there."""
        known = [(c["noun"], c["verb"])
                 for c in self.stet("help", "--json").objects]
        for word in ("save_state", "update_state", "save_checkpoint",
                     "transition_state", "get_keys_by_pattern"):
            for row in self.stet("explain", word, "--json").objects:
                self.assertTrue(row["is_here"], row)
                for name in row["cli"].split(", "):
                    self.assertIn(tuple(name.split()[:2]), known)


if __name__ == "__main__":
    main()
