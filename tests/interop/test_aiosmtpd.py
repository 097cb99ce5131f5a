"""aiosmtpd as the relay: no PIPELINING, no CHUNKING."""
import exchange
import harness
import servers


class Aiosmtpd(exchange.Exchange):
    def start_server(self):
        return servers.Aiosmtpd(self)


if __name__ == "__main__":
    harness.main()
