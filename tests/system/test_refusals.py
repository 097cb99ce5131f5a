"""Whom a refusal is about: what becomes of the message, of the others, and of the relay, from the reply to the words on the screen."""
import json
import os
import re
import sqlite3

import harness

DAY_US = 86400 * 1000000
ME, OTHER = "me@example.com", "other@example.com"


class Refusals(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def relay(self, *rules, **params):
        relay = self.start_relay(dialogue="".join("when %s\n" % rule for rule in rules))
        self.configure(relay, **params)
        return relay

    def flush(self, code=75):
        return self.outpost("flush", code=code)

    def waiting(self):
        """(sender, reason) of each recipient that waits."""
        rows = [json.loads(line) for line in self.outpost("queue", "--json").out.splitlines()]
        return sorted((row["sender"], to.get("reason")) for row in rows for to in row["recipients"] if to["state"] == "queued")

    def down(self):
        """The reasons of relays that are down, as status and metrics say them."""
        relays = json.loads(self.outpost("status", "--json", code=None).out)["relays"]
        names = [r["reason"] for r in relays if not r["up"]]
        self.assertEqual(re.findall(r'outpost_relay_down\{.*reason="(.*)"\} 1', self.outpost("metrics").out), names)
        return names

    def change(self, *statements):
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"), timeout=10)
        with base:
            for statement in statements:
                base.execute(statement)
        base.close()

    def age(self, days, attempts=9):
        """As if all that waits had come so long ago, and had been tried so often; and the relay, if it is down, down since then."""
        self.change("UPDATE message SET arrival = arrival - %d" % (days * DAY_US),
                    "UPDATE recipient SET attempts = %d" % attempts,
                    "UPDATE relay SET down_since = down_since - %d WHERE down_since" % (days * DAY_US))

    # -- the sender

    def test_a_refused_sender_waits_and_others_go_on(self):
        relay = self.relay('mail arg~me@ do reply "553 5.7.1 <me@example.com>: Sender address rejected: not owned by user"')
        for sender in (ME, OTHER):
            self.sendmail("-odq", "-f", sender, "you@example.net")
        self.flush()
        self.assertEqual([m.sender for m in relay.messages()], [OTHER])
        self.assertEqual((self.waiting(), self.down()), ([(ME, "sender-refused")], []))
        id = json.loads(self.outpost("queue", "--json").out)["queue_id"]
        self.assertRegex(self.outpost("show", id).out, r"next +send as an address(.|\n)*from_address = ")
        self.assertIn("sender-refused", [json.loads(line).get("reason") for line in self.outpost("log", "--json").out.splitlines()])

    def test_a_refused_sender_is_told_in_the_end(self):
        """By a notice with the null sender, which the relay does not refuse."""
        relay = self.relay('mail arg~me@ do reply "550 5.7.60 Client does not have permissions to send as this sender"')
        self.sendmail("-odq", "-f", ME, "you@example.net")
        self.flush()
        self.age(6)
        self.flush(code=None)
        self.flush(code=0)
        notice, = relay.messages()
        self.assertEqual((notice.sender, notice.recipients), ("", [ME]))
        self.assertIn(b"permissions to send as", notice.data)

    # -- a refusal for no clear reason

    def test_an_unclear_refusal_waits_first(self):
        relay = self.relay('rcpt arg~you@ do reply "550 5.7.1 Access denied"')
        self.sendmail("-odq", "-f", ME, "you@example.net")
        for _ in range(4):
            self.flush()
        self.assertEqual((self.waiting(), self.down(), relay.count()), ([(ME, "refused-unclear")], [], 0))
        self.age(1, attempts=4)
        self.flush()
        self.assertEqual(self.waiting(), [(ME, "refused-unclear")], "no other mail went through")

    def test_an_unclear_refusal_is_final_while_others_go(self):
        relay = self.relay('rcpt arg~you@ do reply "550 5.7.1 Access denied"')
        service = self.start_outpostd()
        self.sendmail("-f", ME, "you@example.net")
        self.wait_log("status=deferred .*Access denied")
        service.stop()
        self.age(1, attempts=2)
        self.start_outpostd()
        self.sendmail("-f", OTHER, "them@example.net")
        relay.wait_messages(1)
        self.flush(code=None)
        self.wait_log(r"dsn=5\.7\.1, status=bounced .*Access denied")

    def test_a_clear_refusal_fails_at_once(self):
        self.relay('rcpt arg~you@ do reply "550 5.1.1 <you@example.net>: Recipient address rejected: User unknown"')
        self.sendmail("-odq", "-f", ME, "you@example.net")
        self.flush(code=0)
        failed = json.loads(self.outpost("queue", "--failed", "--json").out)
        self.assertEqual(failed["recipients"][0]["reason"], "recipient-unknown")

    # -- this machine, its account

    def stays(self, rule, reason, hint):
        """The relay is down until an administrator acts; what waits does not age; the hint names the subject."""
        relay = self.relay(rule)
        self.sendmail("-odq", "-f", ME, "you@example.net")
        done = self.flush()
        self.assertRegex(done.err, hint)
        self.assertEqual(self.down(), [reason])
        self.assertEqual(len(self.waiting()), 1)
        self.age(10)
        self.flush()
        self.assertEqual((self.down(), len(self.waiting()), relay.count()), ([reason], 1, 0))
        self.assertFalse(self.log_lines("status=(bounced|expired)"))
        self.assertTrue(self.log_lines("is down, its mail waits"))

    def test_a_block_list(self):
        self.stays('rcpt do reply "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example.org"',
                   "client-blocked", "block list")

    def test_a_helo_name(self):
        self.stays('rcpt do reply "504 5.5.2 <client>: Helo command rejected: need fully-qualified hostname"', "helo-refused",
                   "smtp_helo_name = ")

    def test_an_account(self):
        self.stays('eod do reply "554 5.7.1 Sending suspended for this account"', "account-suspended", "ask there why")

    def test_relaying(self):
        self.stays('rcpt do reply "554 5.7.1 <you@example.net>: Relay access denied"', "relaying-denied", "other domains")

    def test_a_quota(self):
        """It passes by itself: the relay pauses."""
        relay = self.relay('mail total=1 do reply "550 5.4.5 Daily user sending limit exceeded"')
        self.sendmail("-odq", "-f", ME, "you@example.net")
        self.assertRegex(self.flush().err, "higher limit")
        self.assertEqual((self.down(), self.waiting()), (["rate-limited"], [(ME, "rate-limited")]))
        self.flush(code=0)
        self.assertEqual(relay.count(), 1)


if __name__ == "__main__":
    harness.main()
