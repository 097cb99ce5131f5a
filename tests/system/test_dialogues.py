"""The catalogue of misbehaving relays: every tests/relay/dialogues/*.dlg against sendmail, outpostd and the agent,
eight at a time. A dialogue says what must become of its mail; beyond that the same holds for all of them:
nothing is lost, no message arrives with another's envelope, no secret is shown without TLS or written
anywhere, and what the relay took more than once was announced as "may be delivered twice".

    test_dialogues.py [NAME ...]    only these
"""
import base64
import concurrent.futures
import fnmatch
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness                                                              # noqa: E402

PLACE = os.path.join(harness.SRC, "tests", "relay", "dialogues")
AT_ONCE = 8
ONLY = []
FLUSH_LIMIT = 40.0
TIMEOUTS = ("connect", "helo", "starttls", "mail", "rcpt", "data_init", "data_xfer", "data_done", "rset", "quit")


class Wrong(AssertionError):
    pass


class Dialogue:
    """A file of the catalogue; its lines "word: value" as lists."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[:-4]
        self.lines = {}
        with open(path, encoding="utf-8") as f:
            for line in f:
                word, colon, value = line.partition(":")
                if colon and word.isalpha():
                    self.lines.setdefault(word, []).append(value.strip())

    def all(self, word):
        return self.lines.get(word, [])

    def one(self, word, default=None):
        return self.lines.get(word, [default])[-1]


class World:
    """A directory with a relay, a configuration and a queue: what harness.Relay wants of a test."""

    def __init__(self, test, dialogue):
        self.test, self.dialogue = test, dialogue
        self.tmp = os.path.join(test.tmp, dialogue.name)
        self.conf = os.path.join(self.tmp, "conf")
        self.queue_dir = os.path.join(self.tmp, "queue")
        self.log = os.path.join(self.tmp, "log")
        os.makedirs(self.conf)
        self.submitted = []         # (sender, [recipient, ...])

    def environ(self, more=None):
        return self.test.environ(more)

    def start_relay(self):
        flags = ["--auth", "PLAIN", "--dialogue", self.dialogue.path]
        self.relay = harness.Relay(self, *flags, *(self.dialogue.one("relay") or "").split())

    def configure(self):
        wrapped = self.dialogue.one("via", "587") == "465"
        port = self.relay.tls if wrapped else self.relay.starttls
        lines = {"relayhost": "[localhost]:%d" % port, "queue_directory": self.queue_dir, "maillog_file": self.log,
                 "myhostname": "client.example.com", "myorigin": "example.com", "alias_maps": "",
                 "smtp_tls_CAfile": os.path.join(harness.certificates(), "ca.pem"), "smtp_sasl_auth_enable": "yes",
                 "smtp_sasl_password_maps": "hash:%s/sasl_passwd" % self.conf, "smtp_tls_loglevel": "2",
                 "smtp_sasl_security_options": "noanonymous", "inet_protocols": "ipv4"}
        vain = (self.dialogue.one("silent") or "").split()      # what is waited for in vain shall not take long
        lines.update(("smtp_%s_timeout" % t, "%ds" % (2 * harness.SLOW if t in vain else 20 * harness.PATIENCE)) for t in TIMEOUTS)
        if wrapped:
            lines["smtp_tls_wrappermode"] = "yes"
        for line in self.dialogue.all("conf"):
            name, _, value = line.partition("=")
            lines[name.strip()] = value.strip()
        with open(os.path.join(self.conf, "main.cf"), "w") as f:
            f.writelines("%s = %s\n" % kv for kv in lines.items())
        fd = os.open(os.path.join(self.conf, "sasl_passwd"), os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(fd, "w") as f:
            f.write("%s %s:%s\n" % (lines["relayhost"], harness.USER, harness.PASSWORD))

    def program(self, name, *args, input=b"", timeout=60.0):
        try:
            return subprocess.run([harness.program(name), "-C", self.conf, *args], input=input, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=self.environ(), timeout=timeout * harness.PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong("%s %s took over %g s" % (name, " ".join(args), timeout * harness.PATIENCE)) from None

    def submit(self):
        for line in self.dialogue.all("mail") or ["1 a@example.com"]:
            count, *words = line.split()
            options = dict(w.split("=", 1) for w in words if "=" in w)
            recipients = [w for w in words if "=" not in w]
            body = b"0123456789" * 7 + b"\n"
            body *= int(options.get("size", "100")) // len(body) + 1
            for _ in range(int(count)):
                sender = options.get("from", "<>")
                done = self.program("sendmail", "-odq", "-i", "-f", sender, *recipients,
                                    input=b"Subject: %d\n\n" % len(self.submitted) + body)
                if done.returncode:
                    raise Wrong("sendmail: %d %s" % (done.returncode, done.stderr.decode()))
                self.submitted.append(("" if sender == "<>" else sender, recipients))

    def run(self):
        self.start_relay()
        try:
            self.configure()
            self.submit()
            started = time.monotonic()
            self.flush = self.program("outpost", "flush", timeout=FLUSH_LIMIT)
            self.seconds = time.monotonic() - started
            self.counters = self.relay.counters()
            queue = self.program("outpost", "queue", "--all", "--json")
            self.queue_text = queue.stdout.decode() + queue.stderr.decode()
            self.queue = [json.loads(l) for l in queue.stdout.decode().splitlines() if l.startswith("{")]
            self.taken = self.relay.messages()
        finally:
            self.relay.stop()
        self.log_text = read(self.log)
        self.check()

    # -- what became of it

    def verdicts(self):
        """{recipient: [(status, dsn, text), ...]} from the log's last line for each message, and from the queue."""
        last = {}
        for m in re.finditer(r": ([0-9A-Z]+): to=<([^>]*)>.*?, dsn=([\d.]*), status=(\w+) \((.*)\)$", self.log_text, re.M):
            last[m[1], m[2]] = ({"bounced": "failed"}.get(m[4], m[4]), m[3], m[5])
        for row in self.queue:
            for r in row.get("recipients", []):
                key = row["queue_id"], r["address"]
                if row.get("queue_name") != "failed" and not r.get("delay_reason"):
                    raise Wrong("%s waits, and mailq does not say why" % r["address"])
                if row.get("queue_name") != "failed" and key not in last:
                    last[key] = ("deferred", r.get("dsn", ""), r.get("delay_reason", ""))
        found = {}
        for (_, recipient), verdict in last.items():
            found.setdefault(recipient, []).append(verdict)
        return found

    def check(self):
        found = self.verdicts()
        words = " ".join(v[2] for vs in found.values() for v in vs) + self.queue_text + self.flush.stdout.decode() + self.log_text
        wanted = self.dialogue.all("expect")
        for expect in wanted:
            self.check_one(expect.split(), found, words)
        self.check_password()
        self.check_exit(found, "any" not in wanted)
        self.check_always(found)

    def check_one(self, words, found, text):
        kind, rest = words[0], words[1:]
        if "@" in kind:
            for status, dsn, reason in found.get(kind) or [("missing", "", "")]:
                if status != rest[0] or not fnmatch.fnmatch(dsn, rest[1]):
                    raise Wrong("%s: %s %s (%s), not %s" % (kind, status, dsn, reason, " ".join(rest)))
        elif kind == "relay":
            for name, value in (w.split("=") for w in rest):
                if self.counters[name] != int(value):
                    raise Wrong("the relay counted %s=%d, not %s" % (name, self.counters[name], value))
        elif kind == "log" and " ".join(rest) not in self.log_text:
            raise Wrong("not in the log: " + " ".join(rest))
        elif kind == "nolog" and " ".join(rest) in self.log_text:
            raise Wrong("in the log: " + " ".join(rest))
        elif kind == "text" and " ".join(rest).lower() not in text.lower():
            raise Wrong("not said: %s; but: %s" % (" ".join(rest), text))
        elif kind == "quick" and self.seconds > 10 * harness.PATIENCE:
            raise Wrong("took %.1f s" % self.seconds)
        elif kind == "clean" and re.search(r"[\x00-\x08\x0b-\x1f\x7f]", self.log_text + self.queue_text):
            raise Wrong("control bytes in the log or the listing")
        elif kind not in ("any", "clean", "log", "nolog", "text", "quick"):
            raise Wrong("the dialogue's expect line is not understood: " + kind)

    def check_password(self):
        seen, wanted = self.counters["secrets_seen"], self.dialogue.one("password", "any")
        if not {"never": seen == 0, "once": seen == 1, "any": True}[wanted]:
            raise Wrong("the relay was shown the password %d times, not %s" % (seen, wanted))

    def check_exit(self, found, strict):
        statuses = {v[0] for vs in found.values() for v in vs}
        wanted = (75, 78) if "deferred" in statuses else (0,)       # 78: somebody has to mend something
        if self.flush.returncode not in (wanted if strict else (0, 75, 78)):
            raise Wrong("outpost flush ended with %d, not %s: %s" %
                        (self.flush.returncode, wanted, (self.flush.stdout + self.flush.stderr).decode()))

    def check_always(self, found):
        if self.counters["secrets_in_clear"]:
            raise Wrong("a secret was shown without TLS")
        for recipient in {r for _, rs in self.submitted for r in rs}:
            count = sum(recipient in rs for _, rs in self.submitted)
            if len(found.get(recipient, [])) != count:
                raise Wrong("%d verdicts for %d messages to %s: %s" %
                            (len(found.get(recipient, [])), count, recipient, found.get(recipient)))
        self.check_envelopes(found)
        self.check_words()

    def check_envelopes(self, found):
        """Every message that the relay took has an envelope that was submitted, and what is sent was taken."""
        for m in self.taken:
            if m.sender == "" and not m.header("Subject").isdigit():
                continue                            # a bounce of ours
            number = int(m.header("Subject"))
            sender, recipients = self.submitted[number]
            if m.sender != sender or not set(m.recipients) <= set(recipients):
                raise Wrong("message %d of <%s> for %s arrived from <%s> for %s" %
                            (number, sender, recipients, m.sender, m.recipients))
        for recipient, verdicts in found.items():
            sent = sum(v[0] == "sent" for v in verdicts)
            taken = sum(recipient in m.recipients for m in self.taken)
            if taken < sent:
                raise Wrong("%s: %d times sent, but the relay took %d" % (recipient, sent, taken))
            if taken > sent and "may be delivered twice" not in self.log_text:
                raise Wrong("%s: the relay took %d, %d count as sent, and nothing says that it may be delivered twice" %
                            (recipient, taken, sent))

    def check_words(self):
        secret = harness.PASSWORD
        forms = [secret.encode(), base64.b64encode(secret.encode()),
                 base64.b64encode(("\0%s\0%s" % (harness.USER, secret)).encode())]
        for text in (self.log_text.encode(), self.flush.stdout, self.flush.stderr, self.queue_text.encode()):
            for form in forms:
                if form in text:
                    raise Wrong("the password was written down")
        if re.search(r"signal (\d+|SIG)|unexpected end|assert", self.log_text, re.I):
            raise Wrong("something crashed")

    def story(self):
        """For a person who has to find out why."""
        out = []
        for name in ("relay.commands.log", "log", "relay.log"):
            text = read(os.path.join(self.tmp, name))
            out.append("---- %s\n%s" % (name, text if len(text) < 5000 else text[:2000] + "\n...\n" + text[-3000:]))
        if hasattr(self, "flush"):
            out.append("---- flush: %d\n%s%s" % (self.flush.returncode, self.flush.stdout.decode(), self.flush.stderr.decode()))
        return "\n".join(out)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


class Dialogues(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def one(self, path):
        """None, or why it is wrong."""
        world = World(self, Dialogue(path))
        try:
            world.run()
        except Exception as e:                      # pylint: disable=broad-except
            return "%s: %s: %s\n%s" % (world.dialogue.name, type(e).__name__, e, world.story())
        finally:
            harness.progress()
        return None

    def test_catalogue(self):
        paths = sorted(glob.glob(os.path.join(PLACE, "*.dlg")))
        paths = [p for p in paths if not ONLY or os.path.basename(p)[:-4] in ONLY]
        if not ONLY:
            self.assertGreaterEqual(len(paths), 80)
        harness.certificates()
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            wrong = [w for w in pool.map(self.one, paths) if w]
        seconds = time.monotonic() - started
        print("%d dialogues, %d wrong, %.1f s" % (len(paths), len(wrong), seconds))
        for w in wrong:
            print("=" * 100 + "\n" + w, file=sys.stderr)
        self.assertFalse(wrong, "wrong: " + ", ".join(w.split(":")[0] for w in wrong))


if __name__ == "__main__":
    ONLY, sys.argv[1:] = [a for a in sys.argv[1:] if not a.startswith("-")], [a for a in sys.argv[1:] if a.startswith("-")]
    harness.main()
