"""docs/relays.md, tried: each row's lines with the test relay in that provider's place (its extensions and login
mechanisms), and each reply of its table of refusals with the mend that outpost must name."""
import os
import re

import harness

# What each relay announced when somebody looked (EHLO after TLS).
PROVIDERS = {
    "smtp.gmail.com": ("SIZE 35882577,8BITMIME,ENHANCEDSTATUSCODES,PIPELINING,CHUNKING,SMTPUTF8", "LOGIN PLAIN XOAUTH2 OAUTHBEARER"),
    "smtp.office365.com": ("SIZE 157286400,PIPELINING,DSN,ENHANCEDSTATUSCODES,8BITMIME,CHUNKING,SMTPUTF8", "LOGIN XOAUTH2"),
    "email-smtp.eu-west-1.amazonaws.com": ("8BITMIME,STARTTLS", "PLAIN LOGIN"),
    "smtp.sendgrid.net": ("8BITMIME,PIPELINING,SIZE", "PLAIN LOGIN"),
    "smtp.mailgun.org": ("PIPELINING,SIZE,8BITMIME,ENHANCEDSTATUSCODES,SMTPUTF8", "PLAIN LOGIN"),
    "smtp.postmarkapp.com": ("SIZE,PIPELINING,8BITMIME,SMTPUTF8", "CRAM-MD5 PLAIN LOGIN"),
    "smtp.fastmail.com": ("PIPELINING,SIZE,ENHANCEDSTATUSCODES,8BITMIME,DSN,SMTPUTF8", "PLAIN LOGIN"),
    "smtp.provider.example": ("SIZE,8BITMIME", "LOGIN"),
    "mail.example.com": ("PIPELINING,SIZE,ENHANCEDSTATUSCODES,8BITMIME,DSN,SMTPUTF8,CHUNKING", "PLAIN SCRAM-SHA-256"),
    "127.0.0.1": ("8BITMIME,SMTPUTF8", "PLAIN LOGIN"),
}


def document():
    with open(os.path.join(harness.SRC, "docs", "relays.md"), encoding="utf-8") as f:
        return f.read()


def rows(title):
    """Rows of the table that begins with this title, as lists of cells."""
    table = document().partition("| %s |" % title)[2].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


class Relays(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def relay_like(self, host, user, password, **options):
        words, mechanisms = PROVIDERS[host]
        known = {w.split()[0] for w in words.split(",")} - {"STARTTLS"}
        mechanisms = " ".join(m for m in mechanisms.split() if m not in ("XOAUTH2", "OAUTHBEARER"))
        return self.start_relay("--ext", " ".join(sorted(known)), "--auth", mechanisms, user=user, password=password, **options)

    def test_every_row(self):
        seen = set()
        for n, (provider, relayhost, secret, _) in enumerate(rows("relay")):
            host = re.search(r"\[([^]]+)\]", relayhost).group(1)
            seen.add(host)
            with self.subTest(provider=provider):
                line = re.search(r"`(\S+ .+?)`", secret)
                key, value = line.group(1).split(" ", 1) if line else (relayhost.strip("`"), "server@example.com:token")
                self.assertTrue(relayhost.startswith("`%s`" % key) or not line, "the key of %s differs" % provider)
                user, password = value.replace("…", "x").split(":", 1)
                relay = self.relay_like(host, user, password, name="relay%d" % n)
                tls = key.endswith(":465")
                self.configure(relay, tls=tls, user=user, password=password)
                self.outpost("check")
                self.sendmail("-odq", "-f", "me@example.com", "you@example.net", input="Subject: grüße\n\nGrüße\n".encode())
                self.outpost("flush")
                relay.wait_messages(1)
                self.outpost("flush")
        self.assertEqual(seen, set(PROVIDERS))

    def test_what_providers_answer(self):
        wanted = {"app password": r"application password|apppasswords", "an app password": r"application password|apppasswords",
                  "OAuth2": r"OAuth2", "verify it": r"verify the sender"}
        n = 0
        for says, _, mend in rows("the relay says"):
            for reply in re.findall(r"`(\d\d\d [^`]+)`", says):
                n += 1
                reply = reply.replace("…", "Please log in")
                event = "mail" if reply[:9] in ("550 5.7.6", "553 5.7.1") or reply.startswith("554") else "auth"
                pattern = wanted.get(mend) or re.escape(mend.strip("`").split(" = ")[0])
                with self.subTest(reply=reply):
                    relay = self.start_relay(dialogue='when %s do reply "%s"\n' % (event, reply), name="answer%d" % n)
                    self.configure(relay)
                    done = self.outpost("check", "--sender", "me@example.com", code=None)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertRegex(done.out, r"(?s)-->.*(%s)" % pattern)
        self.assertGreaterEqual(n, 6)

    def test_parameters_exist(self):
        known = set(re.findall(r"(?m)^(\w+) =", self.run_program("outpost", "-C", self.conf_with_defaults(), "config").out))
        for name in ("relays", "moving", "fleet", "containers"):
            with open(os.path.join(harness.SRC, "docs", name + ".md"), encoding="utf-8") as f:
                for parameter in re.findall(r"\b((?:smtp|sender|authorized|from|queue|maillog|door|syslog|alias)_\w+) =", f.read()):
                    self.assertIn(parameter, known, name)

    def conf_with_defaults(self):
        self.configure(relayhost="[localhost]:587")
        return self.conf


if __name__ == "__main__":
    harness.main()
