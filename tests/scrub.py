#!/usr/bin/env python3
"""Damages sealed segments of the journal under a running server that has an archive, and kills it while it repairs them.

    tests/scrub.py [--rounds 40] [--seed N]      the last line says 'N passed, N failed'

A round: bits of one or two segments are changed; at a random moment within the time that a repair takes the server gets SIGKILL; what
the segment is then is either what it was damaged to or what it was before. The server is started again, or, where the damage keeps
it from starting, `florin scrub --repair` is run, which is killed now and then too. In the end of each round the segments are byte
for byte what they were, `GET /scrub` says that all is well, and rows and balances are the same.
"""
import argparse, glob, hashlib, os, random, shutil, subprocess, sys, tempfile, time

from florin import Count, Server, binary, payment

MEBIBYTE = 1 << 20
SEGMENTS = 6


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Round:
    def __init__(self, server, archive, seed):
        self.server, self.archive, self.random = server, archive, random.Random(seed)

    def segments(self):
        return sorted(glob.glob(os.path.join(self.server.data, "journal", "*.seg")))

    def fill(self):
        """Records for some segments of 1 MiB, all but the last of them in the archive."""
        client, sent = self.server.client(), 0
        while len(os.listdir(self.archive)) < SEGMENTS:
            assert sent < 100, "segments are archived"
            items = [payment("@World", f"@To{n % 7}", 5 + n, f"scrub-{sent}-{n}", allow_overdraft=True, description="t" * 900) for n in range(200)]
            answer = client.post("/transactions/bulk", {"transactions": items, "skip_queue": True})
            assert answer.status == 201, answer
            sent += 1
            time.sleep(0.2)
        self.sealed = sorted(name for name in os.listdir(self.archive) if name.endswith(".seg"))
        folder = os.path.join(self.server.data, "journal")
        self.whole = {name: digest(os.path.join(folder, name)) for name in self.sealed}
        assert all(digest(os.path.join(self.archive, name)) == known for name, known in self.whole.items()), "copies are what they are of"
        self.answers = self.read()

    def read(self):
        client = self.server.client()
        return client.pages("/transactions"), client.get("/balances?limit=100").body

    def damage(self):
        """Some bytes of one or two segments; answers the names and what became of each file."""
        damaged = {}
        for name in self.random.sample(self.sealed, self.random.choice([1, 1, 2])):
            path = os.path.join(self.server.data, "journal", name)
            with open(path, "r+b") as file:
                for at in [self.random.randrange(MEBIBYTE) for _ in range(3)]:
                    file.seek(at)
                    byte = file.read(1)[0]
                    file.seek(at)
                    file.write(bytes([byte ^ (1 << self.random.randrange(8))]))
            damaged[name] = digest(path)
        return damaged

    def offline(self, kill):
        """Repairs the stopped folder, unless it is killed before."""
        process = subprocess.Popen([*binary(), "scrub", "--data", self.server.data, "--archive", self.archive, "--repair"],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if kill:
            time.sleep(self.random.uniform(0, 0.05))
            process.kill()
        text = process.communicate()[0].decode()
        assert kill or process.returncode == 0, text

    def check(self, damaged, what):
        for name, broken in damaged.items():
            found = digest(os.path.join(self.server.data, "journal", name))
            assert found in (broken, self.whole[name]), f"{what}: {name} is neither what it was nor what it was damaged to"

    def play(self, number):
        damaged = self.damage()
        time.sleep(self.random.uniform(0, 0.12))
        self.server.kill()
        self.check(damaged, "after a kill")
        if number % 2:
            self.offline(kill=True)
            self.check(damaged, "after a kill of the offline repair")
            self.offline(kill=False)
            self.settled(damaged)
        try:
            self.server.start()
        except RuntimeError as error:
            assert "florin scrub" in str(error), error
            self.offline(kill=False)
            self.server.start()
        end = time.monotonic() + 120
        while True:
            told = self.server.client().get("/scrub").body
            # What the first pass repairs is repaired when it ends.
            if told["status"] == "ok" and "last_pass" in told:
                break
            assert time.monotonic() < end, told
            time.sleep(0.02)
        self.settled(damaged)
        assert self.read() == self.answers, "answers are what they were"

    def settled(self, damaged):
        assert all(digest(os.path.join(self.server.data, "journal", name)) == known for name, known in self.whole.items()), "segments are what they were"
        kept = os.listdir(os.path.join(self.server.data, "quarantine"))
        assert all(any(one.startswith(name) for one in kept) for name in damaged), f"{damaged}: {kept}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    count, archive, data = Count(), tempfile.mkdtemp(prefix="florin-archive-"), tempfile.mkdtemp(prefix="florin-test-")
    # The server runs in its data folder, where it finds its settings.
    with open(os.path.join(data, "florin.toml"), "w") as file:
        file.write(f'archive = "{archive}"\n[journal]\nsegment_mb = 1\n[scrub]\nbytes_per_second = {1 << 40}\npause = "0s"\n')
    server = Server(data=data)
    try:
        server.start()
        rounds = Round(server, archive, options.seed)
        with count.case("segments are archived"):
            rounds.fill()
        for number in range(options.rounds):
            with count.case(f"round {number}"):
                rounds.play(number)
    finally:
        server.stop()
        if not count.failed:
            for folder in (archive, data):
                shutil.rmtree(folder, ignore_errors=True)
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
