"""Every call of tests/data/callers.json, as recorded from real programs, through the real sendmail to the relay."""
import json
import os
import re

import harness

CALLERS = os.path.join(harness.SRC, "tests", "data", "callers.json")

# What stands for an address in calls that were read, not recorded.
PLACEHOLDERS = {
    "<user>": ["root"], "<from>": ["from@example.org"], "<rcpt...>": ["a@example.org", "b@example.org"],
    "<envelopesender>": ["env@example.org"], "<mailto...>": ["a@example.org"], "<recipients...>": ["a@example.org"],
    "<queue>": ["support"], "<dest>": ["dest@example.org"], "<recipient>": ["Some One"], "%F": ["from@example.org"],
    "%T": ["to@example.org"], "<addr>": ["addr@example.org"], "<host>": ["smtp.example.org"], "<to...>": ["a@example.org"],
    "<SENDMAIL_ARGS...>": ["--"], "<SENDMAIL_PATH>": ["sendmail"], "<user>x": [],
}

HEADER = {
    "Subject": "caller", "To": "a@example.org", "From": "w@example.org", "Cc": "c@example.org", "CC": "c@example.org",
    "Bcc": "z@example.org", "Date": "Mon, 16 Nov 2026 10:00:00 +0000", "Message-ID": "<1@example.org>",
    "Message-Id": "<1@example.org>", "MIME-Version": "1.0", "Mime-Version": "1.0", "X-Mailer": "test",
    "User-Agent": "test", "Auto-Submitted": "auto-generated", "Precedence": "bulk", "X-Cron-Env": "<SHELL=/bin/sh>",
    "Content-Disposition": "inline", "Content-ID": "<c@example.org>", "X-A": "1", "X-PHP-Originating-Script": "0:x.php",
    "X-Git-*": None, "RT-*": None, "MIME": None,
}


def expand(argv):
    out = []
    for arg in argv:
        out += PLACEHOLDERS.get(arg, [arg.replace("<user>", "me").replace("<pass>", "x")])
    return out


def header_fields(entry):
    shape = entry["input"]
    fields = []
    for name in shape.get("headers", []):
        if name == "X-Git-*":
            fields.append(("X-Git-Refname", "refs/heads/main"))
        elif name == "RT-*":
            fields.append(("RT-Ticket", "example #1"))
        elif name == "MIME":
            fields.append(("MIME-Version", "1.0"))
        elif name == "Content-Type":
            fields.append((name, shape.get("content_type", "").rstrip(";") or "text/plain; charset=utf-8"))
        elif name == "Content-Transfer-Encoding":
            fields.append((name, shape.get("cte") or "8bit"))
        elif name == "From" and shape.get("from_header"):
            fields.append((name, shape["from_header"].strip()))
        elif name == "To" and shape.get("to_header"):
            fields.append((name, shape["to_header"].strip()))
        else:
            fields.append((name, HEADER[name]))
    if not any(n in ("To", "Cc", "Bcc") for n, v in fields) and "-t" in entry["argv"]:
        fields.insert(0, ("To", "a@example.org"))
    return fields


def addresses(text):
    return [a.strip() for a in text.split(",") if a.strip()]


def complete(address):
    local, at, domain = address.partition("@")
    return address if at and domain not in ("localhost", "vm") else local + "@example.com"


def operands(argv):
    """Recipients among the arguments: what the manuals say takes an argument does."""
    out, i, only = [], 1, False
    while i < len(argv):
        arg = argv[i]
        if only or not arg.startswith("-"):
            out.append(arg)
        elif arg == "--":
            only = True
        elif arg in ("-f", "-F", "-B", "-r", "-O", "-o", "-N", "-R", "-V"):
            i += 1
        i += 1
    return out


def sender_of(argv):
    found = "root"
    for i, arg in enumerate(argv):
        if arg == "-f":
            found = argv[i + 1]
        elif arg.startswith("-f") and len(arg) > 2:
            found = arg[2:]
        elif arg == "--":
            break
    return complete(found)


class Callers(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost-smtp", "relay")

    def body_of(self, entry, number):
        shape = entry["input"]
        body = b"caller %d\n.\n..\n.leading\nFrom here\n" % number
        if shape.get("eight_bit"):
            charset = "iso-8859-1" if "iso-8859-1" in shape.get("content_type", "") else "utf-8"
            body += "Grüße\n".encode(charset)
        return body + b"the last line" + (b"\n" if shape.get("ends_with_newline", True) else b"")

    def input_of(self, fields, body, entry):
        header = "".join("%s: %s\n" % f for f in fields).encode()
        ends = entry["input"].get("line_ends", "LF")
        if ends.startswith("CRLF header"):
            return header.replace(b"\n", b"\r\n") + b"\r\n" + body
        if ends.startswith("MIXED"):
            return header.replace(b"\n", b"\r\n") + b"\r\n" + body
        text = header + (b"\n" if header else b"") + body
        return text.replace(b"\n", b"\r\n") if ends.startswith("CRLF") else text

    def check_header(self, message, fields):
        parsed = message.parsed
        for name in ("From", "To", "Date", "Message-ID", "Received", "Subject"):
            if name == "Subject" and not any(n == "Subject" for n, v in fields):
                continue
            self.assertIsNotNone(parsed[name], name)
        self.assertIsNone(parsed["Bcc"])
        self.assertNotIn(b"z@example.org", message.data.partition(b"\n\n")[0])
        for name in ("From", "To"):
            given = [v for n, v in fields if n == name]
            if given:
                want = re.sub(r"(?:^|(?<=<))root(?=$|>| \()", "root@example.com", given[0])
                want = re.sub(r"@(vm|localhost)\b", "@example.com", want)
                got = re.search(rb"^%s: (.*)$" % name.encode(), message.data, re.M).group(1).decode()
                self.assertEqual(got, want)
        for name, value in fields:
            if name not in ("From", "To", "Bcc"):
                self.assertIn(b"\n%s: %s\n" % (name.encode(), value.encode()), b"\n" + message.data)

    def check(self, message, entry, argv, fields, body):
        args = operands(argv)
        want = []
        for arg in args:
            want += [complete(a) for a in addresses(arg)]
        if "-t" in argv:
            for name, value in fields:
                if name in ("To", "Cc", "CC", "Bcc"):
                    want += [complete(a) for a in addresses(value)]
        want = list(dict.fromkeys(want))
        self.assertEqual(sorted(message.recipients), sorted(want))
        self.assertEqual(message.sender, sender_of(argv))
        got = message.body
        self.assertEqual(got, body if body.endswith(b"\n") else body + b"\n")
        self.check_header(message, fields)
        if entry["input"].get("eight_bit"):
            self.assertEqual(message.header("Content-Transfer-Encoding"), "8bit")

    def test_every_caller(self):
        with open(CALLERS) as f:
            entries = json.load(f)["entries"]
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        sent, elsewhere = {}, set()
        for number, entry in enumerate(entries):
            argv = expand(entry["argv"])
            if os.path.basename(argv[0]) != "sendmail":
                elsewhere.add(os.path.basename(argv[0]))    # tests/interop runs the program itself
                continue
            refused = any(a.startswith("-a") for a in argv)
            fields, body = header_fields(entry), self.body_of(entry, number)
            with self.subTest(entry["software"]):
                done = self.sendmail(*argv[1:], input=self.input_of(fields, body, entry), code=64 if refused else 0)
                if refused:
                    self.assertEqual(done.err, "sendmail: no such option: -a (in \"-aume\")\n")
                    continue
                self.assertEqual(done.err + done.out, "")
                sent[number] = (entry, argv, fields, body)
        messages = relay.wait_messages(len(sent), timeout=60)
        for message in messages:
            number = int(re.search(rb"caller (\d+)\n", message.body).group(1))
            with self.subTest(sent[number][0]["software"]):
                self.check(message, *sent.pop(number))
        self.assertEqual(sent, {})
        self.assertEqual(elsewhere, {"mail", "mailx", "(cron)"})


if __name__ == "__main__":
    harness.main()
