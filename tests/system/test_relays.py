"""docs/relays.md, tried: the very lines of each section, as they stand, on a machine where that provider's name and port lead
to the test relay with its extensions and login mechanisms; and each reply of the table of refusals with the mend that
outpost must name."""
import os
import re
import unittest

import harness
import machine

# What each relay announced when somebody looked (EHLO after TLS).
PROVIDERS = {
    "smtp.gmail.com": ("SIZE 8BITMIME ENHANCEDSTATUSCODES PIPELINING CHUNKING SMTPUTF8", "LOGIN PLAIN"),
    "smtp.office365.com": ("SIZE PIPELINING DSN ENHANCEDSTATUSCODES 8BITMIME CHUNKING SMTPUTF8", "XOAUTH2"),
    "email-smtp.eu-west-1.amazonaws.com": ("8BITMIME", "PLAIN LOGIN"),
    "smtp.sendgrid.net": ("8BITMIME PIPELINING SIZE", "PLAIN LOGIN"),
    "smtp.mailgun.org": ("PIPELINING SIZE 8BITMIME ENHANCEDSTATUSCODES SMTPUTF8", "PLAIN LOGIN"),
    "smtp.postmarkapp.com": ("SIZE PIPELINING 8BITMIME SMTPUTF8", "CRAM-MD5 PLAIN LOGIN"),
    "smtp.fastmail.com": ("PIPELINING SIZE ENHANCEDSTATUSCODES 8BITMIME DSN SMTPUTF8", "PLAIN LOGIN"),
    "smtp.provider.example": ("SIZE 8BITMIME", "LOGIN"),
    "mail.example.com": ("PIPELINING SIZE ENHANCEDSTATUSCODES 8BITMIME DSN SMTPUTF8 CHUNKING", "PLAIN SCRAM-SHA-256"),
    "127.0.0.1": ("8BITMIME SMTPUTF8", "PLAIN LOGIN"),
}
NAMES = ("smtp.example.com", "login.microsoftonline.com")

# Microsoft's endpoints, as far as outpost asks them: the paths of its documentation, any client.
LOGIN = """
import http.server, json, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(self.path, form, flush=True)
        if self.path.endswith("/oauth2/v2.0/devicecode"):
            answer = {"device_code": "D", "user_code": "ABCD-EFGH", "verification_uri": "https://microsoft.com/devicelogin",
                      "expires_in": 900, "interval": 1}
        elif self.path.endswith("/oauth2/v2.0/token"):
            answer = {"access_token": "the-access-token", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "R"}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
"""


def document(name="relays"):
    with open(os.path.join(harness.SRC, "docs", name + ".md"), encoding="utf-8") as f:
        return f.read()


def files(text):
    """{path: text} of the blocks that follow "`/path`:" in a text; the last block of a path counts."""
    found = {}
    for path, block in re.findall(r"`(/etc/[\w/.]+)`[^`\n]*(?:`[^`\n]*`[^`\n]*)*:\n\n((?:    .*\n)+)", text):
        found[path] = re.sub(r"(?m)^    ", "", block)
    return found


def sections(text):
    """Title and text of each second-level section."""
    return [part.split("\n", 1) for part in re.split(r"(?m)^## ", text)[1:]]


class Written(machine.Machine):
    """The lines as they are written."""
    hosts = tuple(PROVIDERS) + NAMES

    def put(self, written):
        for path, text in written.items():
            self.write(path, text, 0o600 if "passwd" in path or "oauth2" in path else 0o644)
            for ca in re.findall(r"(?m)^smtp_tls_CAfile = (\S+)$", text):
                with open(os.path.join(self.certs, "ca.pem")) as f:
                    self.write(ca, f.read())

    def try_it(self, relay, main_cf, sender="you@example.com"):
        checked = self.type("outpost check").flat
        for words in ("verified: TLSv1.3", "logged in with"):
            self.assertIn(words, checked)
        self.assertNotIn("FAIL", checked)
        self.type("printf 'Subject: gr\\303\\274\\303\\237e\\n\\nGr\\303\\274\\303\\237e\\n' | sendmail -f %s friend@example.net" % sender)
        self.type("outpost flush")
        message, = relay.wait_messages(1)
        address = re.search(r"(?m)^from_address = (\S+)$", main_cf)
        self.assertEqual(message.sender, address.group(1) if address else sender)
        self.type("outpost test friend@example.net")
        relay.wait_messages(2)

    def provider(self, title, text):
        written = files(text)
        main_cf = written["/etc/outpost/main.cf"]
        host, port = re.search(r"(?m)^relayhost = \[(.+)\]:(\d+)$", main_cf).groups()
        (key, login), = re.findall(r"(?m)^(\S+) (.*)$", written["/etc/outpost/sasl_passwd"])
        self.assertEqual(key, "[%s]:%s" % (host, port), title)
        extensions, mechanisms = PROVIDERS[host]
        self.put(written)
        user, password = login.split(":", 1)
        relay = self.relay("--ext", extensions, "--auth", mechanisms, user=user, password=password, name="relay-" + host,
                           port587="off" if port == "465" else port, port465=port if port == "465" else "off")
        self.try_it(relay, main_cf)
        relay.stop()
        self.no_flusher()
        return host

    def test_every_provider(self):
        seen = {"smtp.office365.com"}       # by OAuth2: test_microsoft
        for title, text in sections(document()):
            if "/etc/outpost/sasl_passwd`:" in text and title != "Several accounts":
                with self.subTest(provider=title):
                    seen.add(self.provider(title, text))
        self.assertEqual(seen, set(PROVIDERS))

    def microsoft(self, written, device):
        """From the files to a message, with Microsoft's name leading to endpoints and a relay that know one mailbox."""
        self.put(written)
        mailbox = re.search(r"(?m)^from_address = (\S+)", written["/etc/outpost/main.cf"]).group(1)
        extensions, mechanisms = PROVIDERS["smtp.office365.com"]
        relay = self.relay("--ext", extensions, "--auth", mechanisms, "--token", mailbox + ":the-access-token", user=None,
                           name="relay%d" % len(self.services), port465="off")
        if device:      # as the documents have it, or outpost login does it
            if "tenant = example.com" in written["/etc/outpost/oauth2"]:
                self.type("chown root:outpost /etc/outpost/oauth2 && chmod 0640 /etc/outpost/oauth2")
            said = self.type("outpost login").flat
            self.assertRegex(said, r"https://microsoft\.com/devicelogin .*ABCD-EFGH")
        self.try_it(relay, written["/etc/outpost/main.cf"])
        relay.stop()
        self.no_flusher()
        self.type("rm -f /var/spool/outpost/oauth2-*")

    @unittest.skipUnless(harness.OAUTH2, "built without OAuth2")
    def test_microsoft(self):
        """docs/relays.md, and both ways of docs/microsoft365.md."""
        pem = [os.path.join(self.certs, "server." + end) for end in ("chain.pem", "key")]
        login = self.start("/usr/bin/python3", "-c", LOGIN, *pem, log=os.path.join(self.tmp, "login.log"))
        harness.wait_for("the login server", lambda: "listening" in login.output())
        self.microsoft(files(dict(sections(document()))["Microsoft 365"]), True)
        at_length = document("microsoft365")
        both = [re.sub(r"(?m)^    ", "", block) for block in re.findall(r"(?m)^    preset = microsoft\n(?:    .*\n)+", at_length)]
        self.assertEqual([re.search("grant = (.*)", b).group(1) for b in both], ["device_code", "client_credentials"])
        for oauth2 in both:
            self.microsoft({"/etc/outpost/main.cf": files(at_length)["/etc/outpost/main.cf"], "/etc/outpost/oauth2": oauth2},
                           "device_code" in oauth2)
        self.assertIn("/TENANT-ID/oauth2/v2.0/token", login.output())

    def test_several_accounts(self):
        written = files(dict(sections(document()))["Several accounts"])
        self.put(written)
        relay = self.relay("--user", "you@gmail.com:abcdefghijklmnop", user="you@example.com", password="password")
        for sender in ("you@gmail.com", "me@example.com"):
            self.type("echo hello | sendmail -f %s friend@example.net" % sender)
        self.type("outpost flush")
        logins = {m.sender: m.envelope["user"] for m in relay.wait_messages(2)}
        self.assertEqual(logins, {"you@gmail.com": "you@gmail.com", "me@example.com": "you@example.com"})


class Answers(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "relay")

    def test_what_providers_answer(self):
        wanted = {"app password": r"application password|apppasswords", "an app password": r"application password|apppasswords",
                  "OAuth2": r"OAuth2", "verify it": r"verify the sender"}
        table = document().partition("| the relay says |")[2].split("\n\n")[0].splitlines()[2:]
        n = 0
        for says, _, mend in ([cell.strip() for cell in row.strip("|").split("|")] for row in table):
            for reply in re.findall(r"`(\d\d\d [^`]+)`", says):
                n += 1
                reply = reply.replace("…", "Please log in")
                event = "mail" if reply[:9] in ("550 5.7.6", "553 5.7.1") or reply.startswith("554") else "auth"
                pattern = wanted.get(mend) or re.escape(mend.strip("`").split(" = ")[0])
                with self.subTest(reply=reply):
                    relay = self.start_relay(dialogue='when %s do reply "%s"\n' % (event, reply), name="answer%d" % n)
                    self.configure(relay)
                    done = self.outpost("check", "--sender", "me@example.com", code=None)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertRegex(done.out, r"(?s)-->.*(%s)" % pattern)
        self.assertGreaterEqual(n, 6)

    def test_parameters_exist(self):
        self.configure(relayhost="[localhost]:587")
        known = set(re.findall(r"(?m)^(\w+) =", self.outpost("config").out))
        for name in ("relays", "moving", "fleet", "containers", "microsoft365"):
            for parameter in re.findall(r"\b((?:smtp|sender|authorized|from|queue|maillog|door|syslog|alias)_\w+) =", document(name)):
                self.assertIn(parameter, known, name)


if __name__ == "__main__":
    harness.main()
