"""What the tests of the running server share: starting and stopping it, talking to it, counting what passed.

The server under test is target/release/florin, or what FLORIN_BIN says (a command line). How it is started stands in `command`
and `environment`, and nowhere else.
"""
import contextlib, http.client, json, os, shlex, shutil, signal, socket, subprocess, sys, tempfile, threading, time, traceback, urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECRET = "tests-master-key"
# Told to stop, a script ends by way of its `finally` blocks and takes its servers with it.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
BAD_CONNECTION = (OSError, http.client.HTTPException, ValueError)


def binary():
    target = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"))
    return shlex.split(os.environ.get("FLORIN_BIN", "")) or [os.path.join(target, "release", "florin")]


def command(port, data):
    return [*binary(), "serve", "--listen", f"127.0.0.1:{port}", "--data", data]


def environment(secure, webhooks=0):
    """No setting of the caller reaches the server under test."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FLORIN_", "BLNK_"))}
    env |= {"FLORIN_LOG_REQUESTS": "false", "FLORIN_TOKENIZATION_SECRET": "a-tokenization-secret-for-tests!"}
    if secure:
        env |= {"FLORIN_SERVER_SECURE": "true", "FLORIN_SERVER_SECRET_KEY": SECRET}
    if webhooks:
        env["FLORIN_WEBHOOK_URL"] = f"http://127.0.0.1:{webhooks}/"
    return env


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One data folder and the process that serves it; it can be killed and started again."""

    def __init__(self, secure=False, data=None, webhooks=0, settings=None):
        """`settings`: names of the environment and their values, over those of all tests."""
        self.secure, self.webhooks, self.made, self.settings = secure, webhooks, data is None, settings or {}
        self.data = data or tempfile.mkdtemp(prefix="florin-test-")
        self.log_path = self.data.rstrip("/") + ".log"
        self.process, self.port = None, 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self):
        return SECRET if self.secure else ""

    def client(self, timeout=30):
        return Client(self.url, self.key, timeout)

    def start(self, seconds=60):
        """Returns how long it took until the server answered."""
        began = time.monotonic()
        self.spawn()
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode} while starting\n{self.log_tail()}")
            with contextlib.suppress(*BAD_CONNECTION):
                if Client(self.url, "", 5).get("/health").status == 200:
                    return time.monotonic() - began
            time.sleep(0.01)
        raise RuntimeError(f"the server did not answer within {seconds} s\n{self.log_tail()}")

    def spawn(self):
        self.port = free_port()
        with open(self.log_path, "ab") as log:
            # In the data folder, so that no florin.toml of the working folder is read.
            self.process = subprocess.Popen(command(self.port, self.data), cwd=self.data, env=environment(self.secure, self.webhooks) | self.settings,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start_and_kill(self, seconds):
        """A crash while it starts."""
        self.spawn()
        time.sleep(seconds)
        self.kill()

    def kill(self):
        """As a power cut would, for the process: nothing is flushed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=30):
        """Asks the server to end; returns its status, which is 0 for an orderly stop."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return "did not stop"

    def alive(self):
        return self.process.poll() is None

    def log_tail(self, lines=30):
        with open(self.log_path, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def remove(self):
        if self.made:
            shutil.rmtree(self.data, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.log_path)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        ended = self.process.poll()
        self.stop()
        if kind or ended is not None:
            print(f"server status {ended}; the end of its log ({self.log_path}):\n{self.log_tail()}", file=sys.stderr)
        else:
            self.remove()


class Answer:
    def __init__(self, status, text):
        self.status, self.text = status, text
        try:
            self.body = json.loads(text) if text else None
        except ValueError:
            self.body = None

    def __getitem__(self, key):
        return self.body[key]

    @property
    def code(self):
        detail = self.body.get("error_detail") if isinstance(self.body, dict) else None
        return detail.get("code") if isinstance(detail, dict) else None

    def __repr__(self):
        return f"{self.status} {self.text[:300]}"


class Client:
    """One kept connection; for one thread."""

    def __init__(self, url, key="", timeout=30):
        place = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=timeout)
        self.heads = {"X-Blnk-Key": key} if key else {}

    def send(self, method, path, body=None, raw=None):
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        heads = self.heads | ({"Content-Type": "application/json"} if data is not None else {})
        try:
            self.connection.request(method, path, data, heads)
            reply = self.connection.getresponse()
            return Answer(reply.status, reply.read().decode())
        except BAD_CONNECTION:
            self.connection.close()
            raise

    def get(self, path):
        return self.send("GET", path)

    def post(self, path, body=None, raw=None):
        return self.send("POST", path, body, raw)

    def put(self, path, body=None):
        return self.send("PUT", path, body)

    def delete(self, path):
        return self.send("DELETE", path)

    def close(self):
        self.connection.close()

    # -- what most tests begin with ---------------------------------------------------------------------------------
    def made(self, path, body):
        answer = self.post(path, body)
        assert answer.status == 201, f"POST {path}: {answer}"
        return answer

    def ledger(self, name="Tests"):
        return self.made("/ledgers", {"name": name})["ledger_id"]

    def balance(self, ledger, currency="USD"):
        return self.made("/balances", {"ledger_id": ledger, "currency": currency})["balance_id"]

    def pay(self, source, destination, precise, reference, **more):
        return self.post("/transactions", payment(source, destination, precise, reference, **more))

    def fund(self, balance, precise, reference, currency="USD"):
        answer = self.pay("@World", balance, precise, reference, currency=currency, allow_overdraft=True)
        assert answer.status == 201, answer
        return answer

    def figures(self, balance):
        answer = self.get(f"/balances/{balance}")
        assert answer.status == 200, answer
        return answer.body

    def pages(self, path, size=1000):
        """Every row of a list, newest first."""
        offset, rows = 0, []
        while True:
            answer = self.get(f"{path}?limit={size}&offset={offset}")
            assert answer.status == 200, answer
            rows += answer.body
            if not answer.body:
                return rows
            offset += len(answer.body)


def payment(source, destination, precise, reference, **more):
    body = {"precise_amount": precise, "precision": 100, "currency": "USD", "reference": reference, "description": "test",
            "source": source, "destination": destination, "skip_queue": True, **more}
    return {k: v for k, v in body.items() if v is not None}


def available(figures):
    return figures["balance"] - figures["inflight_debit_balance"]


def at_once(server, calls, ready=None):
    """Plays each call (a function of a Client) on a connection and thread of its own, all let go together."""
    barrier, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def one(at):
        client = server.client()
        client.connection.connect()
        try:
            barrier.wait(30)
            answers[at] = calls[at](client)
        except Exception as error:  # told by whoever looks at the answers
            answers[at] = error
        finally:
            client.close()

    threads = [threading.Thread(target=one, args=(at,)) for at in range(len(calls))]
    for thread in threads:
        thread.start()
    if ready:
        ready()
    for thread in threads:
        thread.join()
    broken = [answer for answer in answers if not isinstance(answer, Answer)]
    assert not broken, f"{len(broken)} calls were not answered: {broken[0]!r}"
    return answers


class Count:
    """Counts cases; the last line that a suite prints is its `closing`."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    @contextlib.contextmanager
    def case(self, name):
        try:
            yield
        except Exception as error:
            self.failed += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAIL {name}: {type(error).__name__} {error} ({os.path.basename(place.filename)}:{place.lineno})", flush=True)
        else:
            self.passed += 1

    def closing(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0
