"""A cold connection with a verified relay: the CPU that outpost-smtp takes for it, and gnutls-cli beside. Both load a
store of the system's size, and the relay's CA with it."""
import os
import resource
import shutil
import subprocess

import bench
import harness

STORE = "/etc/ssl/certs/ca-certificates.crt"


class Tls(harness.SystemTest):
    needs = ("agentdrive", "outpost-smtp", "relay")

    def store(self):
        """The system's CAs, and the one of the tests."""
        path = os.path.join(self.tmp, "store.pem")
        with open(path, "wb") as out:
            for part in (STORE, os.path.join(harness.certificates(), "ca.pem")):
                if os.path.exists(part):
                    with open(part, "rb") as f:
                        out.write(f.read())
        with open(path) as f:
            return path, f.read().count("-----BEGIN CERTIFICATE")

    def cpu(self, argv, good, stdin=""):
        """User and system time of a command and all its children, in ms."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(argv, input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environ(),
                              timeout=30)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertIn(good, done.stdout.decode("utf-8", "replace"))
        return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), done.stdout.decode()

    def test_cold_verified_connection(self):
        cli = shutil.which("gnutls-cli")
        if not cli:
            self.skipTest("gnutls-cli is not here (package gnutls-bin)")
        store, number = self.store()
        relay = self.start_relay("--auth-optional")
        mine, theirs = [], []
        for _ in range(max(5, int(40 * bench.SCALE))):
            # the connection and no more: no login, no message
            _, text = self.cpu([harness.program("agentdrive"), "-s", "host=localhost", "-s", "port=%d" % relay.tls, "-s",
                                "implicit_tls=1", "-s", "cafile=" + store, "-s", "inet_protocols=ipv4", "-s", "tls_loglevel=1",
                                "-s", "check_only=1"], "Verified TLS connection")
            mine.append(int(text.split("agent_cpu_us=")[1].split()[0]) / 1000)
            theirs.append(self.cpu([cli, "--x509cafile", store, "-p", str(relay.tls), "localhost"],
                                   "The certificate is trusted", stdin="QUIT\r\n")[0])
        middle = [sorted(x)[len(x) // 2] for x in (mine, theirs)]
        print("%d authorities: outpost-smtp %.2f ms, gnutls-cli %.2f ms (medians of %d)" % (number, *middle, len(mine)), flush=True)
        bench.figure("cold verified connection: CPU / gnutls-cli", middle[0] / middle[1], most=1.3)


if __name__ == "__main__":
    harness.main()
