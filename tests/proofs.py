#!/usr/bin/env python3
"""Proofs of a real server, checked by a verifier of their own (log_verifier.py), over kills, lost derived files and forgery.

    tests/proofs.py [--rounds 6] [--seed N]      the last line says 'N passed, N failed'

A round: transactions are posted, checkpoints are taken and kept, and the server gets SIGKILL while it works. After each restart every
kept checkpoint must lead to the new one, and every transaction that was answered must be in the log with the facts that were sent. At the
end the journal is forged as somebody with the disk could: records changed, removed, all checksums and the chain made anew.
"""
import argparse, glob, os, random, shutil, struct, subprocess, sys, tempfile, threading, time, zlib

import log_verifier
from florin import BAD_CONNECTION, Count, Server, binary, environment, payment

DERIVED = ("tables", "references", "children", "dated", "checkpoints")


def run(*arguments):
    return subprocess.run([*binary(), *arguments], env=environment(False), capture_output=True, text=True, timeout=300)


class Keeper:
    """Somebody who does not trust the server: has the key since the first day, and keeps checkpoints and answers."""

    def __init__(self, client):
        self.key = client.get("/proofs/key").text
        self.checkpoints, self.paid, self.proven = [], {}, 0

    def checkpoint(self, client):
        note = client.get("/proofs/checkpoint").text
        told = log_verifier.checkpoint(note, self.key)
        for before in self.checkpoints:
            self.lead(client, before, told)
        self.checkpoints.append(told)
        return note, told

    def lead(self, client, before, now):
        assert before["size"] <= now["size"] and before["seq"] <= now["seq"], "the end of the books is missing"
        proof = client.get(f"/proofs/consistency?from={before['size']}&to={now['size']}").body
        log_verifier.check_consistency(proof, before, now)

    def prove(self, client, draws, count=40):
        """Some transactions against the first checkpoint that has them, and against the last."""
        for id_ in draws.sample(sorted(self.paid), min(count, len(self.paid))):
            newest = client.get(f"/proofs/transactions/{id_}").body
            fitting = [kept for kept in self.checkpoints if kept["size"] > newest["index"]]
            for kept in {fitting[0]["size"]: fitting[0], fitting[-1]["size"]: fitting[-1]}.values():
                proof = client.get(f"/proofs/transactions/{id_}?size={kept['size']}&record=true").body
                told = log_verifier.check_inclusion(proof, kept)
                source, destination, amount, reference = self.paid[id_]
                wanted = (id_, source, destination, amount, "USD")
                assert tuple(told[name] for name in ("transaction_id", "source", "destination", "precise_amount", "currency")) == wanted
                assert told["status"] == "APPLIED" and reference.encode() in told["payload"]
                self.proven += 1


def work(server, keeper, name, draws, until):
    """Posts until the server is gone or told to end; what was answered is kept."""
    client = server.client()
    try:
        ledger = client.ledger()
        one, other = client.balance(ledger), client.balance(ledger)
        client.fund(one, 10**9, f"{name}-fund")
        item = 0
        while not until.is_set():
            item += 1
            if draws.random() < 0.3:
                batch = [payment(one, other, draws.randint(1, 99), f"{name}-{item}-{at}") for at in range(60)]
                answer = client.post("/transactions/bulk", {"transactions": batch, "atomic": True, "skip_queue": True})
                assert answer.status == 201, answer
                continue
            amount, reference = draws.randint(1, 99), f"{name}-{item}"
            answer = client.pay(one, other, amount, reference)
            assert answer.status == 201, answer
            keeper.paid[answer["transaction_id"]] = (one, other, amount, reference)
    except BAD_CONNECTION:
        pass


def rounds(count, server, keeper, rounds_count, draws):
    for round_ in range(rounds_count):
        with count.case(f"round {round_}: killed while it worked, everything is still proven"):
            until = threading.Event()
            thread = threading.Thread(target=work, args=(server, keeper, f"r{round_}", draws, until))
            thread.start()
            client = server.client()
            for _ in range(3):
                time.sleep(draws.uniform(0.1, 0.5))
                keeper.checkpoint(client)
            server.kill()
            until.set()
            thread.join()
            if round_ % 3 == 2:
                for name in DERIVED:
                    shutil.rmtree(os.path.join(server.data, name), ignore_errors=True)
            server.start()
            client = server.client()
            keeper.checkpoint(client)
            keeper.prove(client, draws)


# -- what somebody with the disk can do --------------------------------------------------------------------------------
def records(journal):
    """The payloads of all records, as docs/journal-format.md tells how to read them."""
    found = []
    for path in sorted(glob.glob(os.path.join(journal, "*.seg"))):
        with open(path, "rb") as file:
            data, at = file.read(), 128
        while data[at:at + 2] == b"FL":
            length, = struct.unpack_from("<I", data, at + 12)
            found.append(data[at + 64:at + 64 + length])
            at += (64 + length + 7) // 8 * 8
    return found


def sealed_again(data, to, payloads):
    """A data folder with these records in one segment, every checksum and the chain as they should be."""
    with open(os.path.join(data, "journal", f"{0:020}.seg"), "rb") as file:
        size = struct.unpack_from("<Q", file.read(128), 16)[0]
    head = struct.pack("<HHQQQ32s56x", 1, 0, size, 0, 1, bytes(32))
    start = zlib.crc32(head)
    segment, chain = bytearray(b"FLORINJ1" + struct.pack("<I", start) + head), bytes(32)
    for seq, payload in enumerate(payloads, 1):
        chain = log_verifier.sha256(chain, struct.pack("<QI", seq, len(payload)), payload)
        body = payload + bytes(-(64 + len(payload)) % 8)
        tail = struct.pack("<IIQQ32s", zlib.crc32(body), len(payload), seq, seq, chain)
        check = zlib.crc32(struct.pack("<Q", len(segment)) + b"FL\x01\x00" + tail, start)
        segment += b"FL\x01\x00" + struct.pack("<I", check) + tail + body
    assert len(segment) < size
    os.makedirs(os.path.join(to, "journal"))
    for name in ("format", "keys"):
        path = os.path.join(data, name)
        (shutil.copytree if os.path.isdir(path) else shutil.copy)(path, os.path.join(to, name))
    with open(os.path.join(to, "journal", f"{0:020}.seg"), "wb") as file:
        file.write(segment + bytes(size - len(segment)))
    return to


def forged(count, server, keeper, scratch):
    client = server.client()
    note, told = keeper.checkpoint(client)
    paths = {name: os.path.join(scratch, name) for name in ("checkpoint", "key", "kept", "proof")}
    with open(paths["checkpoint"], "w") as file:
        file.write(note)
    with open(paths["key"], "w") as file:
        file.write(keeper.key)
    id_ = sorted(keeper.paid)[0]
    with open(paths["proof"], "w") as file:
        file.write(client.get(f"/proofs/transactions/{id_}?size={told['size']}&record=true").text)

    with count.case("florin verify proof needs no server and no data"):
        for more in ([], ["--checkpoint", paths["checkpoint"]]):
            proven = run("verify", "proof", paths["proof"], "--key", paths["key"], *more)
            assert proven.returncode == 0 and id_ in proven.stdout and "proven" in proven.stdout, proven
        with open(paths["proof"]) as file:
            text = file.read()
        changes = ((id_, sorted(keeper.paid)[1]), ('"index":', '"index":1'), ('"seq":', '"seq":1'), ('"status":', '"reference":"of another","status":'),
                   (f"\\n{told['size']}\\n", f"\\n{told['size'] + 1}\\n"))
        for old, new in changes:
            assert old in text
            with open(paths["proof"] + ".changed", "w") as file:
                file.write(text.replace(old, new, 1))
            refused = run("verify", "proof", paths["proof"] + ".changed", "--key", paths["key"], "--checkpoint", paths["checkpoint"])
            assert refused.returncode == 1 and refused.stdout == "", (old, refused)
        other = keeper.key.replace("florin/", "florin.", 1)
        assert run("verify", "proof", paths["proof"], "--key", other).returncode == 1

    with count.case("florin verify --url remembers"):
        online = ("verify", "--url", server.url, "--checkpoint", paths["kept"])
        first = run(*online)
        assert first.returncode == 0 and "first time" in first.stdout, first
        client.fund(client.balance(client.ledger()), 5, "one more")
        again = run(*online)
        assert again.returncode == 0 and "consistent" in again.stdout and "first time" not in again.stdout, again
        with open(paths["kept"] + ".key") as file:
            assert file.read() == keeper.key

        # Somebody on the way hands out one of an earlier time, which tells of no record: half of a batch.
        with open(paths["kept"]) as file:
            before = file.read()
        silent = next(size for size in range(told["size"] - 1, 0, -1) if "florin/journal" not in client.get(f"/proofs/checkpoint?size={size}").text)
        with open(paths["kept"], "w") as file:
            file.write(client.get(f"/proofs/checkpoint?size={silent}").text)
        good = run(*online)
        assert good.returncode == 0 and "consistent" in good.stdout, good
        assert before.split("\n")[:3] == open(paths["kept"]).read().split("\n")[:3]
        # The last record of all makes no transaction.
        noted = client.post(f"/{id_}/metadata", {"meta_data": {"note": "as-it-was-said"}})
        assert noted.status == 200, noted
        assert run(*online).returncode == 0

    assert server.stop() == 0
    check = ("--checkpoint", paths["checkpoint"], "--key", paths["key"])
    with count.case("florin verify --data with a checkpoint: the journal is the one that was signed"):
        good = run("verify", "--data", server.data, *check)
        assert good.returncode == 0 and "signed checkpoint" in good.stdout, good.stdout + good.stderr
        assert run("verify", "--data", server.data, *check[:2]).returncode == 1, "a checkpoint without a key proves nothing"

    whole = records(os.path.join(server.data, "journal"))
    described = next(at for at in range(len(whole) // 2, 0, -1) if b"r0-1" in whole[at] or b"r0-2" in whole[at])
    edited = list(whole)
    edited[described] = whole[described].replace(b"r0-", b"x0-", 1)
    assert edited[described] != whole[described]
    for name, payloads in (("an edit", edited), ("a missing end", whole[:-3])):
        with count.case(f"{name}, sealed again: only the checkpoint tells"):
            folder = sealed_again(server.data, os.path.join(scratch, name.replace(" ", "-")), payloads)
            blind = run("verify", "--data", folder)
            assert blind.returncode == 0, blind.stdout + blind.stderr
            seen = run("verify", "--data", folder, *check)
            if name == "a missing end":
                # The last checkpoint of all: the one that was kept online.
                seen = run("verify", "--data", folder, "--checkpoint", paths["kept"], "--key", paths["key"])
            assert seen.returncode == 1 and "PROBLEM journal" in seen.stdout, seen.stdout + seen.stderr
            with Server(data=folder) as liar:
                kept = paths["kept"] + "." + name.replace(" ", "-")
                shutil.copy(paths["kept"], kept)
                lied = run("verify", "--url", liar.url, "--checkpoint", kept, "--key", paths["key"])
                assert lied.returncode == 1 and "rewritten" in lied.stderr + lied.stdout or "missing" in lied.stderr, lied
                with open(kept) as file, open(paths["kept"]) as before:
                    assert file.read() == before.read(), "what proves it is kept"

    with count.case("a record that makes no transaction, edited and sealed again, with more after it"):
        said = max(at for at, payload in enumerate(whole) if b"as-it-was-said" in payload)
        assert said == len(whole) - 1
        edited = whole[:said] + [whole[said].replace(b"as-it-was-said", b"as-it-is-said-")]
        folder = sealed_again(server.data, os.path.join(scratch, "no-transaction"), edited)
        with Server(data=folder) as liar:
            more = liar.client()
            more.fund(more.balance(more.ledger()), 5, "after the edit")
            kept = paths["kept"] + ".no-transaction"
            shutil.copy(paths["kept"], kept)
            lied = run("verify", "--url", liar.url, "--checkpoint", kept, "--key", paths["key"])
            assert lied.returncode == 1 and "another chain hash" in lied.stderr, lied


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = arguments.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    draws, count, scratch = random.Random(arguments.seed), Count(), tempfile.mkdtemp(prefix="florin-proofs-")
    server = Server()
    server.start()
    try:
        keeper = Keeper(server.client())
        rounds(count, server, keeper, arguments.rounds, draws)
        print(f"{len(keeper.paid)} singles, {keeper.checkpoints[-1]['size']} transactions, {keeper.proven} proofs checked", flush=True)
        forged(count, server, keeper, scratch)
    finally:
        server.stop()
        server.remove()
        shutil.rmtree(scratch, ignore_errors=True)
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
