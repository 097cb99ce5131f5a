"""Attacks: mail that is accepted and can never be sent. Mallory's program is told that all is well; gained: messages that wait until
they expire and are tried again and again meanwhile."""
import attack
import harness


class Unsendable(attack.Attack):
    def fate(self, body, *args, dialogue=None, **params):
        """Refused, or failed at once with a notification: never left to wait, and never anybody else's trouble."""
        self.site(relay=not dialogue, **params)
        if dialogue:
            self.relay_service = self.relay(password=attack.SECRET, dialogue=dialogue)
        self.outpostd()
        done = self.mail(*(args or ("-f", "mallory@example.com", "you@example.net")), uid=attack.MALLORY, input=body, code=None)
        if done.returncode == 0:
            harness.wait_for("a verdict", lambda: self.log_lines(r"status=(bounced|sent)|(status=deferred|can.t be|no room)"))
            self.assertEqual(self.log_lines("status=deferred|no room|is down|out of memory"), [])
        else:
            self.assertNotEqual(done.returncode, 75, done.out)
            self.assertRegex(done.out, "header|address")
        self.mail("you@example.net")
        harness.wait_for("Bob's mail", lambda: any("bob@" in str(m.sender) for m in self.relay_service.messages()))

    def test_header_that_grows(self):
        """Each bare name is completed with myorigin, which makes of four megabytes many more."""
        line = b"To: " + b"a,\n " * 200000 + b"b\n"
        self.fate(b"Subject: x\n" + line * 5 + b"\nx\n")

    def test_one_field_that_grows(self):
        self.fate(b"Subject: x\nTo: " + b"a," * 520000 + b"b\n\nx\n", myorigin="a-rather-long-name-of-a-domain.example.com")

    def test_just_below_the_limit(self):
        """What is accepted at its largest is handed over as a whole."""
        self.fate(b"Subject: x\nTo: " + b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa,\n " * 120000 + b"b\n\nx\n", myorigin="example.com")
        self.assertTrue(self.log_lines("status=sent"))

    def test_a_part_that_has_no_end(self):
        """For a relay that wants seven bits."""
        self.fate(b"Subject: \xc3\xa4\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX: " +
                  (b"\xc3\xa4" * 30 + b"\n ") * 150000 + b"\n\nx\n--b--\n",
                  dialogue='when ehlo do reply "250-relay.test" "250-AUTH PLAIN LOGIN" "250-STARTTLS" "250 SIZE"\n')

    def test_a_long_address(self):
        """As long as one may be, and then completed."""
        self.fate(attack.LETTER, "-f", "a" * 1023, "b" * 1000, "c" * 1000 + "@example.net")


if __name__ == "__main__":
    harness.main()
