"""Checks proofs of a Florin log with nothing but the standard library: written from docs/proofs.md, shares no code with the server.

Anything that is wrong raises an AssertionError. Ed25519 as in RFC 8032, 5.1.7, slowly.
"""
import base64, hashlib, json, struct, uuid

P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# -- Ed25519 -----------------------------------------------------------------------------------------------------------
def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P


def times(number, point):
    sum_ = (0, 1, 1, 0)
    while number:
        if number & 1:
            sum_ = add(sum_, point)
        point, number = add(point, point), number >> 1
    return sum_


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert y < P and (x * x - x2) % P == 0, "not a point"
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def is_signed(public, text, signature):
    g_y = 4 * pow(5, P - 2, P) % P
    base, r, s = point(g_y.to_bytes(32, "little")), signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(r + public + text).digest(), "little") % Q
    a, b = times(s, base), add(point(r), times(k, point(public)))
    return len(signature) == 64 and s < Q and (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


# -- checkpoints -------------------------------------------------------------------------------------------------------
def checkpoint(note, key):
    """What a signed checkpoint tells: size, root, seq and chain hash of the last record (or None)."""
    name, id_, public = key.strip().split("+", 2)
    public = base64.b64decode(public)
    assert public[0] == 1 and sha256(name.encode(), b"\n", public)[:4].hex() == id_, "not an Ed25519 key"
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    found = [line.split(" ") for line in lines.splitlines() if line.startswith(f"\u2014 {name} ")]
    signatures = [base64.b64decode(line[2]) for line in found]
    ours = [signature[4:] for signature in signatures if signature[:4].hex() == id_]
    assert ours and all(is_signed(public[1:], text.encode(), signature) for signature in ours), "not signed with the key"
    origin, size, root, *more = text[:-1].split("\n")
    assert origin == name, "a checkpoint of another log"
    record = [line.split(" ")[1:] for line in more if line.startswith("florin/journal ")]
    seq, chain = record[0] if record else (None, "")
    return {"size": int(size), "root": base64.b64decode(root), "seq": seq and int(seq), "chain": base64.b64decode(chain)}


# -- the tree: RFC 6962, 2.1, read backwards ---------------------------------------------------------------------------
def node(left, right):
    return sha256(b"\x01", left, right)


def half(size):
    return 1 << (size - 1).bit_length() - 1


def root_of(leaf, index, size, path):
    if size == 1:
        assert not path, "a hash too many"
        return leaf
    k, beside = half(size), path[-1]
    if index < k:
        return node(root_of(leaf, index, k, path[:-1]), beside)
    return node(beside, root_of(leaf, index - k, size - k, path[:-1]))


def roots_of(before, size, path, known):
    """The roots of both trees; `known` is that of the smaller one as long as it may be left out."""
    if before == size:
        root, = [known] if known else path
        assert not (known and path), "a hash too many"
        return root, root
    k, beside = half(size), path[-1]
    if before <= k:
        old, new = roots_of(before, k, path[:-1], known)
        return old, node(new, beside)
    old, new = roots_of(before - k, size - k, path[:-1], None)
    return node(beside, old), node(beside, new)


def check_consistency(proof, old, new):
    assert (proof["from"], proof["to"]) == (old["size"], new["size"]), "a proof of other trees"
    path = [base64.b64decode(text) for text in proof["hashes"]]
    if old["size"] == 0:
        assert not path and old["root"] == sha256(), "an empty tree needs no proof"
    else:
        assert roots_of(old["size"], new["size"], path, old["root"]) == (old["root"], new["root"]), "the books were rewritten"


# -- leaves ------------------------------------------------------------------------------------------------------------
STATUSES = ["QUEUED", "SCHEDULED", "INFLIGHT", "APPLIED", "VOID", "REJECTED"]


def leaf(data):
    version, status, marks, length, currency, micros, id_, source, destination = struct.unpack_from("<BBBB8sH16s16s16s", data)
    assert version == 1 and len(data) == 118, "a leaf of another version"
    balance = lambda raw: f"bln_{uuid.UUID(bytes=raw)}" if any(raw) else None
    return {
        "transaction_id": f"txn_{uuid.UUID(bytes=id_)}", "status": STATUSES[status], "marks": marks,
        "currency": currency[:length].decode() if length <= 8 else None,
        "source": balance(source), "destination": balance(destination),
        "precise_amount": int.from_bytes(data[62:78], "little", signed=True),
        "created_at": int.from_bytes(id_[:6], "big") * 1000 + micros, "effective_at": struct.unpack_from("<q", data, 78)[0],
        "chain": data[86:],
    }


def check_inclusion(proof, kept):
    """What the leaf of a proof says, when it is in the tree of a checkpoint."""
    data = base64.b64decode(proof["leaf"])
    path = [base64.b64decode(text) for text in proof["hashes"]]
    assert proof["size"] == kept["size"], "a proof for another tree"
    assert root_of(sha256(b"\x00", data), proof["index"], proof["size"], path) == kept["root"], "not in the tree"
    told = leaf(data)
    if record := proof.get("record"):
        payload = base64.b64decode(record["payload"])
        head = base64.b64decode(record["chain_before"]) + struct.pack("<QI", record["seq"], len(payload))
        assert sha256(head, payload) == told["chain"], "another record"
        told["payload"] = payload
    return told


if __name__ == "__main__":
    import sys
    proof = json.load(open(sys.argv[1]))
    print(check_inclusion(proof, checkpoint(proof["checkpoint"], open(sys.argv[2]).read())))
