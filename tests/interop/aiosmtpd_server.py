"""A relay made of Debian's python3-aiosmtpd: STARTTLS and implicit TLS, AUTH, one file for each recipient."""
import asyncio
import os
import ssl

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword, SMTP


class Keep:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == "refused@example.net":
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            Keep.count += 1
            path = os.path.join(os.environ["MAILDIR"], "%08d" % Keep.count)
            with open(path + ".new", "wb") as f:
                f.write(b"Return-Path: <%s>\nX-Original-To: <%s>\n" % (envelope.mail_from.encode(), address.encode()))
                f.write(envelope.original_content)
            os.rename(path + ".new", os.path.join(os.path.dirname(path), "m%08d" % Keep.count))
        return "250 2.0.0 kept"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.login == os.environ["USER"].encode() and \
        data.password == os.environ["PASSWORD"].encode()
    return AuthResult(success=good, handled=False)


def controller(port, context, implicit):
    options = {"authenticator": authenticate, "auth_required": True, "enable_SMTPUTF8": True, "ident": "aiosmtpd",
               "hostname": "relay.test", "data_size_limit": 100 << 20}
    if implicit:
        # aiosmtpd does not see TLS that began before it.
        return Controller(Keep(), hostname="127.0.0.1", port=port, ssl_context=context, auth_require_tls=False,
                          server_kwargs=options)
    return Controller(Keep(), hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True,
                      server_kwargs=options)


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    SMTP.line_length_limit = 4096
    running = [controller(int(os.environ["PORT_STARTTLS"]), context, False),
               controller(int(os.environ["PORT_TLS"]), context, True)]
    for c in running:
        c.start()
    asyncio.new_event_loop().run_forever()


if __name__ == "__main__":
    main()
