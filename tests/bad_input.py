#!/usr/bin/env python3
"""What is malformed, absurd or too large is refused with a stable code and leaves nothing behind; slow clients hold up nobody.

    tests/bad_input.py [--only NAME]      starts a server of its own; the last line says 'N passed, N failed'
"""
import argparse, json, re, socket, sys, threading, time

from florin import Count, Server, payment

CODE = re.compile(r"^[A-Z]+(_[A-Z]+)+$")
I128_MAX = 2**127 - 1
SUM_MAX = I128_MAX // 2  # ledger::limits::SUM_MAX: what the credits, or the debits, of a balance may add up to

# Seconds after which a request was held up by other clients, and not by a busy machine: these go on for longer.
STALL = 20


class Refused:
    """A request that must be refused: 400 unless `status` says otherwise, naming `field` when given. `codes`: one of these."""

    def __init__(self, name, method, path, raw, codes=(), field="", status=(400,)):
        self.name, self.method, self.path, self.codes, self.field, self.status = name, method, path, codes, field, status
        self.raw = raw if isinstance(raw, bytes) else raw.encode() if isinstance(raw, str) else json.dumps(raw).encode()


def malformed(path, method="POST"):
    """Bodies that are no JSON object of the right kind, for any route that takes one."""
    nested = 100_000
    for name, raw in {
        "empty": b"", "no JSON": b"{", "text": b'"text"', "number": b"1", "array": b"[]", "single quotes": b"{'a': 1}", "key without quotes": b"{a: 1}",
        "trailing comma": b'{"a": 1,}', "bare NaN": b'{"amount": NaN, "name": NaN, "status": NaN}', "half a string": b'{"a": "',
        "invalid UTF-8": b'{"name": "\xff\xfe", "reference": "\xc3\x28", "status": "\xff", "ledger_id": "\xff", "first_name": "\xff"}',
        "control character": b'{"name": "a\x01b", "reference": "a\x01b", "status": "\x01", "ledger_id": "\x01", "first_name": "\x01"}',
        "deep arrays": b"[" * nested + b"]" * nested, "deep objects": b'{"meta_data":' * nested + b"1" + b"}" * nested,
        "deep and open": b'{"meta_data":' + b"[" * nested, "zeros": b"\x00" * 1000, "larger than allowed": b'{"name": "' + b"x" * 6 * 2**20 + b'"}',
    }.items():
        status = (400, 413) if name == "larger than allowed" else (400,)
        yield Refused(f"{method} {path} {name}", method, path, raw, status=status)


def transactions(a, b):
    """One field of a good transaction replaced at a time."""
    good = payment(a, b, None, "bad-input", amount=1)

    def one(name, codes=(), field="", path="/transactions", **more):
        body = {k: v for k, v in (good | more).items() if v is not Absent}
        return Refused(f"transaction {name}", "POST", path, body, codes, field)

    def literal(name, field, text, codes=(), named=""):
        """A value that json.dumps would not write."""
        body = json.dumps({k: v for k, v in good.items() if k not in ("amount", field)})[:-1] + f', "{field}": {text}}}'
        return Refused(f"transaction {field} {name}", "POST", "/transactions", body, codes, named)

    invalid = ("TXN_VALIDATION_ERROR", "TXN_INVALID_AMOUNT", "GEN_MALFORMED_REQUEST")
    for field in ("amount", "currency", "reference", "description", "source", "destination"):
        yield one(f"without {field}", invalid, field, **{field: Absent})
    wrong = {"amount": ["1", True, [1], {}], "precise_amount": [1.5, True, [], {}, "1.5", "x", ""], "precision": ["100", True, []],
             "currency": [1, True, []], "reference": [1, [], {}], "description": [1, []], "source": [1, {}, []], "destination": [1, []],
             "allow_overdraft": ["true", 1], "inflight": ["true", 1], "skip_queue": ["yes", 1], "meta_data": ["x", 1, [1]],
             "sources": ["x", 1, {}], "destinations": [1, "x"], "overdraft_limit": ["1", True], "scheduled_for": [1, "tomorrow", "2026-13-45T00:00:00Z"],
             "effective_date": [1, "2026-02-30T00:00:00Z", "x"], "inflight_expiry_date": [1, "x", "2026-01-01"], "dry_run": ["x", 1]}
    for field, values in wrong.items():
        for value in values:
            more = {"amount": Absent} if field == "precise_amount" else {"source": Absent} if field == "sources" else \
                   {"destination": Absent} if field == "destinations" else {}
            yield one(f"{field} {value!r}", **{**more, field: value})
    # Amounts: what is beyond 128 bits, below zero, or rounds to nothing is refused, whatever way it is written.
    for name, text in {"ten to the forty": str(10**40), "past 128 bits": str(I128_MAX + 1), "negative": "-1", "exponent": "1e3", "fraction": "1.0",
                       "hundred thousand digits": "9" * 100_000, "two to the 128": str(2**128), "hex": "0x10", "leading zero": "007", "plus": "+1",
                       "zero": "0", "minus zero": "-0"}.items():
        yield literal(name, "precise_amount", text, invalid + ("GEN_BAD_REQUEST",))
    for name, text in {"1e400": "1e400", "1e999999999999": "1e999999999999", "1e-400": "1e-400", "ten to the forty": str(10**40), "1e40": "1e40",
                       "minus zero": "-0", "negative": "-5", "below half a unit": "0.004", "Infinity": "Infinity", "-1e400": "-1e400",
                       "sixteen digits": "1234567890123456", "hundred thousand digits": "0." + "1" * 100_000, "zero": "0.0"}.items():
        yield literal(name, "amount", text, invalid + ("GEN_BAD_REQUEST",))
    for name, text in {"zero point five": "0.5", "negative": "-100", "1e30": "1e30", "past 64 bits": str(2**63), "1e400": "1e400"}.items():
        body = json.dumps({k: v for k, v in good.items() if k != "precision"})[:-1] + f', "precision": {text}}}'
        yield Refused(f"transaction precision {name}", "POST", "/transactions", body, (*invalid, "GEN_BAD_REQUEST"))
    # Limits: one byte past each.
    for field, limit in {"reference": 4096, "description": 65_536, "currency": 64}.items():
        yield one(f"{field} past its limit", field=field, **{field: "x" * (limit + 1)})
        yield one(f"{field} past its limit in bytes, not characters", field=field, **{field: "é" * (limit // 2 + 1)})
    yield one("indicator past its limit", field="source", source="@" + "x" * 256, allow_overdraft=True)
    yield one("metadata past its limit", field="meta_data", meta_data={"k": "x" * 262_200})
    # Names of parties.
    yield one("source and destination alike", ("TXN_VALIDATION_ERROR",), "destination", destination=a)
    yield one("both source and sources", ("TXN_VALIDATION_ERROR",), "source", sources=[{"identifier": b, "distribution": "left"}])
    yield one("amount and precise_amount", ("TXN_VALIDATION_ERROR",), "amount", precise_amount=1)
    yield Refused("transaction to a balance that is not", "POST", "/transactions", good | {"destination": "bln_00000000-0000-4000-8000-000000000000"},
                  ("TXN_NOT_FOUND",), status=(404,))
    yield Refused("transaction from a new indicator without funds", "POST", "/transactions", good | {"source": "@NeverFunded"}, ("TXN_INSUFFICIENT_FUNDS",))
    # Splits.
    for name, parts in {"no parts": [], "a part without a name": [{"distribution": "left"}], "numbers": [{"identifier": b, "distribution": 5}],
                        "NaN": [{"identifier": b, "distribution": "NaN"}], "more than all": [{"identifier": b, "distribution": "101%"}],
                        "negative": [{"identifier": b, "distribution": "-1"}, {"identifier": "@X", "distribution": "left"}],
                        "words": [{"identifier": b, "distribution": "half"}], "null": [None], "absurd": [{"identifier": b, "precise_distribution": "9" * 50}],
                        "1 001 parts": [{"identifier": f"@P{n}", "precise_distribution": "1"} for n in range(1001)]}.items():
        refusal = one(f"split into {name}", destination=Absent, destinations=parts)
        refusal.status = (400, 404) if name == "a part without a name" else (400,)
        yield refusal
    # Batches.
    item = {k: v for k, v in good.items()}
    codes = ("TXN_BULK_LIMIT_EXCEEDED",)
    yield Refused("batch of 10 001", "POST", "/transactions/bulk", {"transactions": [{**item, "reference": f"b{n}"} for n in range(10_001)]}, codes)
    yield Refused("batch of none", "POST", "/transactions/bulk", {"transactions": []}, ("TXN_BULK_EMPTY",))
    for name, items in {"null": [None], "a number": [1], "text": "x", "a good one and a null": [item, None]}.items():
        yield Refused(f"batch with {name}", "POST", "/transactions/bulk", {"skip_queue": True, "atomic": True, "transactions": items})
    for atomic in (True, False):
        batch = {"skip_queue": True, "atomic": atomic, "transactions": [item, {**item, "reference": "bad-input-2", "amount": -1}]}
        yield Refused(f"batch with a bad second item, atomic {atomic}", "POST", "/transactions/bulk", batch, ("TXN_VALIDATION_ERROR",))
    yield Refused("batch with a reference twice", "POST", "/transactions/bulk", {"skip_queue": True, "atomic": True, "transactions": [item, item]},
                  ("TXN_DUPLICATE_REFERENCE",), status=(409,))
    yield Refused("commit of 101", "POST", "/transactions/inflight/bulk/commit", {"transactions": [{"transaction_id": "txn_x"}] * 101}, codes)
    yield Refused("commit of none", "POST", "/transactions/inflight/bulk/commit", {"transactions": []}, ("TXN_BULK_EMPTY",))


class Absent:
    """Stands for a field that is left out."""


def others(ledger, hold):
    for path in ("/ledgers", "/balances", "/transactions", "/transactions/bulk", "/identities", "/transactions/filter", "/balances/filter"):
        yield from malformed(path)
    yield from malformed(f"/transactions/inflight/{hold}", "PUT")
    for name, value in {"missing": Absent, "empty": "", "number": 5, "null": None, "past its limit": "x" * 4097}.items():
        field = "name" if name == "past its limit" else ""
        yield Refused(f"ledger name {name}", "POST", "/ledgers", {} if value is Absent else {"name": value}, field=field)
    yield Refused("ledger metadata past its limit", "POST", "/ledgers", {"name": "x", "meta_data": {"k": "x" * 262_200}}, field="meta_data")
    for name, body in {"ledger missing": {"currency": "USD"}, "currency missing": {"ledger_id": ledger}, "currency a number": {"ledger_id": ledger, "currency": 5},
                       "currency empty": {"ledger_id": ledger, "currency": ""}}.items():
        yield Refused(f"balance {name}", "POST", "/balances", body)
    yield Refused("balance currency past its limit", "POST", "/balances", {"ledger_id": ledger, "currency": "x" * 65}, field="currency")
    yield Refused("balance in no ledger", "POST", "/balances", {"ledger_id": "ldg_00000000-0000-4000-8000-000000000000", "currency": "USD"}, status=(400, 404))
    yield Refused("balance indicator past its limit", "POST", "/balances", {"ledger_id": "general_ledger_id", "currency": "USD", "indicator": "@" + "x" * 256},
                  field="indicator")
    for name, body in {"no status": {}, "other status": {"status": "maybe"}, "wrong case": {"status": "COMMIT"}, "negative": {"status": "commit", "precise_amount": -1},
                       "zero": {"status": "commit", "precise_amount": 0}, "text": {"status": "commit", "amount": "x"},
                       "rounds to nothing": {"status": "commit", "amount": 0.001}, "more than held": {"status": "commit", "precise_amount": 10**30},
                       "past 128 bits": {"status": "commit", "precise_amount": 10**40}}.items():
        yield Refused(f"settlement {name}", "PUT", f"/transactions/inflight/{hold}", {**body, "skip_queue": True})
    yield Refused("settlement of nothing", "PUT", "/transactions/inflight/txn_none", {"status": "commit", "skip_queue": True}, ("TXN_NOT_INFLIGHT",))
    for path in ("/transactions/filter", "/balances/filter", "/ledgers/filter", "/identities/filter"):
        for name, filters in {"unknown field": [{"field": "nonsense", "operator": "eq", "value": 1}], "unknown operator": [{"field": "created_at", "operator": "x"}],
                              "no list": {"field": 1}}.items():
            yield Refused(f"{path} {name}", "POST", path, {"filters": filters})


class Tests:
    def __init__(self, server, count, only):
        self.server, self.count, self.only, self.client = server, count, only, server.client()
        ledger = self.client.ledger()
        self.a, self.b, self.ledger = self.client.balance(ledger), self.client.balance(ledger), ledger
        self.client.fund(self.a, 1_000_000, "bad-input-fund")
        hold = self.client.pay(self.a, self.b, 500, "bad-input-hold", inflight=True)
        assert hold.status == 201, hold
        self.hold = hold["transaction_id"]

    def stored(self):
        """What a refused request must not change."""
        return [self.client.get(path).text for path in ("/transactions?limit=5", "/balances?limit=100", "/ledgers?limit=100", "/identities")]

    def refused(self, bad):
        before = self.stored()
        try:
            answer = self.client.send(bad.method, bad.path, raw=bad.raw)
        except (BrokenPipeError, ConnectionResetError):
            assert len(bad.raw) > 2**20, "the connection was cut"
            answer = None  # a body that is too large may be cut off before it is read
        assert self.stored() == before, f"refused with {answer}, yet something changed"
        assert self.server.alive(), "the server is gone"
        if answer is None:
            return
        assert answer.status in bad.status, f"{answer}, wanted {bad.status}"
        assert answer.code and CODE.match(answer.code), f"no code: {answer}"
        assert not bad.codes or answer.code in bad.codes, f"{answer.code}, wanted one of {bad.codes}: {answer}"
        assert bad.field in answer["error_detail"]["message"], f"the message does not name {bad.field!r}: {answer}"

    def play(self):
        for bad in [*transactions(self.a, self.b), *others(self.ledger, self.hold)]:
            if self.only in bad.name:
                with self.count.case(bad.name):
                    self.refused(bad)
        for name in [name for name in dir(self) if name.startswith("case_")]:
            if self.only in name:
                with self.count.case(name[5:]):
                    getattr(self, name)()

    # -- at the limits ---------------------------------------------------------------------------------------------------
    def case_at_the_limits(self):
        """What is just within every limit is stored and comes back byte for byte."""
        body = payment(self.a, self.b, 1, "r" * 4096, description="é" * 32_768, meta_data={"k": "x" * 262_000})
        answer = self.client.post("/transactions", body)
        assert answer.status == 201, answer
        for path in (f"/transactions/{answer['transaction_id']}", f"/transactions/reference/{body['reference']}"):
            found = self.client.get(path)
            assert found.status == 200, found
            assert {field: found[field] for field in ("reference", "description", "meta_data")} == {k: body[k] for k in ("reference", "description", "meta_data")}
        name = "n" * 4096
        assert self.client.get(f"/ledgers/{self.client.ledger(name)}")["name"] == name
        money = self.client.made("/balances", {"ledger_id": self.ledger, "currency": "c" * 64})
        assert money["currency"] == "c" * 64
        answer = self.client.pay("@" + "x" * 255, self.b, 1, "bad-input-indicator", allow_overdraft=True)
        assert answer.status == 201, answer

    def case_largest_amounts(self):
        """Sums that would not fit are refused; what was accepted adds up exactly."""
        target, total = self.client.balance(self.ledger, "BIG"), 0
        for n, amount in enumerate([2**125, 2**125 - 2, 1, 1, 2**125, 2**126, 10**38, I128_MAX]):
            answer = self.client.pay(f"@Big{n}", target, amount, f"bad-input-big-{n}", currency="BIG", allow_overdraft=True)
            assert answer.status == (201 if total + amount <= SUM_MAX else 400), f"{amount} on top of {total}: {answer}"
            assert answer.status == 201 or CODE.match(answer.code), answer
            total += amount if answer.status == 201 else 0
            assert self.client.figures(target)["balance"] == total
        assert total == SUM_MAX

    def case_odd_but_legal(self):
        """Either refused or stored exactly; never something else."""
        for n, (field, text, value) in enumerate([("reference", '"a\\u0000b"', "a\0b"), ("reference", '"\\ud83d\\ude00"', "😀"), ("description", '"\\ud800"', None),
                                                  ("reference", '"../../etc/passwd"', "../../etc/passwd"), ("reference", "\"'; DROP TABLE\"", "'; DROP TABLE"),
                                                  ("meta_data", '{"": {"a": [1e2, null, "\\u0000"]}}', {"": {"a": [100, None, "\0"]}}),
                                                  ("meta_data", '{"n": 12345678901234567890123}', {"n": 12345678901234567890123})]):
            body = payment(self.a, self.b, 1, f"bad-input-odd-{n}")
            raw = json.dumps({k: v for k, v in body.items() if k != field})[:-1] + f', "{field}": {text}}}'
            before = self.stored()
            answer = self.client.post("/transactions", raw=raw.encode())
            assert answer.status in (201, 400), f"{field} {text}: {answer}"
            if answer.status == 400:
                assert self.stored() == before, f"{field} {text}: refused, yet something changed"
            elif value is not None:
                found = self.client.get(f"/transactions/{answer['transaction_id']}")
                assert found[field] == value or field == "meta_data" and "n" in value and float(found[field]["n"]) == float(value["n"]), f"{field} {text}: {found}"

    def case_odd_paths(self):
        for path in ("/transactions/" + "x" * 5000, "/transactions/%00", "/transactions/%ff%fe", "/transactions/..%2f..%2fetc", "/balances/bln_", "/balances/%20",
                     "/transactions?limit=99999999999999999999", "/transactions?limit=-1&offset=-5", "/transactions?offset=18446744073709551616",
                     "/transactions?limit=x", "/balances/" + self.a + "/at?timestamp=x", "/ledgers?limit=1e9", "/transactions/reference/" + "r" * 5000,
                     "/transactions?created_at_gt=notadate", "/transactions?nonsense_eq=1", "/%2e%2e/%2e%2e/etc/passwd", "//", "/transactions//"):
            answer = self.client.get(path)
            assert answer.status < 500, f"{path}: {answer}"
            assert self.server.alive(), path

    # -- connections -----------------------------------------------------------------------------------------------------
    def raw(self, data, seconds=5, end=False):
        """What comes back on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=seconds) as link:
            answer = b""
            try:
                link.sendall(data)
                if end:
                    link.shutdown(socket.SHUT_WR)
                while chunk := link.recv(65536):
                    answer += chunk
            except OSError:
                pass
            return answer

    def case_garbage_on_the_wire(self):
        before = self.stored()
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, b"GET\r\n\r\n", b"\r\n" * 1000, b"GET / HTTP/9.9\r\n\r\n",
                     b"POST /transactions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n{}", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 2**21 + b"\r\n\r\n",
                     b"POST /transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 200\r\n\r\n{}",
                     b"POST /transactions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
                     b"POST /transactions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
                     b"POST /transactions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
                     b"".join(b"H%d: x\r\n" % n for n in range(5000)), b"\x00" * 10_000):
            answer = self.raw(data, seconds=2, end=True)
            assert not answer.startswith(b"HTTP/1.1 2") and not answer.startswith(b"HTTP/1.1 5"), f"{data[:60]!r}: {answer[:200]!r}"
            assert self.server.alive() and self.client.get("/health").status == 200
        assert self.stored() == before

    def case_a_body_left_unread_ends_the_connection_openly(self):
        """An answer that comes before the body was read either leaves the connection usable or says that it closes it."""
        for size in (10, 200_000):
            for path in ("/nonsense", "/transactions"):
                with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as link:
                    link.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size)
                    head = link.recv(65536).split(b"\r\n\r\n")[0].lower()
                    assert head.startswith(b"http/1.1 4"), head
                    if b"connection: close" not in head:
                        time.sleep(0.05)
                        link.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                        assert link.recv(65536).startswith(b"HTTP/1.1 200"), f"{path}, {size} bytes: the connection was closed unannounced"

    def case_half_a_request_does_nothing(self):
        """A client that goes away in the middle of its body has asked for nothing."""
        before, body = self.stored(), json.dumps(payment(self.a, self.b, 1, "bad-input-half")).encode()
        head = f"POST /transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body) + 1}\r\n\r\n".encode()
        for cut in (0, 1, len(body) // 2, len(body)):
            self.raw(head + body[:cut], seconds=1, end=True)
        time.sleep(0.1)
        assert self.stored() == before

    def case_body_too_large_is_not_read(self):
        """A body that says it has a terabyte is refused, or cut off, at once."""
        began = time.monotonic()
        self.raw(b"POST /transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n" + b"x" * 100_000, seconds=2 * STALL, end=True)
        assert time.monotonic() - began < STALL and self.server.alive()

    def case_slow_clients_hold_up_nobody(self):
        """Three hundred clients that never finish their request; everyone else is answered as before."""
        links = []
        try:
            for n in range(300):
                link = socket.create_connection(("127.0.0.1", self.server.port), timeout=5)
                link.sendall((b"", b"POST /transactions HT", b"POST /transactions HTTP/1.1\r\nHost: x\r\nX-A: ",
                              b"POST /transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")[n % 4])
                links.append(link)
            stop = threading.Event()

            def drip():
                while not stop.wait(0.1):
                    for link in links:
                        try:
                            link.sendall(b"a")
                        except OSError:
                            pass

            dripping = threading.Thread(target=drip)
            dripping.start()
            took = []
            try:
                for n in range(200):
                    began = time.monotonic()
                    answer = self.client.pay(self.a, self.b, 1, f"bad-input-slow-{n}")
                    took.append(time.monotonic() - began)
                    assert answer.status == 201, answer
            finally:
                stop.set()
                dripping.join()
            assert max(took) < STALL, f"the slowest of 200 postings took {max(took):.2f} s"
        finally:
            for link in links:
                link.close()

    def case_clients_that_do_not_read(self):
        """A hundred clients ask for large answers and never read them."""
        links = []
        try:
            for _ in range(100):
                link = socket.create_connection(("127.0.0.1", self.server.port), timeout=5)
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                link.sendall(b"GET /transactions?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
                links.append(link)
            for n in range(50):
                began = time.monotonic()
                assert self.client.pay(self.a, self.b, 1, f"bad-input-unread-{n}").status == 201
                assert time.monotonic() - began < STALL, f"{time.monotonic() - began:.2f} s"
        finally:
            for link in links:
                link.close()


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    count = Count()
    with Server() as server:
        Tests(server, count, options.only).play()
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
