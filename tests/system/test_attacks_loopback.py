"""Attacks: SMTP on loopback (inet_interfaces = loopback-only), which every program of the machine reaches, a web browser too. Gained: a
web page that sends mail; all places held by one user; mail by a user whom authorized_submit_users does not name."""
import subprocess

import attack
import harness

SESSION = b"EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<you@example.net>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"


class OtherProtocols(attack.Attack):
    """A browser, or a server that fetches addresses for others, is made to send a request whose body is SMTP."""

    def setUp(self):
        super().setUp()
        self.site()
        self.outpostd()

    def session(self, data):
        return self.mail("-bs", input=data, code=None).out

    def nothing_is_taken(self, data):
        out = self.session(data)
        self.assertNotIn("250 2.0.0", out)
        self.assertIn("421 ", out)
        self.assertEqual(self.relay_service.count(), 0)

    def test_http(self):
        for verb in (b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"get"):
            self.nothing_is_taken(verb + b" / HTTP/1.1\r\nHost: localhost:25\r\nContent-Length: 100\r\n\r\n" + SESSION)

    def test_after_a_few_unknown_commands(self):
        """Whatever protocol it is: TLS, FTP, Redis, a user's JSON."""
        self.nothing_is_taken(b"".join(b"X-%d: y\r\n" % i for i in range(8)) + SESSION)

    def test_a_field_of_http(self):
        self.nothing_is_taken(b"Host: localhost\r\n" + SESSION)

    def test_a_mistake_is_forgiven(self):
        self.assertIn("250 2.0.0", self.session(b"EHLO x\r\nXFOO\r\nBDAT\r\n" + SESSION))


class Places(attack.Attack):
    def setUp(self):
        super().setUp()
        self.site(inet_interfaces="loopback-only", authorized_submit_users="static:anyone")
        self.outpostd()
        if not self.log_lines("listen") and not self.answers():
            self.skipTest("no SMTP on loopback here (no sandbox)")

    def answers(self):
        try:
            harness.wait_for("port 25", lambda: self.smtp("QUIT\r\n").returncode == 0, 3)
            return True
        except harness.Timeout:
            return False

    def smtp(self, text, uid=attack.BOB, seconds=20 * harness.PATIENCE):
        """One session with port 25, to its end."""
        code = ("import socket,sys\ns=socket.create_connection(('127.0.0.1',25),timeout=%d)\ns.recv(1000)\ns.sendall(%r)\nout=b''\n"
                "while True:\n    p=s.recv(10000)\n    if not p: break\n    out+=p\nprint(out.decode())\n" % (seconds, text.encode()))
        return subprocess.run(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              preexec_fn=lambda: self.inside(uid), env=self.environ())

    def hold(self, n):
        code = ("import socket,time\nheld=[socket.create_connection(('127.0.0.1',25)) for _ in range(%d)]\nprint('held',flush=True)\n"
                "while True:\n    time.sleep(1)\n    for s in held:\n        try: s.send(b'NOOP\\r\\n')\n        except OSError: pass\n" % n)
        process = self.popen("/usr/bin/python3", "-c", code, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"held\n")

    def test_all_places_held_by_noops(self):
        self.hold(100)
        self.assertIn("250 2.0.0", self.smtp(SESSION.decode()).stdout)

    def test_authorized_submit_users(self):
        """Who is at the other end of a connection on loopback the kernel knows."""
        self.site(inet_interfaces="loopback-only", authorized_submit_users="bob", relay=False)
        self.type("outpost reload", code=None)
        self.assertIn("250 2.0.0", self.smtp(SESSION.decode(), uid=attack.BOB).stdout)
        self.assertNotIn("250 2.0.0", self.smtp(SESSION.decode(), uid=attack.MALLORY).stdout)

    def test_who_hangs_up_is_nobody(self):
        """All is sent at once, and the connection closed before outpostd looks whose it is."""
        self.site(inet_interfaces="loopback-only", authorized_submit_users="!mallory, static:anyone", relay=False)
        self.type("outpost reload", code=None)
        code = ("import socket\nfor _ in range(20):\n    s=socket.socket()\n    s.connect(('127.0.0.1',25))\n    s.sendall(%r)\n    s.close()\n" %
                SESSION)
        self.assertEqual(self.popen("/usr/bin/python3", "-c", code).wait(60), 0)
        self.assertIn("250 2.0.0", self.smtp(SESSION.decode(), uid=attack.BOB).stdout)
        self.assertEqual([line for line in self.log_lines("uid=") if "uid=%d" % attack.BOB not in line], [])


if __name__ == "__main__":
    harness.main()
