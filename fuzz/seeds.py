#!/usr/bin/env python3
"""Writes the first inputs of the targets, from the recorded requests and the golden files of this repository. What is committed in
corpus/ is made from these and what runs found, by `tests/fuzz.py --minimise`; this is here for a target that has to begin again."""
import json, os, re, struct, sys
from urllib.parse import unquote

FUZZ = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FUZZ)
BETWEEN = b"\xff"
REQUESTS = 8
# What stands for an id in recorded requests -> the place of such an id in the books of src/book.rs.
PLACES = {"idt": 0, "ldg": 1, "bln": 2, "txn": 5, "bulk": 8, "mon": 9, "acc": 10, "cls": 12, "ast": 13}
# Routes of our own, which no recorded case asks: method, path, place of its first id, query, body.
OURS = [
    ("POST", "/ledgers/x/closings", 1, "", '{"until":"2025-01-02T00:00:00Z","description":"d","meta_data":{"a":[1]}}'),
    ("POST", "/balances/x/assertions", 2, "", '{"precise_balance":-5,"at":"2025-01-01T00:00:00Z","source":"s","require":false}'),
    ("POST", "/balances/x/assertions", 2, "", '{"balance":"1.05","precision":100,"require":true,"meta_data":null}'),
    ("POST", "/transactions", 2, "", '{"precise_amount":1,"precision":100,"currency":"USD","source":"@World","destination":"$c","allow_overdraft":true,'
                                     '"effective_date":"2000-01-01T00:00:00Z","reference":"late","description":"d"}'),
    ("DELETE", "/balances/x/assertions/y", 2, "", ""),
    ("GET", "/ledgers/x/closings", 1, "limit=1&offset=0", None),
    ("GET", "/ledgers/x/closings/y", 1, "check=true", None),
    ("GET", "/balances/x/assertions", 2, "status=broken&limit=2", None),
    ("GET", "/balances/x/assertions/y", 2, "", None),
    ("GET", "/assertions", 2, "status=holds&cursor=0&limit=1", None),
    ("GET", "/reports/trial-balance", 1, "at=2025-06-01T00:00:00Z&currency=USD&format=csv&limit=1&offset=0", None),
    ("GET", "/reports/safeguarding", 1, "pool=@a,@b&owed=@World&pool_side=credit&at=2025-06-01T00:00:00Z&currency=USD", None),
    ("GET", "/proofs/checkpoint", 5, "size=3", None),
    ("GET", "/proofs/transactions/x", 5, "size=9&record=true", None),
    ("GET", "/proofs/consistency", 5, "from=2&to=7&seq=5", None),
    ("GET", "/scrub", 5, "", None),
]
# Changes of proofs, see targets/proofs.rs.
PROOFS = [
    '3\n{"index":2}', '7\n{"size":5}', '9\n{"leaf":"AQ=="}', '12\n{"hashes":[]}', '20\n{"transaction":{"precise_amount":1e2}}', '21\n{"record":null}',
    '8\n{"record":{"seq":1,"chain_before":"AA==","payload":""}}', '5\n{"from":1,"to":9,"from_root":"","hashes":["AA=="]}', '6\n{"unknown":1}',
    '4\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n', '11\nflorin/journal\nflorin/before',
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nflorin/journal 7 CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
]


def put(target, name, content):
    folder = os.path.join(FUZZ, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def routes():
    with open(os.path.join(FUZZ, "src", "routes.rs")) as file:
        return re.findall(r'^    \("([A-Z]+)", "([^"]+)"\),$', file.read(), re.M)


def recorded():
    """(name, [(method, path, query, body or None)]) of each case."""
    folder = os.path.join(ROOT, "conformance", "golden")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            calls = json.load(file)
        asked = []
        for call in calls if isinstance(calls, list) else []:
            match = re.match(r"([A-Z]+) (/.*)$", call.get("call", ""))
            if match:
                path, _, query = match.group(2).partition("?")
                asked.append((match.group(1), path, query, call.get("request")))
        yield name.removesuffix(".json"), asked


def placed(text):
    """Ids as `$c`; runs and times as something that is always the same."""
    text = re.sub(r"<(\w+) \d+>", lambda match: "$" + chr(97 + PLACES[match.group(1)]) if match.group(1) in PLACES else "x", text)
    return text.replace("<run>", "1").replace("<time>", "2026-05-01T00:00:00Z").replace("<date>", "2026-05-01")


def route_of(known, method, path):
    """The number of the route, and the place of the id in its path."""
    parts = path.split("/")
    best = None
    for number, (verb, pattern) in enumerate(known):
        wanted = pattern.split("/")
        if verb == method and len(wanted) == len(parts) and all(w == p or w.startswith("{") for w, p in zip(wanted, parts)):
            if best is None or pattern.count("{") < known[best][1].count("{"):
                best = number
    kind = re.search(r"<(\w+) \d+>", path)
    return best, PLACES.get(kind.group(1), 2) if kind else 2


def of_requests():
    known = routes()
    reads = [route for route in known if route[0] == "GET"]
    seen = set()
    for name, asked in recorded():
        pieces = []
        for method, path, query, body in asked:
            number, place = route_of(known, method, path)
            if number is not None and method != "GET":
                text = placed(json.dumps(body, ensure_ascii=False)) if body is not None else ""
                pieces.append(bytes([number, place]) + text.encode())
            number, place = route_of(reads, method, path)
            if number is not None and query and (number, query) not in seen:
                seen.add((number, query))
                put("queries", f"{name}.{len(seen)}", bytes([number, place]) + placed(unquote(query)).encode())
        for start in range(0, len(pieces), REQUESTS):
            put("bodies", f"{name}.{start}", BETWEEN.join(pieces[start:start + REQUESTS]))
    for number in range(len(reads)):
        put("queries", f"plain.{number}", bytes([number, 2]))
    for path in ("/ledgers/%2e%2e", "/transactions/a%2Fb?x=%00", "/balances/indicator/@a/currency/USD", "/|"):
        put("queries", f"path.{len(path)}", b"\xfe\0" + path.encode())


def of_ours():
    known = routes()
    reads = [route for route in known if route[0] == "GET"]
    for at, (method, path, place, query, body) in enumerate(OURS):
        if method == "GET":
            put("queries", f"ours.{at}", bytes([route_of(reads, method, path)[0], place]) + query.encode())
        else:
            put("bodies", f"ours.{at}", bytes([route_of(known, method, path)[0], place]) + body.encode())
    for at, text in enumerate(PROOFS):
        put("proofs", f"{at}", text.encode())


def of_texts():
    amounts = ["19.99", "1.005", "-1.005", "1e3", "1E-2", "5e-320", "0", "999999999999999", "0.000000001234567", ".5", "5.", "1e308",
               "170141183460469231731687303715884105727", "1e9223372036854775807", "1e-9223372036854775808"]
    for number, amount in enumerate(amounts):
        other = amounts[(number + 4) % len(amounts)]
        put("decimals", str(number), f"{10 ** (number % 19)}\n{7 ** (number * 3)}\n{amount}\n{other}".encode())
    dates = ["2024-02-03T04:05:06.123456Z", "2024-02-03T04:05:06+02:00", "0001-01-01T00:00:00Z", "2024/02/03", "2024-02-03 04:05", "1h30m",
             "-1m1.25s", "1500us", "2562047h47m16.854775807s", "7-4096-3-000000ab", "9999-12-31T23:59:59.999999999Z", "2016-12-31T23:59:60Z"]
    for number, date in enumerate(dates):
        put("dates", str(number), f"{1_700_000_000_123_456 * number}\n{date}".encode())
    settings = ['[server]\nport = "7001"\nsecure = true\nsecret_key = "$secret"\n\x0cFLORIN_LISTEN=127.0.0.1:80\n0=1\n7=true\n',
                '{"server": {"port": 5001, "max_request_body_size_mb": 5}, "project_name": "x"}', "[compat]\ncurrency_mismatch = \"allow\"\n",
                "\x0cFLORIN_SERVER_SECURE=true\nFLORIN_SERVER_SECRET_KEY=$secret\nFLORIN_LOG_LEVEL=debug\n", "a = [1, 2.5, 1979-05-27]\n"]
    for number, text in enumerate(settings):
        put("config", str(number), text.encode())


def of_bytes():
    folder = os.path.join(ROOT, "engine", "tests", "golden")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".hex"):
            with open(os.path.join(folder, name)) as file:
                put("events", name.removesuffix(".hex"), bytes.fromhex(file.read()))
    folder = os.path.join(ROOT, "journal", "tests", "golden")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            content = file.read()
        if name.endswith(".seg"):
            put("frames", name, struct.pack("<5Q", 0, 128, 4096, 65_536, 1) + content[:6144])
    put("journals", "one", bytes(range(48)))


if __name__ == "__main__":
    of_requests()
    of_ours()
    of_texts()
    of_bytes()
    sys.exit(0)
