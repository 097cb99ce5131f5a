"""status, queue, test, metrics: the same reasons in each, and JSON of every listing."""
import json
import os
import re
import subprocess
import unittest

import harness

SECRET = harness.PASSWORD


def flusher_left(test):
    """What is queued from here on, no flusher that is still there takes along."""
    harness.wait_for("the flusher to leave", lambda: re.search(r"\]: done$", test.log_text().rstrip()), 20)


def json_lines(done):
    return [json.loads(line) for line in done.out.splitlines() if line.strip()]


class Reports(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def test_status_when_the_relay_is_down(self):
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        self.outpost("status", "--quiet")
        self.sendmail("-odq", "you@example.net")
        self.outpost("flush", code=75)
        done = self.outpost("status", code=75)
        self.assertRegex(done.out, r"DOWN for .*next try in")
        self.assertRegex(done.out, r"refused")
        self.assertRegex(done.out, r"next .*nothing listens at port")
        self.assertEqual(self.outpost("status", "--quiet", code=75).out, "")
        state = json.loads(self.outpost("status", "--json", code=75).out)
        self.assertEqual((state["queued"], state["relays"][0]["up"]), (1, False))

    def test_status_when_main_cf_names_no_relay(self):
        """A health check does not say that all is well while nothing can be sent."""
        relay = self.start_relay()
        for changes in ({"relayhost": None}, {"relayhost": "[localhost]:%d  # ours" % relay.starttls}):
            self.configure(relay, **changes)
            done = self.outpost("status", code=78)
            self.assertRegex(done.out, r"relay +.*relayhost")
            self.assertRegex(done.out, r"next +nothing can be sent before main\.cf is fixed")
            self.outpost("status", "--quiet", code=78)
            self.assertEqual(json.loads(self.outpost("status", "--json", code=78).out)["health"], 78)

    @unittest.skipUnless(os.geteuid() == 0, "needs a disk of its own")
    def test_status_when_the_disk_is_full(self):
        self.configure(self.start_relay())
        os.makedirs(self.queue_dir, mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", self.queue_dir], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.queue_dir])
        self.assertRegex(self.outpost("status", code=75).out, r"the disk of .* is full: new mail\s+is\s+refused")

    def test_status_when_all_is_well(self):
        self.configure(self.start_relay())
        self.sendmail("-odq", "you@example.net")
        self.outpost("flush")
        out = self.outpost("status").out
        self.assertRegex(out, r"relay .* up, last used")
        self.assertRegex(out, r"last day +1 sent, 0 failed")
        self.assertRegex(out, r"next +nothing to do")

    def test_test(self):
        relay = self.start_relay()
        self.configure(relay)
        self.assertRegex(self.outpost("test", "you@example.net").out, r"ok +sent .*250")
        message, = relay.wait_messages(1)
        self.assertEqual(message.recipients, ["you@example.net"])
        self.assertRegex(self.outpost("test", "reject@example.net", code=69).out, r"FAIL +refused")
        self.assertRegex(self.outpost("test", "tempfail@example.net", code=75).out, r"FAIL +waits")
        if os.geteuid() == 0:
            self.assertRegex(message.sender, r"^root@")     # whom a bounce reaches, and what check tried

    def test_test_greylisted(self):
        self.configure(self.start_relay(dialogue='when rcpt do reply "450 4.2.0 <you@example.net>: Recipient address rejected: Greylisted"\n'))
        done = self.outpost("test", "you@example.net", code=75)
        self.assertRegex(done.out, r"the relay asks to retry later")
        self.assertNotIn("check the recipient", done.out)

    def test_test_when_the_relay_was_down(self):
        port = harness.free_port()
        self.configure(relayhost="[localhost]:%d" % port)
        done = self.outpost("test", "you@example.net", code=75)
        self.assertRegex(done.out, r"refused")

    def test_test_when_another_relay_takes_it(self):
        """That the first one went down just now is no answer while the second is asked, however far away that is."""
        relay = self.start_relay("--rtt", "100", back=True)
        route = ["[localhost]:%d" % port for port in (harness.free_port(), relay.starttls)]
        self.configure(relay, relayhost=", ".join(route))
        self.write_secret("sasl_passwd", "".join("%s %s:%s\n" % (key, harness.USER, SECRET) for key in route))
        self.assertRegex(self.outpost("test", "you@example.net").out, r"ok +sent .*250")
        relay.stop()
        self.assertRegex(self.outpost("test", "you@example.net", code=75).out, r"FAIL +waits")

    def test_every_listing_has_json(self):
        """Each line is an object by itself; the same holds for check and test, whose steps are a listing too."""
        self.configure(self.start_relay(), raw="biff = no\nrelay_host = x\n")
        self.sendmail("-odq", "tempfail@example.net")
        (entry,) = json_lines(self.outpost("queue", "--json"))
        self.outpost("flush", code=75)
        for argv in (["queue"], ["queue", "--all"], ["show", entry["queue_id"]], ["log"], ["status"], ["check"],
                     ["check", "--offline"], ["test", "you@example.net"], ["config"], ["config", "--changed"],
                     ["config", "relayhost"]):
            with self.subTest(argv=argv):
                lines = json_lines(self.outpost(*argv, "--json"))
                self.assertTrue(lines)
                self.assertTrue(all(isinstance(line, dict) and line for line in lines))
                self.assertIn("--json", self.outpost(argv[0], "--help").out)

    def reasons(self):
        """Why each message waits: as the door says it (mailq), and as root's `outpost queue` says it without asking anybody."""
        told = [[[r.get("delay_reason", "") for r in e["recipients"]] for e in json_lines(listing)]
                for listing in (self.mailq("-j"), self.outpost("queue", "--json"))]
        self.assertEqual(told[0], told[1])
        return told[0]

    def test_queue_and_mailq_give_the_same_reasons(self):
        """Also of mail that was never tried, since its relay is down or main.cf names none; with a flusher or without."""
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        for _ in range(2):
            self.sendmail("-odq", "you@example.net")
        self.outpost("flush", code=75)
        flusher_left(self)
        self.sendmail("-odq", "later@example.net")
        self.outpost("queue")       # takes it in
        for _ in range(2):
            for reason in self.reasons():
                self.assertRegex(reason[0], r"Connection refused")
            if not self.outpostd_service:
                self.start_outpostd()
        self.outpostd_service.stop()
        self.outpost("delete", "--all")
        for lines, words in (({}, r"relayhost is not set: write relayhost = "), ({"relayhost": "[localhost:587"}, r"relayhost|\]")):
            self.configure(**lines)
            self.sendmail("-odq", "you@example.net", code=None)
            told = self.outpost("queue", "--json", code=None)
            if told.returncode == 0 and json_lines(told):
                self.assertRegex(json_lines(told)[0]["recipients"][0]["delay_reason"], words)
                self.start_outpostd()
                self.assertRegex(self.reasons()[0][0], words)
                self.outpostd_service.stop()
            else:
                self.assertRegex(told.err, words)

    def test_a_mended_relayhost_is_no_longer_held_against_the_mail(self):
        """The relay that main.cf named before was down; nothing speaks of it once main.cf names another."""
        wrong, relay = "[localhost]:%d" % harness.free_port(), self.start_relay()
        self.configure(relayhost=wrong)
        self.sendmail("-odq", "you@example.net")
        self.outpost("flush", code=75)
        self.configure(relay)
        self.outpost("hold", "--all")
        self.sendmail("-odq", "later@example.net")
        for words in (self.outpost("queue").out, self.mailq().out, self.outpost("status").out):
            self.assertNotIn(wrong, words)
            self.assertNotIn("refused", words)
        self.outpost("status", "--quiet")
        self.assertNotIn(wrong, self.outpost("metrics").out)
        self.assertNotIn("waits", self.outpost("test", "tempfail@example.net", code=75).out.replace("FAIL  waits", "", 1))
        self.outpost("delete", "--all")
        self.assertRegex(self.outpost("test", "you@example.net").out, "ok +sent")

    def test_queue_marks_what_is_being_delivered(self):
        relay = self.start_relay(dialogue="when eod do stall\n")
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("you@example.net")
        harness.wait_for("a star", lambda: re.search(r"(?m)^[0-9A-Z]+\* ", self.outpost("queue").out), 10)
        self.assertEqual(json_lines(self.outpost("queue", "--json"))[0]["queue_name"], "active")
        relay.kill()

    def test_metrics(self):
        self.configure(self.start_relay())
        self.sendmail("-odq", "you@example.net")
        out = self.outpost("metrics").out
        self.assertTrue(out.endswith("# EOF\n"))
        self.assertIn('outpost_messages{state="queued"} 1\n', out)
        self.assertIn('outpost_recipients_total{result="sent"} 0\n', out)
        for line in out.splitlines():
            self.assertRegex(line, r'^(# (TYPE|UNIT|HELP|EOF)|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?\d+$)')

    def test_metrics_are_openmetrics(self):
        """Families in one piece, TYPE, UNIT and HELP once each before the samples, names by type and unit, EOF last."""
        self.configure(self.start_relay())
        for to in ("you@example.net", "reject@example.net"):
            self.sendmail("-odq", to)
        self.outpost("flush")
        lines = self.outpost("metrics").out.split("\n")
        self.assertEqual(lines[-2:], ["# EOF", ""])
        seen, family, kind, samples = set(), None, None, 0
        for line in lines[:-2]:
            meta = re.fullmatch(r"# (TYPE|UNIT|HELP) (\w+) (.+)", line)
            if meta and meta[1] == "TYPE":
                family, kind, samples, told = meta[2], meta[3], 0, set()
                self.assertNotIn(family, seen)
                seen.add(family)
                self.assertIn(kind, ("gauge", "counter"))
                self.assertFalse(family.endswith("_total"))
            elif meta:
                self.assertEqual((meta[2], samples), (family, 0), line)
                self.assertNotIn(meta[1], told)
                told.add(meta[1])
                if meta[1] == "UNIT":
                    self.assertTrue(family.endswith("_" + meta[3]), line)
            else:
                sample = re.fullmatch(r'(\w+)(\{[a-z]+="(?:[^"\\]|\\["\\n])*"\})? \d+', line)
                self.assertTrue(sample, line)
                self.assertEqual(sample[1], family + ("_total" if kind == "counter" else ""))
                self.assertIn("HELP", told)
                samples += 1
        self.assertIn('outpost_recipients_total{result="sent"} 2', lines)  # the bounce is one
        self.assertIn('outpost_recipients_total{result="failed"} 1', lines)

    def test_usage(self):
        self.configure(self.start_relay())
        for argv in (["nonsense"], ["queue", "--nonsense"], ["show"], ["queue", "extra"], ["flush", "--quiet=3"]):
            done = self.outpost(*argv, code=64)
            self.assertRegex(done.err, r"^outpost: .*outpost.*help")
        help_text = self.outpost("help").out
        for name in re.findall(r"^  (\w+) ", help_text, re.M):
            self.assertIn("outpost " + name, self.outpost(name, "--help").out)
            for line in self.outpost(name, "--help").out.splitlines():
                self.assertLessEqual(len(line), 110, line)


if __name__ == "__main__":
    harness.main()
