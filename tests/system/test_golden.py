"""Each screen of outpost at 80 columns, as it was when somebody looked at it and found it good: tests/system/golden/.
What changes from run to run (ids, times, ports, places) is replaced by words. OUTPOST_GOLDEN=write writes them anew."""
import difflib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import harness

PLACE = os.path.join(harness.SRC, "tests", "system", "golden")


class Golden(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def plain(self, text):
        for what, word in self.places:
            text = text.replace(what, word)
        for pattern, word in ((r'("time": )\d+\.\d+', r"\1N"), (r'("message_size": )\d+', r"\1N"), (r"([0-9A-F]{2}:){31}[0-9A-F]{2}", "FINGERPRINT"),
                              (r"\b[0-9A-F]{10,14}\b", "QUEUEID"), (r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE"),
                              (r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d", "DAY MON DD HH:MM:SS"), (r" +\d+ ms", " N ms"),
                              (r"(?<=\s)\d+ (s|min|h|d)\b( \d+ (s|min|h))?", "TIME"), (r":\d{4,5}\b", ":PORT"), (r"port \d{4,5}\b", "port PORT"),
                              (r"\d{2}[A-Z0-9]{3,}@client", "ID@client"), (r"version [\d.]+", "version N"), (r"localhost\[::1\], ", ""),
                              (r"^outpost \d+\.\d+\.\d+", "outpost N"),
                              (r"<\S+@client\.", "<ID@client."), (r"\w{3}, \d+ \w{3} \d{4} [\d:]+ \+0000", "RFCDATE"),
                              (r"TLSv1\.3 with cipher[^;]*;", "TLSv1.3 with cipher ...;"),
                              (r"(?m)(QUEUEID[ !#*]+)\d+ (?=DAY)", r"\1SIZE "), (r"\d+ bytes", "N bytes"),
                              (r"-- \d+ Kbytes", "-- N Kbytes"), (r"_seconds(\{[^}]*\})? \d{2,}", r"_seconds\1 N"),
                              (r"_bytes \d{2,}", "_bytes N")):
            text = re.sub(pattern, word, text)
        return text

    def screen(self, name, *args, code=0, **options):
        done = self.outpost(*args, code=code, env={"COLUMNS": "80"}, **options)
        self.keep(name, "$ outpost %s\n%s%s[%d]\n" % (" ".join(args), done.out, done.err, done.returncode))

    def called(self, called, *args, code=0):
        """By one of Postfix's names."""
        link = os.path.join(self.tmp, called)
        os.symlink(harness.program("outpost"), link)
        done = self.run_program(link, *args, code=code, env={"COLUMNS": "80", "MAIL_CONFIG": self.conf}, input=None)
        os.unlink(link)
        self.keep(called + (args[0] if args[0][0] == "-" else ""), "$ %s %s\n%s%s[%d]\n" % (called, " ".join(args), done.out, done.err, done.returncode))

    def on_terminal(self, name, *args, answer=b""):
        """What a terminal of 80 columns was sent; colours as words, of a line that was drawn again and again the first."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen([harness.program("outpost"), "-C", self.conf, *args], stdin=slave, stdout=slave, stderr=slave,
                                   env=self.environ({"TERM": "xterm"}), start_new_session=True)
        os.close(slave)
        out = harness.read_terminal(master, answer)
        text = out.decode().replace("\r\n", "\n")
        text = re.sub(r"(\r\d+ of [^\r]*\x1b\[K)+", lambda m: re.sub(r"\d+", "N", m.group(0).split("\r")[1].replace("\x1b[K", "")) + "\n", text)
        for code, word in (("\x1b[32m", "{green}"), ("\x1b[33m", "{yellow}"), ("\x1b[31m", "{red}"), ("\x1b[36m", "{cyan}"),
                           ("\x1b[1;31m", "{bold red}"), ("\x1b[0m", "{plain}"), ("\r\x1b[K", "")):
            text = text.replace(code, word)
        self.keep(name, "$ outpost %s\n%s[%d]\n" % (" ".join(args), text, process.wait()))

    def keep(self, name, text):
        for line in text.splitlines():
            line = re.sub(r"\{[a-z ]+\}", "", line)
            if len(line) > 80 and not re.match(r" {8}(-->| {3})|\(|#|outpost: .*|[{+-].*|outpost_|hash:|usage: |post| *FINGERPRINT| *[0-9A-F:]{95}$", line):
                self.too_wide.append(line)
        text = self.plain(text)
        path = os.path.join(PLACE, name)
        if os.environ.get("OUTPOST_GOLDEN") == "write":
            with open(path, "w") as f:
                f.write(text)
            return
        with open(path) as f:
            want = f.read()
        if len(self.tmp) != len("/tmp/outpost-test-12345678"):     # another place wraps in other places
            want, text = (re.sub(r"\s+", " ", t) for t in (want, text))
        if text != want:
            self.different.append("".join(difflib.unified_diff(want.splitlines(True), text.splitlines(True), name, "now")))

    def setUp(self):
        super().setUp()
        self.different, self.too_wide = [], []
        self.places = ((self.tmp, "/TMP"),)

    def as_kept(self):
        self.assertEqual(self.too_wide, [], "wider than 80 columns")
        self.assertEqual(self.different, [], "\n".join(self.different))

    def test_screens(self):
        relay = self.start_relay(dialogue='when rcpt arg~refused do reply "550 5.1.1 <refused@example.net>: no such user"\n'
                                          'when rcpt arg~later do reply "450 4.2.0 <later@example.net>: come back later"\n')
        self.configure(relay)
        self.screen("help", "help")
        for name in ("status", "queue", "flush", "check", "show", "log", "hold", "release", "retry", "delete", "test", "config", "login",
                     "metrics", "import", "export"):
            self.screen("help-" + name, name, "--help")
        self.screen("status-new", "status")
        self.screen("check-well", "check")
        self.screen("queue-empty", "queue")
        self.start_outpostd()
        for to in ("you@example.net", "refused@example.net", "later@example.net"):
            self.sendmail("-odq", "-f", "me@example.com", to)
        self.screen("flush-deferred", "flush", code=75)
        self.sendmail("-odq", "-f", "me@example.com", "held@example.net")
        held = [e for e in self.queue() if e["recipients"][0]["address"] == "held@example.net"][0]["queue_id"]
        later = [e for e in self.queue() if e["recipients"][0]["address"] == "later@example.net"][0]["queue_id"]
        self.screen("hold", "hold", held)
        self.screen("queue-some", "queue", "--all")
        self.screen("queue-held", "queue", "--held")
        self.screen("show", "show", later)
        self.screen("log", "log")
        self.screen("status-some", "status")
        self.screen("delete-gone", "delete", "ABCDEF012345", code=65)
        self.screen("delete-all", "delete", "--all")
        self.screen("test-sent", "test", "you@example.net")
        self.screen("test-refused", "test", "refused@example.net", code=69)
        self.outpostd_service.stop()
        relay.stop()
        self.sendmail("-odq", "-f", "me@example.com", "you@example.net")
        self.screen("flush-down", "flush", code=75)
        self.wait_log(r"outpostd\[\d+\]: done", count=2)       # the flusher that flush started has left
        self.screen("status-down", "status", code=75)
        self.screen("check-down", "check", code=75)
        self.configure(relayhost="mail.example.com:587", raw="relay_host = x\nbiff = no\n", myorigin="host.localdomain")
        self.screen("check-mistakes", "check", "--offline")
        self.as_kept()

    def test_screens_of_mistakes(self):
        """What a new user meets: commands mistyped, files that are not there, relays that refuse."""
        self.screen("no-command", code=64)
        self.screen("no-such-command", "stauts", code=64)
        self.screen("no-such-option", "queue", "--helf", code=64)
        self.screen("show-nothing", "show", code=64)
        self.screen("delete-what", "delete", code=64)
        self.screen("no-main-cf", "status", code=66)
        self.screen("check-no-main-cf", "check", code=66)
        relay = self.start_relay("--auth", "PLAIN", password="another")
        self.configure(relay)
        self.screen("check-wrong-password", "check", code=77)
        self.screen("test-wrong-password", "test", "you@example.net", code=75)
        self.screen("queue-waits", "queue")
        self.screen("queue-age-what", "queue", "--older-than", "yesterday", code=64)
        if harness.OAUTH2:
            self.screen("login-no-oauth2", "login", code=78)
        self.screen("config-misspelt", "config", "relay_host=x", code=64)
        self.screen("test-no-address", "test", "you", code=64)
        self.configure(relay, smtp_tls_CAfile=os.path.join(self.conf, "sasl_passwd"))
        self.screen("check-no-ca", "check", code=78)
        self.configure(relay, smtp_tls_CAfile=None)
        self.screen("check-untrusted", "check", code=78)
        self.as_kept()

    def test_screens_of_figures_and_files(self):
        relay = self.start_relay()
        self.configure(relay)
        self.screen("config-changed", "config", "--changed")
        self.screen("config-one", "config", "smtp_tls_security_level")
        self.sendmail("-odq", "-f", "me@example.com", "you@example.net")
        (entry,) = self.queue()
        self.screen("show-json", "show", "--json", entry["queue_id"])
        self.screen("export", "export", entry["queue_id"])
        self.screen("hold-all", "hold", "--all")
        self.screen("release-all", "release", "--all")
        self.screen("retry-one", "retry", entry["queue_id"])
        self.called("postqueue", "-p")
        self.called("postsuper", "-s")
        self.called("postconf", "-M")
        self.called("postmap", "hash:" + os.path.join(self.conf, "sasl_passwd"))
        self.on_terminal("terminal-delete", "delete", "--all", answer=b"n\n")
        self.on_terminal("terminal-check", "check", "--offline")
        self.on_terminal("terminal-queue", "queue")
        self.screen("flush-sent", "flush")
        self.screen("log-json", "log", "--json", "--event", "sent")
        self.screen("status-json", "status", "--json")
        self.screen("metrics", "metrics")
        path = os.path.join(self.tmp, "msmtprc")
        with open(path, "w") as f:
            f.write("account default\nhost smtp.example.com\nport 587\ntls on\nauth on\nuser me\npassword secret\nfrom me@example.com\n")
        self.screen("import-shown", "import", "--dry-run", "msmtp", path)
        self.configure(self.start_relay("--rtt", "150", name="slow"), smtp_pipeline_window="1")
        for _ in range(8):
            self.sendmail("-odq", "you@example.net")
        self.on_terminal("terminal-flush", "flush")
        self.as_kept()


if __name__ == "__main__":
    harness.main()
