#!/usr/bin/env python3
"""Personal data on a real disk: nowhere in plain text, gone when its identity is deleted, and whole after every kill.

    tests/identities.py [--rounds 12] [--seed N] [--threads 6]      the last line says 'N passed, N failed'

A round of the second part: client threads make, change, tokenize and delete identities; at a random moment the server gets SIGKILL and
is started again. Then what was answered is so: who was made is there with the values last answered (or, when the last change was not
answered, either), who was deleted is not found, and the feed tells nothing of them any more.
"""
import argparse, os, random, shutil, subprocess, sys, tempfile, threading, time

from florin import BAD_CONNECTION, Count, Server, binary, environment

MARK = "Zyxwvut-personal-"
EMPTY = bytes(128)


def files_with(folder, text):
    """Every file that holds a text. The server is stopped, so nothing changes meanwhile."""
    found, looked = [], 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                content = file.read()
            looked += len(content)
            if text.encode() in content:
                found.append(os.path.relpath(path, folder))
    assert looked > 1 << 20, "the journal was looked at"
    return found


def slots(data):
    with open(os.path.join(data, "keys", "slots"), "rb") as file:
        content = file.read()
    return [content[at:at + 128] for at in range(128, len(content), 128)]


def run(*arguments, **more_environment):
    env = environment(False) | more_environment
    return subprocess.run([*binary(), *arguments], env=env, capture_output=True, text=True, timeout=120)


def verified(data):
    told = run("verify", "--data", data)
    assert told.returncode == 0, told.stdout + told.stderr


def no_plain_text(count):
    with count.case("nothing personal is on the disk in plain text, and nothing of a deleted identity can be read"):
        server = Server()
        server.start()
        client = server.client()
        made = {}
        for name in ("ada", "eve"):
            body = {"first_name": f"{MARK}{name}", "email_address": f"{MARK}{name}@example.com", "street": "1 Main St", "meta_data": {"note": f"{MARK}{name}-note"}}
            made[name] = client.post("/identities", body)["identity_id"]
            assert client.put(f"/identities/{made[name]}", {"city": f"{MARK}{name}-city"}).status == 200
            assert client.post(f"/identities/{made[name]}/tokenize", {"fields": ["Street", "EmailAddress"]}).status == 200
            assert client.get(f"/identities/{made[name]}/detokenize/EmailAddress")["value"] == body["email_address"]
            assert len(client.get(f"/identities?city_eq={MARK}{name}-city").body) == 1
        backup = tempfile.mkdtemp(prefix="florin-backup-") + "/data"
        server.stop()
        assert files_with(server.data, MARK) == [], files_with(server.data, MARK)
        shutil.copytree(server.data, backup)
        server.start()
        client = server.client()
        before = [slot for slot in slots(server.data) if slot != EMPTY]
        assert client.delete(f"/identities/{made['ada']}").status == 200
        after = [slot for slot in slots(server.data) if slot != EMPTY]
        assert len(after) == len(before) - 1 and set(after) < set(before), "one key is gone, the others are as they were"
        assert client.get(f"/identities/{made['ada']}").status == 404
        assert client.get(f"/identities/{made['eve']}")["first_name"] == f"{MARK}eve"
        server.stop()
        assert files_with(server.data, MARK) == [], files_with(server.data, MARK)
        assert MARK not in server.log_tail(100_000)
        verified(server.data)
        server.start()
        told = [event["data"] for event in server.client().get("/events")["events"] if event["event"] == "identity.created"]
        assert [data["first_name"] for data in told] == ["", f"{MARK}eve"], told
        server.stop()
        # A backup of the journal from before, with the keys of today: the chain is whole, and nobody is to be read.
        shutil.rmtree(f"{backup}/keys")
        shutil.copytree(os.path.join(server.data, "keys"), f"{backup}/keys")
        verified(backup)
        old = Server(data=backup)
        old.start()
        assert old.client().get(f"/identities/{made['ada']}").status == 500, "a key that is missing is no identity that was deleted"
        assert old.client().get(f"/identities/{made['eve']}")["first_name"] == f"{MARK}eve"
        assert made["ada"] in old.log_tail(1000), "who has no key is named in the log"
        assert old.client().get("/events").status == 500
        assert old.client().delete(f"/identities/{made['ada']}").status == 200, "and can be deleted"
        assert old.client().get(f"/identities/{made['ada']}").status == 404
        assert [event["data"]["first_name"] for event in old.client().get("/events")["events"]] == ["", f"{MARK}eve"]
        old.stop()
        shutil.rmtree(os.path.dirname(backup))
        server.remove()


def master_keys(count):
    server = Server()
    server.start()
    who = server.client().post("/identities", {"first_name": "Ada"})["identity_id"]
    server.stop()
    data, folder = server.data, tempfile.mkdtemp(prefix="florin-keys-")
    new = os.path.join(folder, "new.key")
    with open(new, "w") as file:
        file.write("42" * 32 + "\n")

    def refused(text, **more):
        told = run("serve", "--data", data, "--listen", "127.0.0.1:0", **more)
        assert told.returncode == 1 and text in told.stderr, told.stderr
        assert "42424242" not in told.stderr + told.stdout

    with count.case("a wrong master key stops the start"):
        refused("the master key does not open", FLORIN_MASTER_KEY="42" * 32)
        refused("holds no master key", FLORIN_MASTER_KEY="secret")
        refused("cannot use the master key file", FLORIN_MASTER_KEY_FILE="/nowhere")
        refused("only one of them", FLORIN_MASTER_KEY="42" * 32, FLORIN_MASTER_KEY_FILE=new)
    with count.case("a rotation takes another master key"):
        told = run("keys", "rotate", "--data", data, "--new-key-file", new)
        assert told.returncode == 0 and "wrapped 64 keys" in told.stdout, told
        told = run("keys", "rotate", "--data", data, "--new-key-file", new)
        assert told.returncode == 0 and "already" in told.stdout, told
        refused("the master key does not open")
        env = environment(False) | {"FLORIN_MASTER_KEY_FILE": new}
        server.spawn = lambda: spawn_with(server, env)
        server.start()
        assert server.client().get(f"/identities/{who}")["first_name"] == "Ada"
        told = run("keys", "rotate", "--data", data, "--new-key-file", new, FLORIN_MASTER_KEY_FILE=new)
        assert told.returncode == 1 and "used by another process" in told.stderr, told
        server.stop()
    with count.case("what is half rotated is removed"):
        with open(os.path.join(data, "keys", "slots.new"), "wb") as file:
            file.write(b"half")
        server.start()
        assert server.client().get(f"/identities/{who}")["first_name"] == "Ada"
        server.stop()
        assert not os.path.exists(os.path.join(data, "keys", "slots.new"))
    with count.case("without its keys the server does not start"):
        os.rename(os.path.join(data, "keys", "slots"), os.path.join(folder, "slots"))
        refused("restore the folder keys/", FLORIN_MASTER_KEY_FILE=new)
    shutil.rmtree(folder)
    server.remove()


def spawn_with(server, env):
    from florin import command, free_port
    server.port = free_port()
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(command(server.port, server.data), cwd=server.data, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


class Person:
    """One identity: what it may be now. `cities` are the values that a read may show; none when it may be gone."""

    def __init__(self, number):
        self.number, self.id, self.cities, self.gone = number, None, set(), "no"


class Thread:
    def __init__(self, number, seed):
        self.random, self.people, self.number, self.count, self.fault = random.Random(f"{seed}/{number}"), [], number, 0, None

    def play(self, client):
        while True:
            try:
                self.step(client)
            except BAD_CONNECTION:
                return
            except Exception as fault:  # told after the round
                self.fault = fault
                return

    def step(self, client):
        alive = [person for person in self.people if person.gone == "no" and person.id]
        chance = self.random.random()
        self.count += 1
        value = f"{self.number}-{self.count}"
        if chance < 0.4 or not alive:
            person = Person(value)
            answer = client.post("/identities", {"first_name": value, "city": value})
            assert answer.status == 201, answer
            person.id, person.cities = answer["identity_id"], {value}
            self.people.append(person)
            return
        person = self.random.choice(alive)
        if chance < 0.75:
            before = set(person.cities)
            person.cities = before | {value}
            assert client.put(f"/identities/{person.id}", {"city": value}).status == 200
            person.cities = {value}
        elif chance < 0.85:
            client.post(f"/identities/{person.id}/tokenize/FirstName", {})
            assert client.get(f"/identities/{person.id}/detokenize/FirstName")["value"] == person.number
        else:
            person.gone = "perhaps"
            assert client.delete(f"/identities/{person.id}").status == 200
            person.gone = "yes"


def kill_round(server, threads, chance):
    workers = [threading.Thread(target=thread.play, args=(server.client(),)) for thread in threads]
    for worker in workers:
        worker.start()
    time.sleep(chance.uniform(0.05, 0.5))
    server.kill()
    for worker in workers:
        worker.join()
    faults = [thread.fault for thread in threads if thread.fault]
    assert not faults, f"{faults[0]!r}"
    if chance.random() < 0.3:
        server.start_and_kill(chance.uniform(0, 0.05))
    server.start()
    client = server.client()
    checked = 0
    for thread in threads:
        for person in thread.people:
            answer = client.get(f"/identities/{person.id}")
            if person.gone == "yes" or person.gone == "perhaps" and answer.status == 404:
                assert answer.status == 404, f"{person.id} was deleted: {answer}"
                person.gone = "yes"
            else:
                assert answer.status == 200 and answer["city"] in person.cities, f"{person.cities}: {answer}"
                person.gone, person.cities = "no", {answer["city"]}
            checked += 1
    live = sum(person.gone == "no" for thread in threads for person in thread.people)
    listed = client.get("/identities?city_ne=nobody&limit=1").status
    assert listed == 200, listed
    full = sum(slot != EMPTY for slot in slots(server.data))
    assert full >= live, f"{full} keys, {live} identities"
    return checked


def feed_tells_nothing_of_the_deleted(server, threads):
    gone = {person.id for thread in threads for person in thread.people if person.gone == "yes"}
    client, after, seen = server.client(), "", 0
    while True:
        page = client.get(f"/events?limit=1000&after={after}")
        for event in page["events"]:
            data = event["data"]
            if data.get("identity_id") in gone:
                seen += 1
                assert data["first_name"] == data["city"] == "", data
        after = page["next"]
        if page["caught_up"]:
            break
    assert seen == len(gone) > 0, f"{seen} of {len(gone)}"


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--threads", type=int, default=6)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    count, chance = Count(), random.Random(options.seed)
    no_plain_text(count)
    master_keys(count)
    server, threads, checked = Server(), [Thread(number, options.seed) for number in range(options.threads)], 0
    server.start()
    before = count.failed
    for number in range(options.rounds):
        with count.case(f"round {number}"):
            checked += kill_round(server, threads, chance)
        if count.failed > before:
            break
    if count.failed == before:
        with count.case("the feed tells nothing of who was deleted"):
            feed_tells_nothing_of_the_deleted(server, threads)
        with count.case("an orderly stop, and verify"):
            assert server.stop() == 0
            verified(server.data)
    server.stop()
    print(f"{sum(len(thread.people) for thread in threads)} identities, read {checked} times after {options.rounds} kills")
    if count.failed > before:
        print(f"data is kept in {server.data}, log in {server.log_path}, seed {options.seed}")
    else:
        server.remove()
    return count.closing()


if __name__ == "__main__":
    sys.exit(main())
