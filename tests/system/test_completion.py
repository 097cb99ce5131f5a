"""The completion for bash, in a bash: a person's keys go in, what stands on the line afterwards is looked at. For zsh the
same in tests/interop/test_zsh.py."""
import os
import pty
import re
import select
import shutil
import subprocess
import termios
import time
import unittest

import harness

SCRIPT = os.path.join(harness.SRC, "packaging", "completion", "outpost")


class Shell:
    """An interactive shell on a terminal."""

    def __init__(self, test, argv, env, setup):
        master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.master, self.test = master, test
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True, cwd=test.tmp)
        os.close(slave)
        test.addCleanup(self.end)
        for line in setup:
            os.write(master, line.encode() + b"\n")
        os.write(master, b"printf '%s-%s\\n' up and-running\n")
        self.until("up-and-running")

    def until(self, mark):
        """All that was printed until this mark."""
        out, end = "", time.monotonic() + 20 * harness.PATIENCE
        while mark not in out:
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                raise harness.Timeout("the shell did not come to %r: %r" % (mark, out))
            out += os.read(self.master, 65536).decode("utf-8", "replace")
        return out

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


class Bash(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def setUp(self):
        super().setUp()
        if not shutil.which("bash"):
            raise unittest.SkipTest("there is no bash")
        self.configure(self.start_relay())
        env = self.environ({"PATH": "%s:%s" % (harness.BUILD, os.environ["PATH"]), "PS1": "$ ", "TERM": "dumb", "INPUTRC": "/dev/null",
                            "HISTFILE": ""})
        self.shell = Shell(self, ["bash", "--norc", "--noprofile", "-i"], env,
                           ["bind 'set bell-style none'", "bind 'set completion-query-items 0'", "bind 'set page-completions off'",
                            "bind 'set enable-bracketed-paste off'", "bind 'set show-all-if-ambiguous on'", "source " + SCRIPT])

    def keys(self, typed):
        """Types this, a tab behind it, and has the shell print the words that the line then holds. Also what else it showed."""
        os.write(self.shell.master, typed.encode() + b"\t")
        os.write(self.shell.master, b"\x05 'E''ND'\x01printf '<%s>\\n' \n")
        out = self.shell.until("<END>")
        words = re.findall(r"<([^<>%\n]*)>", out)
        self.assertEqual(words.pop(), "END")
        return " ".join(words), out

    def test_words(self):
        for typed, completed in (("outpost stat", "outpost status"), ("outpost queue --older", "outpost queue --older-than"),
                                 ("outpost config smtp_tls_wrapp", "outpost config smtp_tls_wrappermode"),
                                 ("outpost import nul", "outpost import nullmailer"), ("outpost help metr", "outpost help metrics"),
                                 ("outpost nonse", "outpost nonse")):
            with self.subTest(typed=typed):
                self.assertEqual(self.keys(typed)[0], completed)

    def test_choices(self):
        for typed, offered in (("outpost re", ("release", "retry")), ("outpost check --", ("--offline", "--transcript", "--sender")),
                               ("outpost -C %s re" % self.conf, ("release", "retry"))):
            with self.subTest(typed=typed):
                shown = self.keys(typed)[1]
                for word in offered:
                    self.assertIn(word, shown)


if __name__ == "__main__":
    harness.main()
