#!/usr/bin/env python3
"""Crowds of clients, most of them bad: an ordinary client beside them must not notice, and the server must not grow.

    bench/load.py [--idle 10000] [--busy 1000] [--slow 200] [--seconds 20] [--waves 2]
    bench/load.py --small          what `make test` plays
    bench/load.py --full           with the usual limit of 10 000 connections, so that idle ones must give their places to busy ones

Starts a server on a fresh folder. An ordinary client posts and reads, one request at a time, alone at first and then beside each crowd:
connections that do nothing; three kinds of slow ones, `--slow` of each (heads that arrive a byte a second, bodies that do, and clients that
ask for much and read a byte a second); busy ones that post as fast as they are answered. Then all of them go, and the next wave comes. Told
are p50 and p99 of the ordinary client, memory that is the server's own (without mapped files), and open files. FLORIN_BIN may name the
binary. Every crowd is a process of its own, on the same machine: what they take, the ordinary client lacks.
The last line says 'N passed, N failed'.
"""
import argparse, json, multiprocessing, os, resource, selectors, socket, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
from florin import Count, Server, payment

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
# Larger than what the system buffers, all together.
MUCH = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100
# Own memory that connections may cost: an idle one, and a slow or busy one with a head, a body or an answer in hand.
IDLE_BYTES, HELD_BYTES, BASE_BYTES = 48 << 10, 1 << 20, 96 << 20
# What an ordinary client may wait, p99 in ms: beside crowds that do nothing, and beside ones that take all the processors.
CALM_MS, CROWDED_MS = 100, 3000


# -- crowds, each in a process of its own ---------------------------------------------------------------------------------
def connect(port, small=False):
    place = socket.socket()
    if small:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    place.settimeout(30)
    place.connect(("127.0.0.1", port))
    return place


def idle(port, count, ready, stop, _told):
    places = []
    for _ in range(count):
        place = connect(port)
        place.sendall(HEALTH)
        place.recv(4096)
        places.append(place)
    ready.set()
    stop.wait()


def slow(port, count, ready, stop, _told):
    """A byte a second, each in its way."""
    body = b"POST /transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{"
    heads, bodies, readers = ([connect(port, small=True) for _ in range(count)] for _ in range(3))
    for places, first in ((heads, b"GET /health HTTP/1.1\r\nHost: "), (bodies, body), (readers, MUCH)):
        for place in places:
            place.sendall(first)
            place.setblocking(False)
    ready.set()
    while not stop.wait(1):
        for place in heads + bodies + readers:
            try:
                place.recv(1) if place in readers else place.send(b"x")
            except OSError:
                pass  # given up by the server, as it should be in the end


def busy(port, count, ready, stop, told):
    """Posts on every connection as fast as it is answered; tells how many were, and what else came."""
    waiting, answered, other = selectors.DefaultSelector(), 0, {}
    number = 0

    def send(place):
        nonlocal number
        number += 1
        reference = f"busy-{os.getpid()}-{number}"
        text = json.dumps(payment("@World", f"@{number % 100}", 100, reference, allow_overdraft=True)).encode()
        place.sendall(b"POST /transactions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(text) + text)

    places = [connect(port) for _ in range(count)]
    for place in places:
        waiting.register(place, selectors.EVENT_READ)
        send(place)
    ready.set()
    while not stop.is_set():
        for key, _ in waiting.select(0.2):
            try:
                # An answer to a post is one piece: its body ends it.
                text = key.fileobj.recv(65_536)
                if not text:
                    raise OSError("closed")
                status = text[:12].decode(errors="replace")
                if status == "HTTP/1.1 503":
                    # No place: told so, and the connection ends.
                    other[status] = other.get(status, 0) + 1
                    waiting.unregister(key.fileobj)
                    continue
                if status != "HTTP/1.1 201":
                    raise OSError(status)
                answered += 1
                send(key.fileobj)
            except OSError as error:
                other[str(error)] = other.get(str(error), 0) + 1
                waiting.unregister(key.fileobj)
    told.put((answered, other))


class Crowd:
    def __init__(self, kind, port, count):
        self.kind = kind
        self.ready, self.stop, self.told = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(target=kind, args=(port, count, self.ready, self.stop, self.told), daemon=True)
        self.process.start()
        if not self.ready.wait(120):
            raise RuntimeError(f"the {kind.__name__} crowd could not connect within 120 s")

    def leave(self):
        self.stop.set()
        told = self.told.get(timeout=30) if self.kind is busy else None
        self.process.join(30)
        return told


# -- the server, seen from outside ----------------------------------------------------------------------------------------
def memory(pid):
    """Bytes that are the process's own, and all that is resident."""
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["RssAnon"].split()[0]) << 10, int(fields["VmRSS"].split()[0]) << 10


def files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Ordinary:
    """Posts and reads on one connection; every answer must be good."""

    def __init__(self, server):
        self.server, self.client, self.number = server, server.client(timeout=20), 0

    def arrive(self, what):
        """What a crowd asks for at once is load as that of others is; how long it holds up who comes next is told, not limited."""
        self.client.close()
        began = time.monotonic()
        assert self.client.get("/health").status == 200, what
        print(f"{what:28} first answer after {(time.monotonic() - began) * 1000:.0f} ms", flush=True)

    def measure(self, what, seconds):
        # As a client that comes now. One that did nothing while the crowd came may have given its place away.
        self.client.close()
        taken, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            self.number += 1
            for method, path, body in (("POST", "/transactions", payment("@World", "@shop", 1, f"o-{self.number}", allow_overdraft=True)),
                                       ("GET", f"/transactions/reference/o-{self.number}", None)):
                began = time.monotonic()
                answer = self.client.send(method, path, body)
                taken.append((time.monotonic() - began) * 1000)
                assert answer.status in (200, 201), f"{what}: {method} {path}: {answer}"
            time.sleep(0.001)
        taken.sort()
        p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
        own, resident = memory(self.server.process.pid)
        print(f"{what:28} {len(taken):7} requests  p50 {p50:8.2f} ms  p99 {p99:8.2f} ms  own {own >> 20:5} MB  resident {resident >> 20:5} MB  "
              f"files {files(self.server.process.pid):6}", flush=True)
        return p99, own


def wave(server, ordinary, options, count, name):
    crowds = []
    pid = server.process.pid
    before, open_before = memory(pid)[0], files(pid)
    held = peak = 0
    try:
        for kind, size, limit in ((idle, options.idle, CALM_MS), (slow, options.slow, CALM_MS), (busy, options.busy, CROWDED_MS)):
            crowds.append(Crowd(kind, server.port, size))
            held += size * (IDLE_BYTES if kind is idle else 3 * HELD_BYTES if kind is slow else HELD_BYTES)
            with count.case(f"{name}: beside {kind.__name__} clients"):
                ordinary.arrive(f"{name}: {size} {kind.__name__} have come")
                p99, own = ordinary.measure(f"{name}: beside {size} {kind.__name__}", options.seconds)
                peak = max(peak, own)
                assert p99 <= limit, f"p99 of {p99:.1f} ms, {limit} allowed"
                assert own <= before + BASE_BYTES + held, f"{own >> 20} MB, {before + BASE_BYTES + held >> 20} allowed"
    finally:
        told = {crowd.kind: crowd.leave() for crowd in crowds}
    with count.case(f"{name}: busy clients are answered"):
        answered, other = told[busy]
        print(f"{name}: {answered} posts of the busy, else {other}", flush=True)
        refused = other.pop("HTTP/1.1 503", 0)
        assert refused <= options.busy / 10, (answered, refused)
        assert answered >= options.busy and not other, (answered, other)
    with count.case(f"{name}: nothing is left of a crowd"):
        end = time.monotonic() + 20
        while files(pid) > open_before + 16 and time.monotonic() < end:
            time.sleep(0.2)
        assert files(pid) <= open_before + 16, f"{files(pid)} open files, {open_before} before"
    ordinary.measure(f"{name}: alone again", options.seconds / 2)
    return peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--busy", type=int, default=1_000)
    parser.add_argument("--slow", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--waves", type=int, default=2)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    if options.small:
        options.idle, options.busy, options.slow, options.seconds = 1_000, 100, 50, 4
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = Count()
    room = options.idle + 3 * options.slow + options.busy + 100
    with Server(settings={} if options.full else {"FLORIN_SERVER_MAX_CONNECTIONS": str(room)}) as server:
        ordinary = Ordinary(server)
        with count.case("alone"):
            ordinary.measure("alone", options.seconds)
        peaks = [wave(server, ordinary, options, count, f"wave {number + 1}") for number in range(options.waves)]
        with count.case("memory does not grow from wave to wave"):
            # When it is given back to the system is up to the allocator; what counts is that as much does for the next crowd.
            assert peaks[-1] <= peaks[0] * 1.15 + (24 << 20), [peak >> 20 for peak in peaks]
        with count.case("the server still runs"):
            assert server.alive()
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
