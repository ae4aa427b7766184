#!/usr/bin/env python3
"""The configuration of the command line: what is checked, shown and used."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from stetcli import DONE, NO, ROOT, USAGE, StetCase, main

PAGE = os.path.join(ROOT, "docs", "CONFIG.md")
PROFILES = "development", "staging", "production"

ONE_OF_EACH = """\
store: ./games
level: os
cache: {bytes: 8MiB}
retention:
  - {pattern: 'log:*', keep_events: 2}
"""


def table(values):
    """The keys as docs/CONFIG.md has them."""
    lines = ["| key | takes | default | environment | other keys | what |",
             "|---|---|---|---|---|---|"]
    for v in values:
        variables = [v["variable"], v["other_variable"]]
        names = [f"`{name}`" for name in variables if name]
        others = [f"`{key}`" for key in (v["other_keys"] or "").split()]
        default = f"`{v['default']}`" if v["default"] else ""
        what = v["help"]
        if v["built_as"] is not None:
            what += (f"; *only `{v['built_as']}`*" if v["built_as"] else
                     "; *no effect*")
        lines.append(f"| `{v['key']}` | {v['allowed']} | {default} | "
                     f"{', '.join(names)} | {', '.join(others)} | {what} |")
    return lines


class Config(StetCase):
    def values(self, *args, env=None):
        shown = self.stet("config", "show", "--json", *args, env=env)
        return {v["key"]: v for v in shown.objects}

    def test_the_page_lists_every_key_as_it_is(self):
        """A page that is written by hand would be behind by the next key."""
        keys = self.stet("config", "show", "--json").objects
        with open(PAGE, encoding="utf-8") as file:
            page = file.read().splitlines()
        start = page.index(table([])[0])
        self.assertEqual(page[start:], table(keys))

    def test_the_page_lists_the_profiles_as_they_are(self):
        """What a profile says is nowhere else to be read."""
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        for profile in PROFILES:
            says = [f"`{v['key']}: {v['value']}`"
                    for v in self.values(env={"STET_PROFILE": profile}).values()
                    if v["origin"] == "profile"]
            self.assertIn(f"| `{profile}` | {', '.join(says)} |\n", page)
            self.assertTrue(says)

    def test_every_value_tells_who_said_it(self):
        """A value that nobody knows the origin of cannot be mended."""
        self.write("stet.yaml", ONE_OF_EACH)
        found = self.values(env={"CACHE_SIZE": "70", "STET_QUEUE_BYTES": "1MiB"})
        self.assertEqual(
            {(k, v["value"], v["origin"], v["where"])
             for k, v in found.items() if v["origin"] != "default"},
            {("store", "./games", "file", "./stet.yaml:1"),
             ("level", "os", "file", "./stet.yaml:2"),
             ("cache.bytes", "8MiB", "file", "./stet.yaml:3"),
             ("retention[0].pattern", "log:*", "file", "./stet.yaml:5"),
             ("retention[0].keep_events", "2", "file", "./stet.yaml:5"),
             ("cache.size", "70", "environment", "CACHE_SIZE"),
             ("queue.bytes", "1MiB", "environment", "STET_QUEUE_BYTES")})
        text = self.stet("config", "show").out
        self.assertRegex(text, r"(?m)^cache\.bytes +8MiB  \(\./stet\.yaml:3\)$")
        self.assertRegex(text, r"(?m)^queue\.bytes +16MiB  \(default\)$")

    def test_the_file_is_found_where_it_is_said_to_be(self):
        """--config, else STET_CONFIG, else ./stet.yaml."""
        for name in ("stet.yaml", "by-env.yaml", "by-option.yaml"):
            self.write(name, f"store: ./of-{name}\n")
        env = {"STET_CONFIG": "by-env.yaml"}
        for args, env, store in (
                ([], {}, "of-stet.yaml"),
                ([], env, "of-by-env.yaml"),
                (["--config", "by-option.yaml"], env, "of-by-option.yaml")):
            self.stet("machine", "save", "m", "-", *args, stdin="{}", env=env)
            self.assertTrue(os.path.isdir(self.path(store)), store)
        env["STET_STORE"] = "of-variable"
        self.stet("machine", "save", "m", "-", stdin="{}", env=env)
        self.assertTrue(os.path.isdir(self.path("of-variable")))
        self.stet("--store", "given", "machine", "save", "m", "-", stdin="{}",
                  env=env)
        self.assertTrue(os.path.isdir(self.path("given")))

    def test_a_store_is_opened_as_the_file_says(self):
        """A configuration that is shown and not used would be a lie."""
        self.write("stet.yaml", ONE_OF_EACH)
        for i in range(6):
            self.stet("machine", "save", "log:1", "-", stdin=f'{{"i":{i}}}')
            self.stet("machine", "save", "game:1", "-", stdin=f'{{"i":{i}}}')
        self.stet("store", "compact")
        self.refused(NO, "machine", "load", "log:1", "--at", "2",
                     says="seq 2 of log:1 was dropped")
        self.assertEqual(self.stet("machine", "load", "game:1", "--at",
                                   "2").out, '{"i":1}')
        self.assertEqual(self.stet("machine", "load", "log:1").out, '{"i":5}')

    def test_a_command_defers_nothing(self):
        """It ends before a deferred write would be due, and tells a seq."""
        self.write("stet.yaml",
                   "strategy: snapshot_only\n"
                   "policy: {persist_on_update: false}\n"
                   "rules: [{pattern: 'log:*', persist_on_transition: off}]\n")
        for seq in "1", "2", "3":
            for name in "m", "log:1":
                saved = self.stet("machine", "save", name, "-",
                                  stdin=f'{{"i":{seq}}}')
                self.assertEqual(saved.out, f"{name} seq {seq}\n")
        self.stet("store", "compact")
        self.refused(NO, "machine", "load", "m", "--at", "1",
                     says="seq 1 of m was dropped")

    def test_recovery_that_is_off_names_its_switch(self):
        """Whoever needs it then has to know what to switch on."""
        self.stet("machine", "save", "m", "-", stdin="{}")
        self.write("stet.yaml", "recovery_enabled: false\n")
        self.refused(USAGE, "recover", "run", "m", says="recovery.enabled")
        self.write("stet.yaml", "recovery_enabled: true\n")
        self.stet("recover", "run", "m")

    def test_a_mistake_ends_every_command_that_has_a_store(self):
        """Going on without the file would write to another store."""
        self.write("stet.yaml", "cahce: {bytes: 1MiB}\n")
        for words in (["machine", "list"], ["machine", "save", "m", "-"],
                      ["store", "info"], ["doctor"], ["config", "show"],
                      ["config", "check"]):
            self.refused(USAGE, *words,
                         says="./stet.yaml:1:1: cahce: no such key; the "
                              "nearest is cache")
        self.assertFalse(os.path.exists(self.path("stet-data")))
        self.stet("help")
        self.stet("version")
        self.refused(USAGE, "machine", "list", "--config", "none.yaml",
                     says="none.yaml: No such file")
        self.refused(USAGE, "machine", "list", "--config", "",
                     says="--config")
        self.write("stet.yaml", "")
        self.refused(USAGE, "store", "info", env={"CACHE_SIZE": "many"},
                     says='CACHE_SIZE: cache.size is "many"')

    def test_what_has_no_effect_is_told(self):
        """A key that is taken in silence is taken for one that works."""
        self.write("stet.yaml", "batch_size: 100\n")
        told = "./stet.yaml:1: batch.size is 100, which has no effect in " \
               "this build"
        self.assertEqual(self.stet("config", "check").lines, [told])
        self.assertEqual(
            self.stet("config", "check", "--json").json,
            {"file": "./stet.yaml", "notices": [told]})
        self.assertIn("(./stet.yaml:1; no effect)",
                      self.stet("config", "show").out)
        ran = self.run_stet("machine", "save", "m", "-", stdin="{}")
        self.assertEqual((ran.code, ran.err),
                         (DONE, f"stet: warning: {told}\n"))

    def test_a_store_that_is_not_there_is_refused(self):
        """Writing into a folder what was meant for PostgreSQL loses it."""
        self.write("stet.yaml", "persistence: {type: postgresql}\n")
        self.refused(USAGE, "machine", "save", "m", "-", stdin="{}",
                     says="./stet.yaml:1:21: persistence.type is postgresql, "
                          "which this build does not have")
        self.assertFalse(os.path.exists(self.path("stet-data")))
        checked = self.run_stet("config", "check")
        self.assertEqual(checked.code, USAGE)
        self.assertIn("no store is opened with it", checked.out)

    def test_nothing_is_stored_where_persistence_is_off(self):
        """And the command says so."""
        self.write("stet.yaml", "persistence: {enabled: false}\n")
        ran = self.run_stet("machine", "save", "m", "-", stdin="{}")
        self.assertEqual((ran.code, ran.out), (DONE, "m seq 1\n"))
        self.assertIn("persistence.enabled is false: nothing is stored",
                      ran.err)
        self.assertFalse(os.path.exists(self.path("stet-data")))

    def test_options_go_before_the_configuration(self):
        """What is typed now is meant more than what was written once."""
        self.write("stet.yaml", "level: os\n")
        for args, level in ([], "os"), (["--level", "disk"], "disk"):
            saved = self.stet("machine", "save", "m", "-", "--json", *args,
                              stdin="{}")
            self.assertEqual(saved.json["level"], level)
        # Of a store in memory no level of a disk is asked.
        ran = self.run_stet("--store", "memory:", "machine", "save", "m", "-",
                            stdin="{}")
        self.assertEqual(ran.code, DONE, ran)


if __name__ == "__main__":
    main()
