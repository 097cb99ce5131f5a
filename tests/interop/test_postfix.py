"""Postfix with Dovecot's SASL as the relay: 587 with STARTTLS, 465, and every mechanism Dovecot has."""
import exchange
import harness
import servers

REFUSE = "smtpd_recipient_restrictions = check_recipient_access inline:{refused@example.net=REJECT}\n"


class Postfix(exchange.Exchange):
    flies = True

    def start_server(self):
        return servers.Postfix(self, extra=REFUSE)

    def test_one_bad_recipient_among_good_ones(self):
        self.relayhost()
        self.submit("mixed", b"x\n", "", ["one@example.net", self.refuses, "two@example.net"])
        self.flush()
        copies = self.server.wait_delivered(2)
        self.assertEqual(sorted(c.recipient for c in copies), ["one@example.net", "two@example.net"])
        self.assertEqual(len(self.log_lines(r"status=sent")), 2)
        self.assertEqual(len(self.log_lines(r"status=bounced")), 1)


class Mechanisms(harness.SystemTest):
    needs = exchange.Exchange.needs
    password = 'p"ä ss\\w=:ord, ,'

    def test_each(self):
        server = servers.Postfix(self, users={"anna": self.password.replace(":", "_")})
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"):
            with self.subTest(mechanism):
                before = len(server.delivered())
                self.configure(None, relayhost="[localhost]:%d" % server.starttls, user="anna",
                               password=self.password.replace(":", "_"), smtp_sasl_mechanism_filter=mechanism)
                self.sendmail("-odq", "-f", "a@example.com", "b@example.net")
                self.outpost("flush")
                server.wait_delivered(before + 1)
                harness.wait_for("Postfix's log", lambda m=mechanism: "sasl_method=" + m in server.log_text())

    def test_wrong_password_with_each(self):
        server = servers.Postfix(self)
        for mechanism in ("PLAIN", "CRAM-MD5", "SCRAM-SHA-256"):
            with self.subTest(mechanism):
                self.configure(None, relayhost="[localhost]:%d" % server.starttls, password="no" + mechanism,
                               smtp_sasl_mechanism_filter=mechanism)
                self.sendmail("-odq", "-f", "a@example.com", "b@example.net")
                self.outpost("flush", code=75)
        self.assertEqual(server.delivered(), [])
        self.assertEqual(len(self.queue()), 3)


if __name__ == "__main__":
    harness.main()
