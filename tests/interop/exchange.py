"""exchange.py: what is tried with every real server: envelopes, bodies and counts, compared with what was queued.

A file test_NAME.py subclasses Exchange and says how its server is started. The server has .starttls and
.tls (ports; None where it has no such port), delivered() and wait_delivered(n): one copy for each recipient,
with .sender, .recipient, .body and .field(name).
"""
import os
import re
import sqlite3

import harness

BODIES = {
    "plain": b"hello\n",
    "empty": b"",
    "dots": b".\n..\n.leading\n...\n\n.\n",
    "unended": b"no newline at the end",
    "blank lines": b"\n\n\nx\n\n\n",
    "long line": b"y" * 990 + b"\n",
    "eightbit": "Grüße aus Köln — ça va?\n".encode(),
    "bigger than a buffer": b"".join(b"%07d the quick brown fox jumps over the lazy dog\n" % i for i in range(8000)),
}


def canonical(body):
    """The form in which a message is kept: its last line ended."""
    return body if not body or body.endswith(b"\n") else body + b"\n"


class Exchange(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")
    refuses = "refused@example.net"     # a recipient that the server answers 5xx; None where it can't
    keeps_eightbit = True               # whether it offers 8BITMIME
    flies = False                       # whether it is found fit for transactions in flight
    backlog = 60

    def start_server(self):
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.server = self.start_server()

    def relayhost(self, tls=False, **params):
        """main.cf for the server's port."""
        if tls:
            params.setdefault("smtp_tls_wrappermode", "yes")
        port = self.server.tls if tls else self.server.starttls
        params.setdefault("relayhost", "[localhost]:%d" % port)
        self.configure(None, **params)

    def submit(self, name, body, sender, recipients):
        head = "Subject: %s\nFrom: %s\nTo: undisclosed@example.net\n" % (name, sender or "postmaster@example.com")
        if any(c > 127 for c in body):
            head += "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
        self.sendmail("-i", "-odq", "-f", sender, *recipients, input=head.encode() + b"\n" + body)

    def flush(self, code=0, **options):
        return self.outpost("flush", code=code, timeout=90, **options)

    def compare(self, wanted, copies):
        """wanted: {subject: (sender, recipients, body)}."""
        for name, (sender, recipients, body) in wanted.items():
            mine = [c for c in copies if c.field("Subject") == name]
            self.assertEqual(sorted(c.recipient for c in mine), sorted(recipients), "recipients of " + name)
            for c in mine:
                self.assertEqual(c.sender, sender, "sender of " + name)
                self.assertEqual(c.body, canonical(body), "body of " + name)
        self.assertEqual(len(copies), sum(len(r) for _, r, _ in wanted.values()), "copies in all")

    def deliver_everything(self, tls):
        self.relayhost(tls)
        wanted = {}
        for i, (name, body) in enumerate(BODIES.items()):
            if not self.keeps_eightbit and any(c > 127 for c in body):
                continue
            sender = "" if name == "dots" else "sender%d@example.com" % i
            wanted[name] = (sender, ["r%d.%d@example.net" % (i, n) for n in range(1 + i % 3)], body)
        for name, (sender, recipients, body) in wanted.items():
            self.submit(name, body, sender, recipients)
        self.flush()
        self.compare(wanted, self.server.wait_delivered(sum(len(r) for _, r, _ in wanted.values())))
        self.wait_queue_empty()
        self.assertTrue(self.log_lines(r"Verified TLS connection established"))

    def test_everything_over_starttls(self):
        if self.server.starttls is None:
            self.skipTest("this server has no STARTTLS port")
        self.deliver_everything(False)

    def test_everything_over_implicit_tls(self):
        if self.server.tls is None:
            self.skipTest("this server has no port with implicit TLS")
        self.deliver_everything(True)

    def test_backlog_keeps_envelopes_apart(self):
        """Many messages with senders of their own over few connections, some recipients refused in between."""
        self.relayhost(self.server.starttls is None)
        wanted, refused = {}, 0
        for i in range(self.backlog):
            recipients = ["to%d@example.net" % i]
            name, body = "message %d" % i, b"body of %d\n" % i + b"z" * (i * 37 % 900) + b"\n"
            sender = "from%d@example.com" % i
            if self.refuses and i % 7 == 3:
                self.submit(name, body, "", [self.refuses])     # a null sender: no bounce to be counted
                refused += 1
                continue
            self.submit(name, body, sender, recipients)
            wanted[name] = (sender, recipients, body)
        self.flush()
        self.compare(wanted, self.server.wait_delivered(len(wanted)))
        self.assertEqual(len(self.log_lines(r"status=sent")), len(wanted))
        self.assertEqual(len(self.log_lines(r"to=<%s>.*status=bounced" % re.escape(self.refuses or "-"))), refused)
        self.assertEqual("flight=yes" in self.known(), self.flies, self.log_text())

    def known(self):
        """What was learnt of the relay."""
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        words, = base.execute("SELECT known FROM relay").fetchone()
        base.close()
        return words

    def test_ten_refusals_in_a_row(self):
        """Postfix sleeps before each reply from the tenth error on and hangs up at the twentieth, Exim at the fourth protocol error,
        Dovecot at the eleventh bad reply. All that is good arrives, once, with its own envelope."""
        if not self.refuses:
            self.skipTest("this server refuses nobody")
        self.relayhost(self.server.starttls is None)
        wanted = {}
        for i in range(36):
            if i % 12 < 10:
                self.submit("refused %d" % i, b"x\n", "", [self.refuses])
                continue
            wanted["good %d" % i] = ("s%d@example.com" % i, ["r%d@example.net" % i], b"x\n")
            self.submit("good %d" % i, b"x\n", *wanted["good %d" % i][:2])
        for _ in range(3):      # what was behind a 421 is deferred, and sent by the next run
            if self.flush(code=None).returncode == 0:
                break
        self.compare(wanted, self.server.wait_delivered(len(wanted)))
        self.assertEqual(len(self.log_lines(r"status=bounced")), 30)

    def test_wrong_password_keeps_the_message(self):
        self.relayhost(self.server.starttls is None)
        self.write_secret("sasl_passwd", "%s %s:hunter2\n" % (self.written_relayhost(), harness.USER))
        self.submit("kept", b"x\n", "a@example.com", ["b@example.net"])
        self.flush(code=75)
        self.assertEqual(len(self.queue()), 1)
        self.assertEqual(self.server.delivered(), [])
        self.assertNotIn("hunter2", self.log_text())
        self.relayhost(self.server.starttls is None)        # the right one again
        self.flush()
        self.server.wait_delivered(1)

    def written_relayhost(self):
        with open(self.conf + "/main.cf") as f:
            return re.search(r"^relayhost = (\S+)", f.read(), re.M).group(1)
