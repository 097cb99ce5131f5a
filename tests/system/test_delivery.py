"""What a delivery looks like at the relay and in the log: each message of a window counted, addresses beyond ASCII."""
import re

import harness


class Delivery(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def test_every_message_in_a_window_is_counted(self):
        relay = self.start_relay("--rtt", "20")
        self.configure(relay, smtp_destination_concurrency_limit="1")
        for i in range(30):
            self.sendmail("-odq", "r%d@example.net" % i)
        self.outpost("flush")
        self.assertEqual(relay.count(), 30)
        lines = self.log_lines(r"status=sent")
        uses = [int(n) for line in lines for n in re.findall(r"conn_use=(\d+)", line) or ["1"]]
        connections = relay.counters()["connections"]
        self.assertEqual(sorted(uses), list(range(1, 31)), "on %d connections" % connections)

    def connections_for(self, messages, **params):
        relay = self.start_relay("--rtt", "40")
        self.configure(relay, **params)
        for i in range(messages):
            self.sendmail("-odq", "r%d@example.net" % i)
        self.outpost("flush")
        self.assertEqual(relay.count(), messages)
        return relay.counters()["connections_max"]

    def test_a_backlog_opens_more_connections(self):
        """Two in flight on a line of 40 ms: a second and more of full windows."""
        self.assertEqual(self.connections_for(120, smtp_pipeline_window="2"), 3)

    def test_a_few_messages_share_one_connection(self):
        self.assertEqual(self.connections_for(20), 1)

    def test_a_rate_fills_nobody(self):
        self.assertEqual(self.connections_for(4, smtp_destination_rate_delay="1s"), 1)


    def test_what_was_learnt_serves_the_next(self):
        """A limit of recipients, learnt by one agent, is kept by the next, in another life of outpostd, too."""
        relay = self.start_relay("--max-rcpts", "3")
        self.configure(relay)
        refusals = []
        for _ in range(2):
            self.sendmail("-odq", *["r%d@example.net" % i for i in range(8)])
            self.outpost("flush")
            with open(relay.commands, encoding="utf-8") as f:
                refusals.append(f.read().count(" S: 452 "))
        self.assertGreater(refusals[0], 0)
        self.assertEqual(refusals[1], refusals[0], "it was asked for again")
        self.assertEqual(sum(len(m.recipients) for m in relay.messages()), 16)


class BeyondAscii(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def deliver(self, *args, flags=()):
        relay = self.start_relay(*flags)
        self.configure(relay)
        self.sendmail("-odq", *args)
        self.outpost("flush", code=None)
        return relay

    def test_a_local_part_where_the_relay_has_smtputf8(self):
        relay = self.deliver("-f", "s@example.com", "jürgen@example.net")
        message, = relay.messages()
        self.assertEqual(message.recipients, ["jürgen@example.net"])
        self.assertTrue(self.log_lines(r"to=<jürgen@example\.net>.*status=sent"))

    def test_a_sender_where_the_relay_has_smtputf8(self):
        relay = self.deliver("-f", "jürgen@example.com", "r@example.net")
        message, = relay.messages()
        self.assertEqual(message.sender, "jürgen@example.com")

    def test_a_domain_becomes_a_labels_without_smtputf8(self):
        relay = self.deliver("-f", "s@bücher.example", "r@münchen.example", flags=("--no-ext", "SMTPUTF8"))
        message, = relay.messages()
        self.assertEqual((message.sender, message.recipients), ("s@xn--bcher-kva.example", ["r@xn--mnchen-3ya.example"]))

    def test_a_local_part_without_smtputf8_is_refused_and_the_others_go(self):
        relay = self.deliver("-f", "s@example.com", "jürgen@example.net", "r@example.net", flags=("--no-ext", "SMTPUTF8"))
        self.assertTrue(self.log_lines(r"to=<jürgen@example\.net>.*dsn=5\.6\.7, status=bounced .*SMTPUTF8"))
        self.assertTrue(self.log_lines(r"to=<r@example\.net>.*status=sent"))
        bounce = [m for m in relay.messages() if m.sender == ""]
        self.assertEqual([m.recipients for m in relay.messages() if m.sender], [["r@example.net"]])
        self.assertEqual(len(bounce), 1, "its sender is told")
        self.assertIn(b"5.6.7", bounce[0].body)

    def test_raw_text_in_the_header(self):
        """Without an address that needs it SMTPUTF8 is not asked for: raw text passes as it came, or as RFC 2047 words where the
        relay is of seven bits. Nothing is refused for it."""
        letter = "Subject: Grüße aus Köln\n\nGrüße\n".encode()
        for words, flags in (("all", ()), ("no SMTPUTF8", ("--no-ext", "SMTPUTF8")), ("seven bits", ("--no-ext", "SMTPUTF8,8BITMIME"))):
            with self.subTest(words):
                relay = self.start_relay(*flags, name=words.replace(" ", "-"))
                self.configure(relay)
                self.sendmail("-odq", "-f", "s@example.com", "r@example.net", input=letter)
                self.outpost("flush")
                message, = relay.messages()
                with open(relay.commands, encoding="utf-8") as f:
                    mail = re.search(r"MAIL FROM:.*", f.read()).group(0)
                self.assertNotIn("SMTPUTF8", mail)
                self.assertEqual("BODY=8BITMIME" in mail, words != "seven bits")
                if words == "seven bits":
                    self.assertTrue(message.wire.isascii())
                    self.assertEqual(str(message.parsed["Subject"]), "Grüße aus Köln")
                else:
                    self.assertIn("Subject: Grüße aus Köln\r\n".encode(), message.wire)


if __name__ == "__main__":
    harness.main()
