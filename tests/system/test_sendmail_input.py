"""sendmail: what people and programs pipe in, and what of it comes to the wire."""
import os
import pty
import re
import resource
import subprocess
import unittest

import harness
import test_agent


class Input(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        self.configure(self.relay)
        self.start_outpostd()
        self.sent = 0

    def through(self, data, *args, **options):
        self.sendmail(*(args or ("you@example.net",)), input=data, **options)
        self.sent += 1
        return self.relay.wait_messages(self.sent, timeout=30)[-1]

    def check_wire(self, message):
        wire = message.wire
        self.assertNotRegex(wire, rb"[^\r]\n")
        self.assertNotRegex(wire, rb"\r[^\n]")
        self.assertNotIn(b"\0", wire)
        self.assertLessEqual(max(len(line) for line in wire.split(b"\r\n")), 998)

    def body(self, data, want, *args):
        message = self.through(data, *args)
        self.check_wire(message)
        self.assertEqual(message.body, want)
        return message

    def test_eight_bits_in_the_header_alone(self):
        m = self.body("Subject: \u00e4\n\nascii\n".encode(), b"ascii\n")
        self.assertIn("\u00e4".encode(), m.wire)
        self.assertEqual(self.relay.counters()["eightbit_undeclared"], 0)

    def test_line_ends(self):
        head = b"Subject: x\n\n"
        self.body(head + b"a\nb\n", b"a\nb\n")
        self.body((head + b"a\nb\n").replace(b"\n", b"\r\n"), b"a\nb\n")
        self.body(b"Subject: x\r\n\nmixed\r\nends\nhere\r\n", b"mixed\nends\nhere\n")
        self.body(head + b"no final newline", b"no final newline\n")
        self.body(head + b"a\rb\r\rc\n", b"a b  c\n")
        self.body(head + b"x\0y\n", b"x y\n")
        self.body(head, b"")
        self.body(b"", b"")
        self.body(b"Subject: only a header", b"")

    def test_carriage_returns_before_the_end(self):
        for n in range(10):
            m = self.body(b"Subject: x\n\nab" + b"\r" * n + b"\ncd\n", b"ab" + b" " * max(0, n - 1) + b"\ncd\n")
            self.assertEqual(m.header("Subject"), "x")

    def test_doubled_carriage_returns_in_the_header(self):
        m = self.body(b"Subject: x\r\r\nTo: a@b.example\r\r\n\r\r\nbody\r\r\n", b"body \n")
        self.assertEqual(m.header("To"), "a@b.example")

    def test_smuggling(self):
        """Whatever mixture of CR, LF and dot: one message comes out, with all of its text."""
        ends = [b"\n", b"\r\n", b"\r", b"\r\r\n", b"\n\r", b"\0\n"]
        for a in ends:
            for b in ends:
                m = self.through(b"Subject: x\n\nfirst" + a + b"." + b + b"MAIL FROM:<evil@example.org>\n")
                self.check_wire(m)
                self.assertIn(b"MAIL FROM:<evil@example.org>\n", m.body)
                self.assertEqual(m.sender, "root@example.com")

    def test_no_header(self):
        for text in (b"hello\nworld\n", b"two words: colon\nx\n", b"Error: disk full\n", b"Note: a\n\nNote: b\n", b"\nTo: x\n",
                     b" indented\ntext\n", b"http://example.org/\n", b"12:30 x\n", b"\xc3\xa4: \xc3\xb6\n"):
            want = text[1:] if text.startswith(b"\n") else text
            self.body(text, want)

    def test_header_without_empty_line(self):
        m = self.body(b"Subject: x\nhello\n", b"hello\n")
        self.assertEqual(m.header("Subject"), "x")

    def test_indented_here_document(self):
        m = self.body(b"    To: root\n    Subject: status\n    \n    body\n", b"    body\n", "-t")
        self.assertEqual(m.recipients, ["root@example.com"])
        self.assertEqual(m.header("Subject"), "status")

    def test_mbox_line(self):
        m = self.body(b"From root Mon Nov 16 10:00:00 2026\nSubject: x\n\nFrom here\n", b"From here\n")
        self.assertEqual(m.header("Subject"), "x")

    def test_text_that_begins_with_from(self):
        """A mailbox's line has a time of day; anything else is somebody's first line."""
        for text in (b"From here on it is text\nmore\n", b"From today the price is 12:x\n", b">From the manual\n\nx\n"):
            self.body(text, text)
        for line in (b"From me@x.example Mon Nov 16 10:00:00 2026", b"From me Mon Nov 16 10:00 2026", b"From me",
                     b">From me Mon Nov 16 10:00:00 2026 remote from x", b"From - Mon Nov 16 10:00:00 2026"):
            m = self.body(line + b"\nSubject: x\n\ntext\n", b"text\n")
            self.assertEqual(m.header("Subject"), "x")

    def test_fields_that_hold_nothing(self):
        """They are as good as missing."""
        m = self.through(b"Date:\nMessage-ID: \nTo:\nCc: \nSender:\nReply-To:\t\nSubject:\n\nx\n")
        for name in ("Date", "Message-ID", "To"):
            self.assertEqual(len(m.parsed.get_all(name)), 1, name)
        self.assertIsNotNone(m.header("Date").datetime)
        self.assertEqual(m.header("To"), "undisclosed-recipients:;")
        for name in ("Cc", "Sender", "Reply-To"):
            self.assertIsNone(m.header(name), name)
        self.assertEqual(m.header("Subject"), "")

    def test_dots(self):
        text = b"Subject: x\n\na\n.\nb\n..\n.c\n"
        self.body(text, b"a\n.\nb\n..\n.c\n")
        self.body(text, b"a\n.\nb\n..\n.c\n", "-oi", "you@example.net")
        self.configure(self.relay, ignore_dots="no")
        self.body(text, b"a\n", "you@example.net")
        self.body(text.replace(b"\n", b"\r\n"), b"a\n", "you@example.net")
        self.body(text, b"a\n.\nb\n..\n.c\n", "-i", "you@example.net")

    def test_dot_on_a_terminal(self):
        master, slave = pty.openpty()
        argv = [harness.program("sendmail"), "-C", self.conf, "you@example.net"]
        p = subprocess.Popen(argv, stdin=slave, env=self.environ())
        os.close(slave)
        os.write(master, b"Subject: tty\n\nhello\n.\n")
        self.assertEqual(p.wait(20 * harness.PATIENCE), 0)
        os.close(master)
        self.assertEqual(self.relay.wait_messages(1)[0].body, b"hello\n")

    def test_long_lines(self):
        m = self.through(b"Subject: x\n\n" + b"a" * (1 << 20) + b"\nend\n")
        self.check_wire(m)
        self.assertEqual(m.body.replace(b"\n", b""), b"a" * (1 << 20) + b"end")
        m = self.through(b"Subject: x\n\n" + "ü€".encode() * 3000 + b"\n")
        self.check_wire(m)
        for line in m.body.splitlines():
            line.decode()
        m = self.through(b"Subject: " + b"word " * 2000 + b"\n\nx\n")
        self.check_wire(m)
        self.assertEqual(m.header("Subject").split(), ["word"] * 2000)

    def test_long_recipient_line(self):
        people = ["person%d@example.net" % i for i in range(300)]
        m = self.through(("To: " + ",".join(people) + "\n\nx\n").encode())
        self.check_wire(m)
        self.assertEqual([a.addr_spec for a in m.header("To").addresses], people)

    def test_eight_bit_is_labelled(self):
        m = self.body("Subject: x\n\nGrüße\n".encode(), "Grüße\n".encode())
        self.assertEqual(m.header("Content-Type"), 'text/plain; charset="utf-8"')
        self.assertEqual(m.header("Content-Transfer-Encoding"), "8bit")
        self.assertEqual(m.header("MIME-Version"), "1.0")
        m = self.body(b"Subject: x\n\nGr\xfc\xdfe\n", b"Gr\xfc\xdfe\n")
        self.assertIn("unknown-8bit", m.header("Content-Type"))
        m = self.body("Content-Type: text/html; charset=utf-8\n\nä\n".encode(), "ä\n".encode())
        self.assertEqual(m.header("Content-Transfer-Encoding"), "8bit")
        m = self.body("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7BIT\n\nä\n".encode(), "ä\n".encode())
        self.assertEqual(m.header("Content-Transfer-Encoding"), "8bit")
        m = self.body(b"Subject: x\n\nplain\n", b"plain\n")
        self.assertIsNone(m.header("Content-Type"))

    def test_completion(self):
        m = self.through(b"Subject: x\n\nx\n", "-f", "a@b.example", "you@example.net")
        self.assertEqual(m.header("From"), "a@b.example")
        self.assertEqual(m.header("To"), "undisclosed-recipients:;")
        self.assertRegex(m.header("Message-ID"), r"^<[^@ ]+@client\.example\.com>$")
        self.assertRegex(m.header("Received"), r"^by client\.example\.com \(outpost, from userid 0\)\s+id [0-9A-Z]+; ")
        self.assertIsNotNone(m.header("Date").datetime)
        m = self.through(b"x\n", "-F", 'Doe, "J" Jürgen', "you@example.net")
        self.assertEqual(m.header("From").addresses[0].display_name, 'Doe, "J" Jürgen')
        self.assertEqual(m.header("From").addresses[0].addr_spec, "root@example.com")
        for null in ("<>", ""):
            m = self.through(b"From: W <w@example.org>\n\nx\n", "-f", null, "you@example.net")
            self.assertEqual(m.sender, "")
            self.assertEqual(m.header("From"), "W <w@example.org>")
            m = self.through(b"x\n", "-f", null, "you@example.net")
            self.assertEqual(m.header("From").addresses[0].addr_spec, "root@example.com")
        for daemon in ("MAILER-DAEMON", "mailer-daemon@example.com"):
            m = self.through(b"Subject: x\n\nx\n", "-f", daemon, "you@example.net")
            self.assertEqual(m.sender, "")
        m = self.through(b"From: root (Cron Daemon)\n\nx\n")
        self.assertIn(b"\nFrom: root@example.com (Cron Daemon)\n", m.data)
        m = self.through(b"From: Backup job\n\nx\n")
        self.assertEqual(m.header("From"), "Backup job <root@example.com>")
        m = self.through(b"From: root@localhost\n\nx\n")
        self.assertEqual(m.header("From"), "root@example.com")

    @unittest.skipUnless(test_agent.can_unshare(), "no mount namespace here for a passwd of its own")
    def test_login_names_of_a_directory(self):
        """sssd gives names that are addresses, winbind names with a backslash; in both, the From that is made is one."""
        for login, address in (("ann@ad.example.org", "ann@ad.example.org"), ("AD\\ann", '"AD\\\\ann"@example.com'),
                               ("ann@", '"ann@"@example.com')):
            with open(os.path.join(self.tmp, "passwd"), "w") as f:
                f.write(login + ":x:0:0:Ann Other:/root:/bin/sh\n")
            for args, sender in (((), address), (("-f", "<>"), "")):
                argv = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', f.name,
                        harness.program("sendmail"), "-C", self.conf, *args, "you@example.net"]
                subprocess.run(argv, input=b"Subject: x\n\nx\n", env=self.environ(), check=True, timeout=30 * harness.PATIENCE)
                self.sent += 1
                m = self.relay.wait_messages(self.sent)[-1]
                self.assertEqual(m.sender, sender)
                self.assertIn(("\nFrom: Ann Other <%s>\n" % address).encode(), m.data)

    def test_from_without_angle_brackets(self):
        """The address that somebody wrote is the one that is answered to."""
        for said, want in (("Web shop shop@example.net", "Web shop <shop@example.net>"),
                           ('"Shop, Web" shop@example.net', '"Shop, Web" <shop@example.net>'),
                           ("=?utf-8?q?J=C3=B6rg?= shop@example.net", "J\u00f6rg <shop@example.net>"),
                           ("Web shop <shop@example.net", "root <root@example.com>"),
                           ("shop@ example.net x@@y", "root <root@example.com>")):
            m = self.through(("From: %s\n\nx\n" % said).encode())
            self.assertEqual(m.header("From"), want)

    def test_blanks_before_the_colon(self):
        m = self.body(b"To : a@b.example\nSubject \t: x\n y\nX-Any: a : b\n\nx : y\n", b"x : y\n")
        for line in (b"To: a@b.example\n", b"Subject: x\n y\n", b"X-Any: a : b\n"):
            self.assertIn(b"\n" + line, m.data)
        self.body(b"Error : disk full\n\nx\n", b"Error : disk full\n\nx\n")

    def test_a_log_is_no_header(self):
        """However long, and whatever stands before its colons."""
        text = b"kernel: something happened somewhere\n" * 130000
        m = self.body(text, text)
        self.assertLess(len(m.data) - len(text), 1000)

    def test_nonblocking_input(self):
        """Who runs us may have made what we share with him non-blocking."""
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        p = subprocess.Popen([harness.program("sendmail"), "-C", self.conf, "you@example.net"], stdin=ours, env=self.environ())
        os.close(ours)
        harness.wait_for("sendmail to read", lambda: self.sleeps(p) or p.poll() is not None)
        os.write(theirs, b"Subject: x\n\nlate\n")
        os.close(theirs)
        self.assertEqual(p.wait(20 * harness.PATIENCE), 0)
        self.assertEqual(self.relay.wait_messages(1)[0].body, b"late\n")

    def sleeps(self, p):
        with open("/proc/%d/stat" % p.pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "S"

    @unittest.skipUnless(test_agent.can_unshare(), "no mount namespace here to make it read-only")
    def test_read_only_temporary_directories(self):
        """What ProtectSystem=strict makes of them, without PrivateTmp."""
        script = "for d in /tmp /var/tmp; do mount --bind $d $d && mount -o remount,bind,ro $d || exit 99; done; exec \"$@\""
        subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", harness.program("sendmail"), "-C", self.conf, "you@example.net"],
                       input=b"Subject: x\n\n" + b"x\n" * 100000, env=self.environ(), check=True, timeout=30 * harness.PATIENCE)
        self.assertEqual(self.relay.wait_messages(1)[0].body, b"x\n" * 100000)

    def test_file_size_limit(self):
        """A temporary file that may not grow is said in words; a signal would say nothing."""
        done = self.sendmail("you@example.net", input=b"x\n" * 100000, code=75,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
        self.assertRegex(done.err, r"\Asendmail: cannot write the temporary file: File too large\n\Z")

    def test_input_without_end(self):
        """What will be refused does not fill the disk before."""
        self.configure(self.relay, message_size_limit="1000000")
        endless = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
        argv = [harness.program("sendmail"), "-C", self.conf, "you@example.net"]
        done = subprocess.run(argv, stdin=endless.stdout, stderr=subprocess.PIPE, env=self.environ(), timeout=60 * harness.PATIENCE,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000000, 2000000)))
        endless.stdout.close()
        endless.wait(20 * harness.PATIENCE)
        self.assertEqual((done.returncode, done.stderr),
                         (69, b"sendmail: the message is larger than message_size_limit (1000000 bytes)\n"))

    def test_resent(self):
        m = self.through(b"Resent-To: r@example.net\nTo: old@example.net\nBcc: b@example.net\nFrom: w@example.org\n"
                         b"Date: Mon, 16 Nov 2026 10:00:00 +0000\nMessage-ID: <1@x>\n\nx\n", "-t")
        self.assertEqual(m.recipients, ["r@example.net"])
        for name in ("Resent-From", "Resent-Date", "Resent-Message-ID"):
            self.assertIsNotNone(m.header(name), name)
        self.assertIsNone(m.header("Bcc"))
        self.assertEqual(len(m.parsed.get_all("Date")), 1)

    def test_recipients(self):
        m = self.through(b"To: \"A, B\" <a@example.net>, G: b@example.net, C (x, y) <c@example.net>;\n"
                         b"Cc: <@r.example:d@example.net>, \"q r\"@example.net\nBcc: e@example.net, a@EXAMPLE.net\n\nx\n",
                         "-t", "f@example.net, a@example.net", "g@example.net")
        self.assertEqual(sorted(m.recipients), ['"q r"@example.net'] + [c + "@example.net" for c in "abcdefg"])
        self.assertNotIn(b"e@example.net", m.data)
        m = self.through(b"Bcc: e@example.net\n\nx\n")
        self.assertEqual(m.recipients, ["you@example.net"])
        self.assertNotIn(b"e@example.net", m.data)
        m = self.through("To: jürgen@exämple.de\n\nx\n".encode(), "-t")
        self.assertTrue(m.recipients[0].startswith("jürgen@"))

    def test_empty_arguments(self):
        """A variable of somebody's script that was not set is nobody."""
        self.assertEqual(self.through(b"x\n", "", "a@example.net", " ").recipients, ["a@example.net"])
        self.assertEqual(self.through(b"To: a@example.net\n\nx\n", "-t", "").recipients, ["a@example.net"])
        self.assertIn("an empty argument", self.sendmail("", code=65).err)
        self.assertIn("no recipient", self.sendmail("", "", code=64).err)

    def test_quoted_whole(self):
        m = self.through(b'To: "a@example.net"\nFrom: "Shop" <"b@example.net">\n\nx\n', "-t", "-f", '"c@example.net"')
        self.assertEqual((m.sender, m.recipients), ("c@example.net", ["a@example.net"]))
        self.assertIn(b'To: a@example.net\nFrom: "Shop" <b@example.net>\n', m.data)

    def test_recipients_without_a_comma(self):
        m = self.through(b"To: A <a@example.net>\n b@example.net\nCc: c@example.net\n\nx\n", "-t", "<d@example.net> e")
        self.assertEqual(sorted(m.recipients), ["a@example.net", "b@example.net", "c@example.net", "d@example.net", "e@example.com"])
        self.sendmail("-t", input=b"To: A <a@example.net>\n B b@example.net\n\nx\n", code=65)

    def test_refused(self):
        for args, data, code, words in (
                ((), b"x\n", 64, "no recipient"),
                (("-t",), b"Subject: x\n\nx\n", 64, "no recipient"),
                (("-t",), b"To: undisclosed-recipients:;\n\nx\n", 64, "no recipient"),
                (("a@",), b"x\n", 65, "nothing stands behind"),
                (("a b <c",), b"x\n", 65, "not closed"),
                (("-t",), b"To: a@b.example, c@@d\n\nx\n", 65, "header field To"),
                (("-f", "a b", "you@example.net"), b"x\n", 65, "the sender"),
                (("a\nb@example.net <x",), b"x\n", 65, "no mail address"),
                (("'ann@example.net'",), b"x\n", 65, "no domain may"),
                (("-t",), b"To: a@b.example, a@example.net?subject=x\n\nx\n", 65, "no domain"),
                (("a\x01b@example.net",), b"x\n", 65, "control byte")):
            done = self.sendmail(*args, input=data, code=code)
            self.assertRegex(done.err, r"\Asendmail: [^\n]*%s[^\n]*\n\Z" % re.escape(words))
        self.assertEqual(self.relay.count(), 0)
        self.wait_queue_empty()


SIGNED = """Content-Type: multipart/signed; boundary=s

--s
Content-Type: text/plain
Content-Transfer-Encoding: 8bit

%s = 
--s
Content-Type: application/pgp-signature

signature
--s--
"""


class SevenBit(harness.SystemTest):
    """For a relay without 8BITMIME text is re-encoded, but never what is signed."""
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay("--no-ext", "8BITMIME")
        self.configure(self.relay)
        self.start_outpostd()

    def forwarded(self, signed, before="Grüße\n"):
        """A mailing list's digest, so to say: text, and a message that holds a signed one."""
        return ("Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n%s\n--b\n"
                "Content-Type: message/rfc822\n\nSubject: in\nMIME-Version: 1.0\n%s\n--b--\n" % (before, signed)).encode()

    def test_signed_inside_stays(self):
        for n, before in enumerate(("Grüße\n", "Grüße und mehr davon\n" * 5000), 1):
            self.sendmail("you@example.net", input=self.forwarded(SIGNED % "plain", before))
            m = self.relay.wait_messages(n)[-1]
            self.assertTrue(m.wire.isascii())
            self.assertIn((SIGNED % "plain").encode(), m.data)
            text, = [p for p in m.parsed.walk() if p.get_content_type() == "text/plain" and "quoted" in str(p["Content-Transfer-Encoding"])]
            self.assertEqual(text.get_payload(decode=True).decode().replace("\r\n", "\n"), before)

    def test_signed_inside_that_can_not_stay(self):
        for n, before in enumerate(("Grüße\n", "Grüße und mehr davon\n" * 5000), 1):
            self.sendmail("-f", "me@example.org", "you@example.net", input=self.forwarded(SIGNED % "ä", before))
            self.wait_log(r"dsn=5\.6\.3, status=bounced \(host .* does not offer 8BITMIME, and the message has no 7-bit form", n)
            notice = self.relay.wait_messages(n, timeout=30)[-1]
            self.assertEqual((notice.sender, notice.recipients), ("", ["me@example.org"]))
        self.assertEqual(self.relay.count(), 2)
        self.assertNotIn("is down", self.log_text())

    def test_only_the_header(self):
        self.sendmail("you@example.net", input="Subject: Grüße\n\nplain = text\n".encode())
        m, = self.relay.wait_messages(1)
        self.assertTrue(m.wire.isascii())
        self.assertEqual(m.header("Subject"), "Grüße")

    def test_the_largest_header(self):
        """Longer in 7 bits than any buffer for text: it must not take the session down with it, again and again."""
        for n, subject in enumerate((b"\x80" * 4000000, b"word " * 800000), 1):
            self.sendmail("you@example.net", input=b"Subject: " + subject + b"\n\n\xc3\xa4\n")
            m = self.relay.wait_messages(n, timeout=60)[-1]
            self.assertTrue(m.wire.isascii())
            self.assertLessEqual(max(len(line) for line in m.wire.split(b"\r\n")), 998)
            self.assertEqual(m.wire.count(b"=80") if n == 1 else m.wire.count(b"word"), len(subject) // (1, 5)[n - 1])


class Memory(harness.SystemTest):
    needs = ("sendmail", "outpost-drop")

    def test_fifty_megabytes(self):
        """In constant memory: sendmail may not hold the message."""
        self.configure(message_size_limit="100000000", relayhost="[localhost]:1")
        path = os.path.join(self.tmp, "big")
        with open(path, "wb") as f:
            f.write(b"Subject: big\n\n")
            for _ in range(800):
                f.write(b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n" * 1024)
        limit = "" if harness.ASAN else "ulimit -S -d 4096; "
        argv = ["/bin/sh", "-c", limit + 'exec "$@"', "sh", harness.program("sendmail"), "-C", self.conf, "-odq"]
        with open(path, "rb") as f:
            p = subprocess.run(argv + ["you@example.net"], stdin=f, env=self.environ(), timeout=60 * harness.PATIENCE)
        self.assertEqual(p.returncode, 0)

    def test_hundred_thousand_recipients(self):
        self.configure(relayhost="[localhost]:1")
        people = ["person%d@example.net" % i for i in range(100000)]
        data = ("To: " + ",\n ".join(people) + "\n\nx\n").encode()
        self.sendmail("-odq", "-t", input=data)


if __name__ == "__main__":
    harness.main()
