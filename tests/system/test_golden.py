"""Each screen of outpost at 80 columns, as it was when somebody looked at it and found it good: tests/system/golden/.
What changes from run to run (ids, times, ports, places) is replaced by words. OUTPOST_GOLDEN=write writes them anew."""
import difflib
import os
import re

import harness

PLACE = os.path.join(harness.SRC, "tests", "system", "golden")


class Golden(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def plain(self, text):
        for what, word in self.places:
            text = text.replace(what, word)
        for pattern, word in ((r"\b[0-9A-F]{10,14}\b", "QUEUEID"), (r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE"),
                              (r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d", "DAY MON DD HH:MM:SS"), (r" +\d+ ms", " N ms"),
                              (r"(?<=\s)\d+ (s|min|h|d)\b( \d+ (s|min|h))?", "TIME"), (r":\d{4,5}\b", ":PORT"), (r"port \d{4,5}\b", "port PORT"),
                              (r"\d{2}[A-Z0-9]{3,}@client", "ID@client"), (r"version [\d.]+", "version N"), (r"localhost\[::1\], ", ""),
                              (r"^outpost \d+\.\d+\.\d+", "outpost N"),
                              (r"<\S+@client\.", "<ID@client."), (r"\w{3}, \d+ \w{3} \d{4} [\d:]+ \+0000", "RFCDATE"),
                              (r"TLSv1\.3 with cipher[^;]*;", "TLSv1.3 with cipher ...;"),
                              (r"(?m)(QUEUEID[ !#*]+)\d+ (?=DAY)", r"\1SIZE "), (r"\d+ bytes", "N bytes"),
                              (r"-- \d+ Kbytes", "-- N Kbytes"), (r"_seconds(\{[^}]*\})? \d{2,}", r"_seconds\1 N"),
                              (r"_bytes \d{2,}", "_bytes N")):
            text = re.sub(pattern, word, text)
        return text

    def screen(self, name, *args, code=0):
        done = self.outpost(*args, code=code, env={"COLUMNS": "80"})
        text = "$ outpost %s\n%s%s[%d]\n" % (" ".join(args), done.out, done.err, done.returncode)
        for line in text.splitlines():
            if len(line) > 80 and not re.match(r" {8}(-->| {3})|\(|#|outpost: .*", line):
                self.too_wide.append(line)
        text = self.plain(text)
        path = os.path.join(PLACE, name)
        if os.environ.get("OUTPOST_GOLDEN") == "write":
            with open(path, "w") as f:
                f.write(text)
            return
        with open(path) as f:
            want = f.read()
        if len(self.tmp) != len("/tmp/outpost-test-12345678"):     # another place wraps in other places
            want, text = (re.sub(r"\s+", " ", t) for t in (want, text))
        if text != want:
            self.different.append("".join(difflib.unified_diff(want.splitlines(True), text.splitlines(True), name, "now")))

    def test_screens(self):
        self.different, self.too_wide = [], []
        relay = self.start_relay(dialogue='when rcpt arg~refused do reply "550 5.1.1 <refused@example.net>: no such user"\n'
                                          'when rcpt arg~later do reply "450 4.2.0 <later@example.net>: come back later"\n')
        self.configure(relay)
        self.places = ((self.tmp, "/TMP"),)
        self.screen("help", "help")
        for name in ("status", "queue", "flush", "check", "show", "log", "hold", "test", "config", "metrics", "import", "export"):
            self.screen("help-" + name, name, "--help")
        self.screen("status-new", "status")
        self.screen("check-well", "check")
        self.screen("queue-empty", "queue")
        self.start_outpostd()
        for to in ("you@example.net", "refused@example.net", "later@example.net"):
            self.sendmail("-odq", "-f", "me@example.com", to)
        self.screen("flush-deferred", "flush", code=75)
        self.sendmail("-odq", "-f", "me@example.com", "held@example.net")
        held = [e for e in self.queue() if e["recipients"][0]["address"] == "held@example.net"][0]["queue_id"]
        later = [e for e in self.queue() if e["recipients"][0]["address"] == "later@example.net"][0]["queue_id"]
        self.screen("hold", "hold", held)
        self.screen("queue-some", "queue", "--all")
        self.screen("queue-held", "queue", "--held")
        self.screen("show", "show", later)
        self.screen("log", "log")
        self.screen("status-some", "status")
        self.screen("delete-gone", "delete", "ABCDEF012345", code=65)
        self.screen("delete-all", "delete", "--all")
        self.screen("test-sent", "test", "you@example.net")
        self.screen("test-refused", "test", "refused@example.net", code=69)
        self.outpostd_service.stop()
        relay.stop()
        self.sendmail("-odq", "-f", "me@example.com", "you@example.net")
        self.screen("flush-down", "flush", code=75)
        self.wait_log(r"outpostd\[\d+\]: done", count=2)       # the flusher that flush started has left
        self.screen("status-down", "status", code=75)
        self.screen("check-down", "check", code=75)
        self.configure(relayhost="mail.example.com:587", raw="relay_host = x\nbiff = no\n", myorigin="host.localdomain")
        self.screen("check-mistakes", "check", "--offline")
        self.assertEqual(self.too_wide, [], "wider than 80 columns")
        self.assertEqual(self.different, [], "\n".join(self.different))


if __name__ == "__main__":
    harness.main()
