"""aiosmtpd as the relay: no PIPELINING, no CHUNKING."""
import harness
import servers
from exchange import Exchange


class Aiosmtpd(Exchange):
    def start_server(self):
        return servers.Aiosmtpd(self)


if __name__ == "__main__":
    harness.main()
