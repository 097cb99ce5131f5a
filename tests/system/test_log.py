"""The log: a syslogd that is slow, or away for a while, and a file that can't be opened again."""
import os
import re
import signal
import socket
import subprocess
import threading
import unittest

import harness


class Syslogd:
    """Where /dev/log leads in the world of this test. A line every so many seconds."""

    def __init__(self, path, pause=0.0):
        self.path, self.lines, self.ends = path, [], threading.Event()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self.read, args=(pause,))
        self.thread.start()

    def read(self, pause):
        while not self.ends.wait(pause):
            try:
                self.lines.append(self.socket.recv(8192).decode())
            except socket.timeout:
                pass

    def count(self, word):
        return sum(word in line for line in self.lines)

    def stop(self):
        self.ends.set()
        self.thread.join()
        self.socket.close()
        os.unlink(self.path)


def logcheck_rules():
    """The rules that are shipped, in the syntax of Python."""
    with open(os.path.join(harness.SRC, "packaging/outpost.logcheck"), encoding="utf-8") as f:
        return [re.compile(rule.replace("[:alnum:]", "A-Za-z0-9")) for rule in f.read().splitlines()]


class Log(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def test_every_logcheck_rule_matches_a_line(self):
        """What an ordinary day writes: no rule is left of lines that nobody writes any more."""
        relay = self.start_relay()
        self.configure(relay, smtp_tls_loglevel="1")
        service = self.start_outpostd()
        self.sendmail("you@example.net")
        self.wait_log(": removed")
        port = relay.starttls
        relay.stop()
        self.sendmail("you@example.net")
        self.wait_log(r"connect to \S+:%d: Connection refused" % port)
        service.stop()
        self.outpost("flush", code=None)
        self.wait_log(r"outpostd\[\d+\]: done")
        lines = self.log_text().splitlines()
        self.assertEqual([rule.pattern for rule in logcheck_rules() if not any(map(rule.search, lines))], [])

    @unittest.skipUnless(os.geteuid() == 0, "needs root for a /dev of its own")
    def test_syslog_slow_and_away(self):
        path, dev = os.path.join(self.tmp, "log.sock"), os.path.join(self.tmp, "dev")
        os.mkdir(dev)
        relay = self.start_relay()
        self.configure(relay, maillog_file=None)
        syslogd = Syslogd(path, pause=0.004)
        self.addCleanup(lambda: syslogd.stop() if syslogd.thread.is_alive() else None)
        own_dev = ("mount -t tmpfs none {0} && for f in null zero random urandom; do touch {0}/$f && mount --bind /dev/$f {0}/$f; done && "
                   "ln -s {1} {0}/log && mount --move {0} /dev && exec \"$@\"").format(dev, path)
        made = subprocess.run(["unshare", "--mount", "sh", "-c", own_dev, "sh", "true"], stderr=subprocess.PIPE)
        if made.returncode:
            self.skipTest("no mount namespace: %s" % made.stderr.decode().strip())
        self.start("unshare", "--mount", "sh", "-c", own_dev, "sh", harness.program("outpostd"), "-C", self.conf, "-f",
                   env={"NOTIFY_SOCKET": "/nonexistent"})
        harness.wait_for("the door", self.door_answers)
        for _ in range(30):
            self.sendmail("-odq", "you@example.net")
        self.outpost("flush")
        relay.wait_messages(30)
        harness.wait_for("all lines", lambda: syslogd.count(": removed") == 30 and syslogd.count("status=sent") == 30)
        self.assertEqual(syslogd.count("were lost"), 0)
        syslogd.stop()
        self.sendmail("you@example.net")
        relay.wait_messages(31)
        harness.wait_for("its last line to be lost", lambda: not self.queue())   # what is gone from the queue has been told
        syslogd = Syslogd(path)
        self.sendmail("you@example.net")
        relay.wait_messages(32)
        harness.wait_for("a line", lambda: syslogd.count(": removed") == 1)

    @unittest.skipUnless(os.geteuid() == 0, "needs root for a file of root's")
    def test_file_that_can_not_be_opened_again(self):
        """It was opened by root, who then became the owner of the queue."""
        place = os.path.join(self.tmp, "root")
        os.mkdir(place, 0o755)
        os.mkdir(self.queue_dir, 0o700)
        os.chown(self.queue_dir, 65534, 65534)
        self.log = os.path.join(place, "maillog")
        relay = self.start_relay()
        self.configure(relay, maillog_file=self.log, smtp_sasl_auth_enable="no")
        service = self.start_outpostd()
        service.signal(signal.SIGHUP)
        self.wait_log("cannot open maillog_file again")
        self.sendmail("you@example.net")
        self.wait_log("status=")


if __name__ == "__main__":
    harness.main()
