#!/usr/bin/env python3
"""What a moment and a statement cost on balances with a million postings: none, half and all of them with a business date of their own.

    cargo build --release
    bench/history.py --florin target/release/florin [--rows 1000000] [--port 5830]

Starts a server on a folder of its own in /tmp and stops it. Prints, for each balance, the milliseconds of `GET .../at`, of a statement page of 100
lines (both as the client sees them, on one connection), and what the statement of a tenth of the postings costs as CSV: seconds, and how much
memory the server has more than before while it is sent, to a client that reads at once and to one that dawdles.
"""
import argparse, datetime, http.client, json, os, random, shutil, subprocess, sys, tempfile, threading, time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--florin", required=True)
parser.add_argument("--rows", type=int, default=1_000_000)
parser.add_argument("--port", type=int, default=5830)
parser.add_argument("--asks", type=int, default=1_000)
options = parser.parse_args()
random.seed(1)

FOLDER = tempfile.mkdtemp(prefix="florin-bench-history-")
FIRST = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
DAYS = 300


def start():
    environment = {**os.environ, "FLORIN_LOG_REQUESTS": "false"}
    command = [options.florin, "serve", "--data", FOLDER, "--listen", f"127.0.0.1:{options.port}"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    since = time.time()
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", options.port)
            connection.request("GET", "/health")
            assert connection.getresponse().read()
            return server, connection, time.time() - since
        except OSError:
            assert server.poll() is None and time.time() - since < 120, "the server starts"
            time.sleep(0.01)


def ask(connection, method, path, body=None):
    connection.request(method, path, body)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status < 300, text
    return text


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def any_day():
    return stamp(FIRST + datetime.timedelta(seconds=random.uniform(0, DAYS * 86_400)))


def fill(connection, balance, share, name):
    """A thousand postings a request; `share` of them with a date of their own."""
    for first in range(0, options.rows, 1_000):
        items = []
        for number in range(first, min(first + 1_000, options.rows)):
            date = f',"effective_date":"{any_day()}"' if random.random() < share else ""
            items.append(f'{{"precise_amount":{random.randint(1, 9_999)},"precision":100,"currency":"USD","reference":"{name}{number}",'
                         f'"description":"posting","source":"@World","destination":"{balance}","allow_overdraft":true{date}}}')
        ask(connection, "POST", "/transactions/bulk", f'{{"atomic":true,"skip_queue":true,"transactions":[{",".join(items)}]}}')


def quantiles(connection, path):
    taken = []
    for _ in range(options.asks):
        target = path()
        before = time.perf_counter()
        ask(connection, "GET", target)
        taken.append((time.perf_counter() - before) * 1000)
    taken.sort()
    return " ".join(f"{word} {taken[min(len(taken) - 1, int(len(taken) * part))]:.2f}" for word, part in (("p50", .5), ("p99", .99), ("max", 1)))


def memory(server):
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def stream(server, path, pause):
    """Lines, bytes, seconds, and the most megabytes that the server had more than before."""
    before, most, going = memory(server), 0, True

    def watch():
        nonlocal most
        while going:
            most = max(most, memory(server))
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", options.port)
    since, lines, count, last = time.time(), 0, 0, b""
    connection.request("GET", path)
    answer = connection.getresponse()
    while part := answer.read(1 << 18):
        lines, count, last = lines + part.count(b"\n"), count + len(part), (last + part)[-400:]
        time.sleep(pause)
    going = False
    thread.join()
    assert b",closing," in last, "the statement is whole"
    return f"{lines - 3} lines, {count / 1e6:.1f} MB in {time.time() - since:.2f} s, memory +{max(0, most - before):.1f} MB"


server, connection, _ = start()
try:
    ledger = json.loads(ask(connection, "POST", "/ledgers", '{"name":"bench"}'))["ledger_id"]
    kinds = []
    for name, share in (("none dated", 0), ("half dated", .5), ("all dated", 1)):
        balance = json.loads(ask(connection, "POST", "/balances", json.dumps({"ledger_id": ledger, "currency": "USD"})))["balance_id"]
        begun = datetime.datetime.now(datetime.timezone.utc)
        fill(connection, balance, share, name[0])
        kinds.append((name, share, balance, begun, datetime.datetime.now(datetime.timezone.utc)))
    print(f"{options.rows} postings each; {memory(server):.0f} MB")
    for name, share, balance, begun, ended in kinds:
        def recent():
            return stamp(begun + (ended - begun) * random.random())

        moments = {"when recorded": recent} if share == 0 else {"by date": any_day, "when recorded": recent}
        for word, moment in moments.items():
            print(f"{name}, {word}: at {quantiles(connection, lambda: f'/balances/{balance}/at?timestamp={moment()}')} ms; page "
                  f"{quantiles(connection, lambda: f'/balances/{balance}/statement?from={moment()}')} ms", flush=True)
        if share == 1:
            bounds = (FIRST + datetime.timedelta(days=DAYS * .4), FIRST + datetime.timedelta(days=DAYS * .5))
        else:
            bounds = (begun + (ended - begun) * .4, begun + (ended - begun) * (.5 if share == 0 else .6))
        path = f"/balances/{balance}/statement?format=csv&from={stamp(bounds[0])}&to={stamp(bounds[1])}"
        print(f"{name}: a tenth as CSV: {stream(server, path, 0)}; slowly: {stream(server, path, .1)}", flush=True)
    server.kill()
    server.wait()
    server, connection, seconds = start()
    print(f"after kill -9: serving in {seconds:.2f} s")
finally:
    server.kill()
    server.wait()
    shutil.rmtree(FOLDER)
