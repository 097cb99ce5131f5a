"""What `outpost` shows on a terminal alone: progress, colour, questions."""
import json
import os
import pty
import re
import subprocess

import harness


def flusher_left(test):
    """What is queued from here on, no flusher that is still there takes along."""
    harness.wait_for("the flusher to leave", lambda: re.search(r"\]: done$", test.log_text().rstrip()), 20)


def json_lines(done):
    return [json.loads(line) for line in done.out.splitlines() if line.strip()]


class Terminal(harness.SystemTest):
    """What is shown on a terminal alone: progress, colour, questions."""
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def on_terminal(self, *args, answer=b"", env=None):
        master, slave = pty.openpty()
        os.write(master, answer)
        process = subprocess.Popen([harness.program("outpost"), "-C", self.conf, *args], stdin=slave, stdout=slave, stderr=slave,
                                   env=self.environ(dict({"TERM": "xterm"}, **(env or {}))), start_new_session=True)
        os.close(slave)
        out = harness.read_terminal(master)
        return process.wait(), out.decode("utf-8", "replace")

    def test_flush_shows_progress(self):
        self.configure(self.start_relay("--rtt", "100"), smtp_pipeline_window="1")
        for _ in range(12):
            self.sendmail("-odq", "you@example.net")
        code, out = self.on_terminal("flush")
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"\r\d+ of 12 done \(\d+ sent, 0 deferred, 0 failed\)")
        self.assertRegex(out, r"12 sent, nothing is left to send")
        self.assertNotIn(" done", self.outpost("flush").out)

    def test_delete_asks(self):
        self.configure(self.start_relay())
        for _ in range(2):
            self.sendmail("-odq", "you@example.net")
        _, out = self.on_terminal("delete", "--all", answer=b"n\n")
        self.assertIn("delete 2 messages? [y/N]", out)
        self.assertEqual(len(json_lines(self.outpost("queue", "--json"))), 2)
        _, out = self.on_terminal("delete", "--all", answer=b"y\n")
        self.assertIn("2 messages deleted", out)
        self.assertEqual(json_lines(self.outpost("queue", "--json")), [])

    def test_colour_of_the_queue(self):
        self.configure(self.start_relay())
        for to in ("reject@example.net", "tempfail@example.net"):
            self.sendmail("-odq", to)
        self.outpost("flush", code=75)
        flusher_left(self)
        self.sendmail("-odq", "held@example.net")
        self.sendmail("-odq", "new@example.net")
        held = [e for e in json_lines(self.outpost("queue", "--json")) if e["recipients"][0]["address"] == "held@example.net"]
        self.outpost("hold", held[0]["queue_id"])
        out = self.on_terminal("queue", "--all")[1]
        for color, to in ((33, "tempfail@"), (36, "held@"), (31, "reject@")):
            self.assertRegex(out, r"\x1b\[%dm[0-9A-Z]+[!#]? [^\n]*\x1b\[0m(?:\r\n *[^\n]*){1,2}%s" % (color, to))
        self.assertRegex(out, r"(?m)^[0-9A-Z]+ .*\r\n *new@")
        self.assertNotIn("\x1b", self.outpost("queue", "--all").out)

    def test_colour(self):
        self.configure(self.start_relay())
        self.assertIn("\x1b[32mok", self.on_terminal("check", "--offline")[1])
        self.assertNotIn("\x1b", self.on_terminal("check", "--offline", env={"NO_COLOR": "1"})[1])
        self.assertNotIn("\x1b", self.outpost("check", "--offline").out)


if __name__ == "__main__":
    harness.main()
