"""The same call of Postfix's sendmail and of ours: what arrives at the relay is the same. Where it is not meant to be, VIOLATIONS.md
says so, and the call does not stand here."""
import re

import harness
import servers

TEXT = b"Subject: s\nFrom: me@example.org\nTo: t@example.net\n\nbody\n"

OPTIONS = """-i|-oi|-oem|-em|-bm|-B8BITMIME|-odb|-Am|-L tag|-h 5|-N never|-Nsuccess|-R hdrs|-V id1|-FJohn|-F John|-r x@example.com
-fx@example.com|-f x|-f <>|-f x@example.com. -i|-f a@example.com -r b@example.com|-f MAILER-DAEMON|-f mailer-daemon@example.com
-f "n\\ m"@example.com|-f Name\\ <n@example.com>|-f n@[192.0.2.1]|-f müller@example.com|-ti|-t t@example.net|-U -oi -oee|-o7"""

RECIPIENTS = """a|a@example.net|A@EXAMPLE.NET|a@example.net,b@example.net|a@example.net, b@example.net|a@example.net;b@example.net
Name <a@example.net>|"Na, me" <a@example.net>|a@example.net (Comment)|(c) a@example.net|<a@example.net>,<b@example.net>
group: a@example.net, b@example.net;|g: a@example.net;, b@example.net|"a b"@example.net|"a@b"@example.net|"a\\"b"@example.net
"a"@example.net|<@x,@y:a@example.net>|a@example.net.|a@host|a@client.example.com|a@example.com|a..b@example.net|müller@example.net
a@müller.example|a%b@example.net|a+x@example.net|a@example.net,,b@example.net|,a@example.net|a.b . c@example.net|A. B. Cee <a@example.net>
O'Neil <a@example.net>|me@x.org <a@example.net>|=?utf-8?q?J=C3=BC?= <a@example.net>|a@example.net a@example.net
a@example.net, A@example.net, a@EXAMPLE.NET|A <a@example.net>; B <b@example.net>|g: A <a@example.net>, b@example.net; , C <c@example.net>"""

RESENT = [b"To: a@example.net", b"Cc: b@example.net", b"Bcc: c@example.net", b"Resent-To: ra@example.net",
          b"Resent-Bcc: rb@example.net"]

MESSAGES = [
    b"", b"\n", b"hello\n", b"hello", b"hello\nTo: x\n\ny\n", b"Subject: s\n", b"Subject: s", b"Subject: s\nTo: t@example.net\nhello\n",
    b"From me@example.com Mon Nov 16 10:00:00 2026\nSubject: s\n\nb\n", b"Subject: s\n\nFrom here\n>From there\n", b"\nSubject: s\n\nb\n",
    b"Subject: s\r\nTo: t@example.net\r\n\r\nb1\r\nb2\r\n", b"Subject: s\r\n\r\nb1\nb2\n", b"Subject: s\n\nb1\rb2\n", b"Subject: s\rx\n\nb\n",
    b"Subject: s\n\n..\n...\n.a\n..b\n.\nb\n", b"Subject: s\n\na\n.\r\nMAIL FROM:<x>\r\n", b"Subject: s\n\na\r.\rMAIL FROM:<x>\r\n",
    b"Subject: s\n\n\x01\x07\x1b[1m\x7f\n", b"Subject: Gr\xc3\xbc\n\nb\n", b"Subject: Gr\xfc\n\nb\n", b"From: J\xc3\xbc <j@example.org>\n\nb\n",
    b"Subject: s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\n",
    b"Subject: s\n\n" + b"x" * 998 + b"\n", b"Subject: s\n" + b"".join(b"X-%d: %s\n" % (i, b"v" * 60) for i in range(900)) + b"\nb\n",
    b"Return-Path: <x@example.com>\nContent-Length: 5\nStatus: RO\nDelivered-To: x@example.com\nSubject: s\n\nb\n",
    b"Received: from a by b; Mon, 16 Nov 2026 10:00:00 +0000\nSubject: s\n\nb\n",
    b"Sender: s\nErrors-To: e\nReply-To: r\nReturn-Receipt-To: s\nFrom: me@example.org\nSubject: s\n\nb\n",
    b"From: root (Cron Daemon)\nTo: root\nSubject: s\n\nb\n", b'From: "(Cron Daemon)" <root>\nTo: root\n\nb\n',
    b"Date: yesterday\nMessage-ID: abc\nSubject:\n\nb\n", b"Subject: a\n b\n\tc\nTo:\n t@example.net\n\nb\n", b"Subject:s\nX-A:1\n\nb\n",
    b"Subject: s   \n\nb   \n\n\n", b"Cc: x@example.net\nBcc: y@example.net\nSubject: s\n\nb\n",
    b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\np\n--b\n\nx\n--b\nContent-Type: message/rfc822\n\nFrom: root\nBcc: y\n\nz\n--b--\n",
]

PEOPLE = """root|ann|root@client.example.com|ann@example.com|ann@sub.example.com|ann+x@example.com|ann+x@client.example.com|ann@example.net
Ann@Example.NET|bob@keep.example.com|ann@notexample.com|ann@a.b.example.com"""


def words(table):
    return [w for line in table.splitlines() for w in line.split("|")]


def arguments(call):
    """Words of a call; a blank with a backslash before it parts none."""
    return [w.replace("\\ ", " ") for w in re.split(r"(?<!\\) ", call)]


def fields(header, data):
    """A set of fields: without folds, our own Received, and a To that names nobody; what was made anew has no value."""
    found, data = [], data.replace(b"\r", b"")
    for field in re.split(rb"\n(?![ \t])", header):
        name, _, value = field.partition(b":")
        name, value = name.lower(), re.sub(rb"\n[ \t]+", b" ", value).strip()
        made = name in (b"date", b"message-id", b"resent-date", b"resent-message-id") and value not in data
        found.append((name, b"made" if made else value))
    found = [f for f in found if not re.match(rb"by client\.example\.com \((Postfix|outpost), from userid", f[1])]
    return sorted(f for f in found if f != (b"to", b"undisclosed-recipients:;"))


class Same(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def both(self, files=None, params=None):
        params = {"myhostname": "client.example.com", "mydomain": "example.com", "myorigin": "example.com", "mydestination": "",
                  **(params or {})}
        self.relays = [self.start_relay("--no-starttls", user=None, name=name) for name in ("postfix", "outpost")]
        self.postfix = servers.PostfixSender(self, self.relays[0].starttls, files or {}, params)
        for name, text in (files or {}).items():
            self.write_secret(name, text)
        self.configure(None, relayhost="[127.0.0.1]:%d" % self.relays[1].starttls, smtp_tls_security_level="none",
                       smtp_sasl_auth_enable="no", **{k: v.replace("@D", self.conf) for k, v in params.items()})
        self.start_outpostd()
        self.calls = 0

    def arrived(self, relay, data):
        harness.wait_for("message %d" % self.calls, lambda: relay.count() >= self.calls, 60)
        m = relay.messages()[self.calls - 1]
        header, _, body = m.data.partition(b"\n\n")
        return {"sender": m.sender, "recipients": sorted(m.recipients), "header": fields(header.rstrip(b"\n"), data), "body": body}

    def compare(self, *args, data=TEXT):
        with self.subTest(args=args, data=data[:200]):
            self.calls += 1
            theirs = self.postfix.sendmail(*args, input=data)
            self.assertEqual(theirs.returncode, 0, theirs.stdout)
            self.sendmail(*args, input=data)
            want, have = (self.arrived(relay, data) for relay in self.relays)
            self.assertEqual(have, want)

    def test_options(self):
        self.both()
        for call in words(OPTIONS):
            self.compare(*arguments(call), *(() if "-t" in call.split() or "-ti" in call.split() else ("r@example.net",)))
        self.compare("-i", "--", "r@example.net", "s@example.net")
        self.compare("-FJohn Q. Public, Jr.", "r@example.net", data=b"Subject: s\n\nb\n")

    def test_recipients(self):
        self.both()
        for list_of in words(RECIPIENTS):
            self.compare(list_of)
            self.compare("-t", "x@example.net", data=b"Subject: s\nCc: y@example.net\nbcc: %s\nFrom: me@example.org\n\nb\n" % list_of.encode())

    def test_resent(self):
        self.both()
        for some in range(1, 1 << len(RESENT)):
            head = b"".join(h + b"\n" for i, h in enumerate(RESENT) if some >> i & 1)
            more = b"Date: Mon, 16 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\nFrom: me@example.org\n\nb\n"
            self.compare("-t", data=head + more)

    def test_messages(self):
        self.both()
        for data in MESSAGES:
            self.compare("-i", "r@example.net", data=data)

    def settings(self, files, people=PEOPLE, **params):
        self.both(files, params)
        for person in words(people):
            self.compare("-f", person, "-t", data=b"From: %s\nTo: %s\nCc: x@example.net\nSubject: s\n\nb\n" % ((person.encode(),) * 2))
        self.compare("-FCronDaemon", "-i", "-oem", "root", data=b"From: root (Cron Daemon)\nTo: root\nSubject: s\n\nb\n")

    def test_masquerade(self):
        self.settings({}, masquerade_domains="!keep.example.com, $mydomain", masquerade_exceptions="root", myorigin="$myhostname")

    def test_canonical(self):
        self.settings({"all": "ann@example.com b@example.com\nb@example.com c@example.com\nops@example.org final@example.org\n"
                              "@sub.example.com @new.example\n",
                       "senders": "root ops@example.org\n", "recipients": "/^root@(.*)/ boss@$1\n"},
                      canonical_maps="texthash:@D/all", sender_canonical_maps="texthash:@D/senders", recipient_delimiter="+",
                      recipient_canonical_maps="regexp:@D/recipients")

    def test_short_domains(self):
        self.settings({}, append_dot_mydomain="yes", masquerade_domains="$mydomain", people="ann@host|Ann@other|ann@client|ann@a.b")

    def test_header_checks(self):
        self.settings({"all": "/^Cc: (.*)/ PREPEND X-Copy: $1\n/^X-Gone:/ IGNORE\n/^Subject: s$/ DUNNO\n/^subject:/ REPLACE Subject: other\n",
                       "smtp": "/^From:(.*)@(.*)/ REPLACE From:$1@new.$2\n/^Reply-To:/ STRIP\n"
                               "/^Received: by .*userid/ IGNORE\n"},
                      header_checks="regexp:@D/all", smtp_header_checks="regexp:@D/smtp", people="root|ann@example.net")
        self.assertNotIn(b"userid", self.relays[1].messages()[0].data)
        self.compare("-t", data=b"To: t@example.net\nReply-To: x\nX-Gone: a\n b\nX-gone: c\nSubject: a\n b\nCc: c@example.net,\n d@example.net\n\nb\n")

    def test_generic(self):
        self.settings({"generic": "root@example.com ops@example.org\nann@example.com anna@example.org\n@client.example.com @example.org\n"},
                      smtp_generic_maps="texthash:@D/generic", recipient_delimiter="+")

    def test_virtual(self):
        self.settings({"virtual": "root ops@example.org\nann@example.com ann@example.com, a2@example.net\n"
                                  "@sub.example.com catch@sub.example.com\n@client.example.com @example.org\n"},
                      virtual_alias_maps="texthash:@D/virtual", always_bcc="archive@example.net")


if __name__ == "__main__":
    harness.main()
