"""hold, release, delete, retry, export: by the running outpostd and without one."""
import json
import re

import harness


def json_lines(done):
    return [json.loads(line) for line in done.out.splitlines() if line.strip()]


class Edits(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        self.configure(self.relay)

    def queue_some(self, n=3):
        for i in range(n):
            self.sendmail("-odq", "-f", "s%d@example.com" % i, "you@example.net")
        entries = {e["sender"]: e["queue_id"] for e in json_lines(self.outpost("queue", "--json"))}
        self.assertEqual(len(entries), n)
        return [entries["s%d@example.com" % i] for i in range(n)]

    def edits(self):
        ids = self.queue_some()
        self.assertRegex(self.outpost("hold", ids[0]).out, "1 message held")
        self.assertEqual(self.outpost("hold", ids[0], code=None).returncode != 0, True, "held twice")
        held = json_lines(self.outpost("queue", "--held", "--json"))
        self.assertEqual([e["queue_id"] for e in held], [ids[0]])
        self.assertRegex(self.outpost("delete", ids[1]).out, "1 message deleted")
        self.assertRegex(self.outpost("delete", ids[1], code=65).err, "no message|not there|not in a state")
        self.assertRegex(self.outpost("delete", ids[2][:-1], code=65).err, "whole")
        self.assertIn(ids[2], self.outpost("show", ids[2][:-1], code=None).out or ids[2])
        self.outpost("flush")
        message, = self.relay.wait_messages(1)
        self.assertEqual(message.sender, "s2@example.com")
        self.assertRegex(self.outpost("release", "--all").out, "1 message released")
        self.outpost("flush")
        self.relay.wait_messages(2)
        self.assertRegex(self.outpost("log", "--event", "held").out, ids[0])
        self.assertRegex(self.outpost("log", ids[0]).out, r"%s sent <" % ids[0])
        self.assertIn("--event is one of: queued sent", self.outpost("log", "--event", "Sent", code=64).err)
        self.assertIn("outpost log -r 'a@example.net'", self.outpost("log", "a@example.net", code=64).err)
        self.assertIn('no command "stauts"', self.outpost("help", "stauts", code=64).err)
        self.assertIn("no message ABC in the history, which is kept for 7d", self.outpost("log", "ABC", code=65).err)

    def test_by_the_running_outpostd(self):
        self.start_outpostd()
        self.edits()

    def test_by_oneself(self):
        self.edits()

    def test_filters(self):
        self.queue_some()
        self.assertRegex(self.outpost("delete", "--sender", "s1@example.com").out, "1 message deleted")
        self.assertRegex(self.outpost("hold", "--older-than", "1h").out, "0 messages held")
        self.assertRegex(self.outpost("hold", "--user", "0").out, "2 messages held")
        self.assertRegex(self.outpost("delete", "--user", "nobody").out, "0 messages deleted")
        self.outpost("delete", code=64)
        self.outpost("delete", "ABC", "--all", code=64)

    def test_export(self):
        a, _, c = self.queue_some()
        mbox = self.outpost("export", "--all").out
        self.assertEqual(mbox.count("\nSubject: test\n"), 3)
        self.assertEqual(len(re.findall(r"^From s\d@example\.com ", mbox, re.M)), 3)
        text = self.outpost("show", "--raw", a).out
        self.assertIn("id %s;" % a, text)
        self.assertTrue(text.endswith("\n\nhello\n"), text)
        self.assertIn("hello", self.outpost("show", "--body", c).out)

    def test_mbox_quotes_from_lines(self):
        self.sendmail("-odq", "you@example.net", input=b"Subject: x\n\nFrom me\n>From you\nfrom no\n")
        self.assertIn("\n\n>From me\n>>From you\nfrom no\n", self.outpost("export", "--all").out)

    def test_failed_ones_stay_and_can_be_sent_again(self):
        self.sendmail("-odq", "-f", "me@example.com", "reject@example.net")
        self.outpost("flush")
        failed, = json_lines(self.outpost("queue", "--failed", "--json"))
        self.assertEqual(failed["queue_name"], "failed")
        self.assertRegex(self.outpost("show", failed["queue_id"]).out, r"550 5\.1\.1")
        self.outpost("retry", failed["queue_id"])
        self.outpost("flush")
        self.assertEqual(len(self.log_lines(r"%s: to=.*status=bounced" % failed["queue_id"])), 2)


if __name__ == "__main__":
    harness.main()
