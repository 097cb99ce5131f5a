"""What smtp/replies.def makes of relays' replies: of 357 real ones of 73 providers (tests/data/replies.json), and of invented ones
that the table had not seen when they were written (tests/data/replies_invented.json)."""
import json
import os
import re
import subprocess
import unittest

import harness

CAUSES = {
    "login": {"login-failed", "login-no-mechanism", "login-required", "login-encoding", "login-disabled"},
    "apppass": {"login-app-password"},
    "oauth": {"login-oauth2"},
    "tls": {"tls-required"},
    "relay": {"relaying-denied", "login-required"},
    "ip": {"client-blocked", "helo-refused", "session-refused"},
    "account": {"account-suspended", "login-disabled", "rate-limited", "session-refused"},
    "sender": {"sender-refused", "sender-unverified", "sender-invalid"},
}


def replies(name):
    with open(os.path.join(harness.SRC, "tests", "data", name), encoding="utf-8") as f:
        return json.load(f)["replies"]


def judge(rows):
    """(verdict, reason) of each, the verdict in the words of replies.json."""
    said = "".join("%s %d %s\n" % (r["stage"], r.get("login", True), r["reply"].replace("\r\n", "\\n")) for r in rows)
    out = subprocess.run([os.path.join(harness.BUILD, "judgereplies")], input=said, text=True, capture_output=True, check=True)
    lines = [line.split() for line in out.stdout.splitlines()]
    assert len(lines) == len(rows)
    return [(verdict(fate, kind, reason), reason) for fate, kind, reason, _ in lines]


def verdict(fate, kind, reason):
    if reason == "refused-unclear":
        return "UNCLEAR"
    if reason.startswith("sender-"):
        return "SENDER"
    if fate == "fails":
        return "FAIL"
    return {"login": "HANDS", "admin": "HANDS", "slow": "SLOW", "network": "SLOW"}.get(kind, "DEFER")


def right(row, verdict, reason):
    good = [row["verdict"]] + row.get("also", [])
    return verdict in good or (verdict == "UNCLEAR" and "DEFER" in good) or (reason == "sender-invalid" and "FAIL" in good)


def names_cause(row, verdict, reason):
    if verdict in row.get("also", []) and (verdict == "SENDER" or reason == "rate-limited"):
        return True
    return reason in CAUSES[row["cause"]]


class Corpus(unittest.TestCase):
    maxDiff = None

    def look(self, name):
        rows = [r for r in replies(name) if not r.get("arguable")]
        return [(r, v, why) for r, (v, why) in zip(rows, judge(rows))]

    def wrong(self, judged):
        return ["%s, not %s: %s %s: %s" % (v, r["verdict"], why, r["stage"], r["reply"]) for r, v, why in judged
                if not right(r, v, why)]

    def test_verdicts_of_real_replies(self):
        judged = self.look("replies.json")
        wrong = self.wrong(judged)
        self.assertGreaterEqual(len(judged) - len(wrong), 0.95 * len(judged), wrong)
        settled = [j for j in judged if j[0]["verdict"] in ("FAIL", "DEFER")]
        self.assertLessEqual(len(self.wrong(settled)), 1)

    def test_what_should_stay_does_not_fail(self):
        lost = [r["reply"] for r, v, why in self.look("replies.json")
                if (v == "FAIL" or why == "sender-invalid") and not {"FAIL", "SENDER"} & {r["verdict"], *r.get("also", [])}]
        self.assertLessEqual(len(lost), 3, lost)

    def test_reason_names_the_subject(self):
        judged = [j for j in self.look("replies.json") if "cause" in j[0]]
        wrong = ["%s: %s: %s" % (r["cause"], why, r["reply"]) for r, v, why in judged if not names_cause(r, v, why)]
        self.assertGreaterEqual(len(judged) - len(wrong), 0.95 * len(judged), wrong)

    def test_invented_replies(self):
        judged = self.look("replies_invented.json")
        self.assertGreaterEqual(len(judged), 60)
        wrong = self.wrong(judged)
        self.assertLessEqual(len(wrong), 0.05 * len(judged), wrong)

    def test_what_users_choose_says_nothing(self):
        """Addresses, host names and URLs, whatever words are in them, leave the verdict as it is."""
        plain = {"stage": "rcpt", "reply": "550 5.1.1 <b@example.com>: Recipient address rejected: User unknown"}
        odd = [dict(plain, reply=plain["reply"].replace("b@example.com", address)) for address in
               ("quota@limit.example", '"too many in 9 hours"@example.com', "relay-denied@spam.example")]
        odd.append(dict(plain, reply=plain["reply"] + " (https://blacklist.example/?login=required)"))
        odd.append(dict(plain, reply=plain["reply"] + " (in mx.relay.denied.example)"))
        self.assertEqual(judge(odd), judge([plain]) * len(odd))

    def test_enhanced_codes_are_whole(self):
        banned, sender = judge([{"stage": "mail", "reply": "550 5.7.606 Access denied, banned sending IP [192.0.2.1]"},
                                {"stage": "mail", "reply": "550 5.7.60 no"}])
        self.assertEqual((banned[1], sender[1]), ("client-blocked", "sender-refused"))


class Documentation(unittest.TestCase):
    def test_outpost_8_lists_all_reasons(self):
        """Name, class and meaning, in the order of reasons.def."""
        with open(os.path.join(harness.SRC, "src", "base", "reasons.def"), encoding="utf-8") as f:
            text = f.read()
        rows = re.findall(r'REASON\(\w+, "([^"]+)", (\w+), EX_\w+, "[^"]+",\s*"([^"]*)"', text)
        self.assertEqual(len(rows), text.count("\nREASON("))
        with open(os.path.join(harness.SRC, "man", "outpost.8"), encoding="utf-8") as f:
            listed = re.findall(r"(?m)^\.It Cm (\S+) Ta (\w+) Ta (.*)$", f.read())
        self.assertEqual(listed, [(name, kind.lower(), meaning) for name, kind, meaning in rows])


if __name__ == "__main__":
    unittest.main()
