"""sendmail -bs: SMTP on standard input and output; and the rights of users at the door."""
import os
import smtplib
import socket
import subprocess

import harness

NOBODY = 65534


class Session(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        self.configure(self.relay)
        self.start_outpostd()

    def talk(self, text, code=0, **options):
        """All at once, as a pipelining client: the replies."""
        done = self.sendmail("-bs", input=text, code=code, **options)
        self.assertEqual(done.err, "")
        for line in done.out.split("\r\n")[:-1]:
            self.assertRegex(line, r"^\d\d\d[ -]")
        return [line for line in done.out.split("\r\n")[:-1] if line[3] == " "]

    def codes(self, text, **options):
        return [line[:3] for line in self.talk(text, **options)]

    def test_pipelined(self):
        replies = self.talk(b"EHLO me\r\nMAIL FROM:<a@example.org> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=e+2B1\r\n"
                            b"RCPT TO:<b@example.net> NOTIFY=NEVER ORCPT=rfc822;x@y\r\nRCPT TO:root\r\nDATA\r\n"
                            b"Subject: x\r\n\r\n..dot\r\n.two\r\n\xc3\xa4\r\n.\r\nQUIT\r\n")
        self.assertEqual([r[:3] for r in replies], ["220", "250", "250", "250", "250", "354", "250", "221"])
        m, = self.relay.wait_messages(1)
        self.assertEqual((m.sender, sorted(m.recipients)), ("a@example.org", ["b@example.net", "root@example.com"]))
        self.assertEqual(m.body, b".dot\ntwo\n\xc3\xa4\n")
        self.assertEqual(m.header("From"), "a@example.org")
        self.assertRegex(m.header("Received"), r"^from me\s+by client\.example\.com \(outpost, SMTP from userid 0\)")
        self.assertEqual(m.header("Content-Transfer-Encoding"), "8bit")

    def test_lines_that_end_in_lf(self):
        self.assertEqual(self.codes(b"HELO me\nMAIL FROM:<>\nRCPT TO: <b@example.net>\nDATA\nSubject: x\n\nhello\n.\n"
                                    b"MAIL FROM:a@example.org\nRCPT TO:c@example.net\nDATA\n\nsecond\n.\nQUIT\n"),
                         ["220", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221"])
        bodies = sorted(m.body for m in self.relay.wait_messages(2))
        self.assertEqual(bodies, [b"hello\n", b"second\n"])

    def test_what_is_refused(self):
        self.assertEqual(self.codes(b"EHLO\r\nVRFY root\r\nEXPN x\r\nRCPT TO:<a@b.example>\r\nDATA\r\nMAIL FROM:<a b>\r\n"
                                    b"MAIL FROM:<a@b.example> FOO=1\r\nMAIL FROM:<a@b.example> SIZE=99999999999\r\n"
                                    b"MAIL FROM:<a@b.example>\r\nMAIL FROM:<c@d.example>\r\nRCPT TO:<>\r\nRCPT TO:<a@@b>\r\n"
                                    b"RCPT TO:<a@b.example'>\r\nRCPT TO:<a@b.example?subject=x>\r\n"
                                    b"RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY\r\nDATA\r\nRSET\r\nSTARTTLS\r\n\r\nQUIT\r\n"),
                         ["220", "250", "502", "502", "503", "503", "553", "555", "552", "250", "503", "553", "553", "553", "553", "501",
                          "503", "250", "500", "500", "221"])
        self.assertEqual(self.relay.count(), 0)

    def test_too_many_mistakes(self):
        self.assertEqual(self.codes(b"FOO\r\n" * 50, code=76), ["220"] + ["500"] * 5 + ["421"])
        self.assertEqual(self.codes(b"RCPT\r\n" * 50, code=76), ["220"] + ["503"] * 20 + ["421"])
        self.assertEqual(self.codes(b"NOOP\r\nRSET\r\n" * 100, code=76), ["220"] + ["250"] * 120 + ["421"])

    def test_too_long(self):
        self.assertEqual(self.codes(b"EHLO " + b"x" * 10000 + b"\r\n", code=76), ["220", "421"])
        self.configure(self.relay, message_size_limit="100000")
        self.outpostd_service.signal(1)
        codes = self.codes(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n\r\n" + b"x" * 70 * 3000 +
                           b"\r\n.\r\nQUIT\r\n")
        self.assertEqual(codes, ["220", "250", "250", "354", "552", "221"])

    def test_cut_off(self):
        self.assertEqual(self.codes(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nhalf a mess"),
                         ["220", "250", "250", "354"])
        self.assertEqual(self.codes(b""), ["220"])
        self.wait_queue_empty()

    def test_time_out(self):
        """A command line has its time as a whole: a byte now and then does not stretch it."""
        if harness.ASAN:
            self.skipTest("a library can't be preloaded into a build with sanitizers")
        library, clock = os.path.join(self.tmp, "stepclock.so"), os.path.join(self.tmp, "clock")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(harness.SRC, "tests/system/stepclock.c")], check=True)
        with open(clock, "wb") as f:
            f.write(bytes(8))
        p = subprocess.Popen([harness.program("sendmail"), "-C", self.conf, "-bs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env=self.environ({"LD_PRELOAD": library, "OUTPOST_MONOTONIC": clock}))
        self.assertEqual(p.stdout.readline()[:4], b"220 ")
        p.stdin.write(b"NOOP\r\nMAIL FR")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline()[:4], b"250 ")
        with open(clock, "r+b") as f:
            f.write((301).to_bytes(8, "little"))
        p.stdin.write(b"O")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), b"421 4.4.2 time-out\r\n")
        self.assertEqual(p.wait(20 * harness.PATIENCE), 76)
        p.stdin.close()
        p.stdout.close()

    def test_smtplib(self):
        """A client that waits for each reply, over a socket."""
        ours, theirs = socket.socketpair()
        p = subprocess.Popen([harness.program("sendmail"), "-C", self.conf, "-bs"], stdin=theirs, stdout=theirs,
                             env=self.environ())
        theirs.close()
        client = smtplib.SMTP()
        client.sock, client.file = ours, None
        self.assertEqual(client.getreply()[0], 220)
        for i in range(3):
            client.sendmail("a@example.org", ["b@example.net"], "Subject: %d\r\n\r\n.\r\n.hello\r\n" % i)
        client.quit()
        self.assertEqual(p.wait(20 * harness.PATIENCE), 0)
        self.assertEqual([m.body for m in self.relay.wait_messages(3)], [b".\n.hello\n"] * 3)


class Listener(harness.SystemTest):
    """SMTP on loopback: each connection gets a sendmail -bs of its own, in a sandbox."""
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def go(self, address="127.0.0.1", **params):
        self.relay = self.start_relay()
        self.configure(self.relay, **params)
        listener = socket.create_server((address, 0))
        self.addCleanup(listener.close)
        fd = listener.fileno()
        self.outpostd_service = self.start("/bin/sh", "-c", 'exec 3<&%d; export LISTEN_PID=$$; exec "$0" "$@"' % fd, harness.program("outpostd"),
                   "-C", self.conf, "-f", env={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}, pass_fds=(fd,))
        harness.wait_for("the door", self.door_answers)
        return listener.getsockname()[1]

    def sandboxed(self):
        done = self.run_program("sendmail", "-C", self.conf, "-bs", "--sandbox-probe", code=None)
        if done.returncode:
            self.skipTest("no Landlock here (or a build with sanitizers)")

    def test_mail_by_smtp(self):
        self.configure()
        self.sandboxed()
        port = self.go(inet_interfaces="loopback-only")
        for n in range(2):
            with smtplib.SMTP("127.0.0.1", port, timeout=20 * harness.PATIENCE) as client:
                for i in range(2):
                    client.sendmail("a@example.org", ["b@example.net"], "Subject: %d\r\n\r\n%s\r\n" % (i, "x" * 70 * 2000))
        self.assertEqual(len(self.relay.wait_messages(4)), 4)

    def test_many_connections(self):
        self.configure()
        self.sandboxed()
        port = self.go(inet_interfaces="loopback-only")
        clients = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(25)]
        greetings = [c.recv(3) for c in clients]
        self.assertEqual((greetings.count(b"220"), greetings.count(b"421")), (20, 5))
        for c in clients:
            c.close()

        def again():
            with socket.create_connection(("127.0.0.1", port), 20) as c:
                return c.recv(3) == b"220"
        harness.wait_for("a free place", again)

    def test_off(self):
        """Not wanted: the socket that is passed is not served, where inet_interfaces names another address."""
        port = self.go(inet_interfaces="192.0.2.1")
        with socket.create_connection(("127.0.0.1", port), 5) as c:
            c.settimeout(0.5)
            self.assertRaises(TimeoutError, c.recv, 1)
        self.wait_log("inet_interfaces is not loopback-only")

    def test_switched_on_and_off(self):
        self.configure()
        self.sandboxed()
        port = self.go(inet_interfaces="192.0.2.1")
        pid = self.outpostd_service.pid
        for n in range(2):
            self.configure(self.relay, inet_interfaces="loopback-only")
            os.kill(pid, 1)
            harness.wait_for("the listener", lambda n=n: len(self.log_lines("SMTP on loopback begins")) == n + 1)
            with smtplib.SMTP("127.0.0.1", port, timeout=20 * harness.PATIENCE) as client:
                client.sendmail("a@example.org", ["b@example.net"], "Subject: x\r\n\r\nx\r\n")
            self.relay.wait_messages(n + 1)
            self.configure(self.relay, inet_interfaces="192.0.2.1")
            os.kill(pid, 1)
            harness.wait_for("its end", lambda n=n: len(self.log_lines("SMTP on loopback ends")) == n + 1)

    def test_never_beyond_this_host(self):
        self.go(address="0.0.0.0", inet_interfaces="loopback-only")
        self.wait_log("not on loopback")


class Rights(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root, to be somebody else")

    def go(self, **params):
        self.relay = self.start_relay()
        door = os.path.join(self.tmp, "door")
        self.configure(self.relay, door_socket=door, **params)
        self.start_outpostd(wait=False)
        harness.wait_for("the door", lambda: self.door_answers(door))

    def as_nobody(self, *args, **options):
        return self.sendmail(*args, "you@example.net", user=NOBODY, group=NOBODY, extra_groups=[], **options)

    def test_anybody_may_set_the_sender(self):
        self.go()
        self.as_nobody("-f", "boss@example.org")
        m, = self.relay.wait_messages(1)
        self.assertEqual(m.sender, "boss@example.org")
        self.assertIn("userid %d" % NOBODY, m.header("Received"))
        self.assertTrue(self.log_lines(r"pickup.*uid=%d from=<boss@example\.org>" % NOBODY))

    def test_authorized_submit_users(self):
        self.go(authorized_submit_users="!nobody, static:anyone")
        done = self.as_nobody(code=77)
        self.assertEqual(done.err, "sendmail: authorized_submit_users does not name you\n")
        self.sendmail("you@example.net")
        self.relay.wait_messages(1)



if __name__ == "__main__":
    harness.main()
