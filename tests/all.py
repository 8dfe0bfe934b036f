#!/usr/bin/env python3
"""Runs every check and test, and installs what they need with the ordinary clients (cargo, npm, pip).

    make test                         everything
    tests/all.py [--list] SUITE...    some

Each suite runs to its end whatever came before it, unless that is what it needs (the built server). A suite fails at least once
when its command fails, takes too long, or does not say what it counted. The last line is the sum: 'N passed, N failed'.
"""
import contextlib, os, re, shutil, signal, subprocess, sys, threading, time

from florin import ROOT, Server, binary, free_port

PYTHON = os.path.join(ROOT, "tests", "sdk-python")
TYPESCRIPT = os.path.join(ROOT, "tests", "sdk-typescript")
DENY_VERSION = "0.20.2"
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed$")
MINUTE = 60


class Failed(Exception):
    """A step that a suite needs did not succeed."""


# -- what a command printed -> (passed, failed) ------------------------------------------------------------------------
def closing(lines):
    """Our own suites say it in their last line."""
    match = CLOSING.match(lines[-1]) if lines else None
    return (int(match.group(1)), int(match.group(2))) if match else None


def cargo(lines):
    """One result a test binary. A test that is ignored tells nothing, so it counts as failed."""
    found = [re.match(r"test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored", line) for line in lines]
    found = [tuple(map(int, match.groups())) for match in found if match]
    return (sum(f[0] for f in found), sum(f[1] + f[2] for f in found)) if any(map(sum, found)) else None


def node(lines):
    counts = dict(re.findall(r"^# (pass|fail|cancelled|skipped) (\d+)$", "\n".join(lines), re.M))
    if int(counts.get("pass", 0)) + int(counts.get("fail", 0)) == 0:
        return None
    return int(counts["pass"]), sum(int(counts.get(word, 0)) for word in ("fail", "cancelled", "skipped"))


def pytest(lines):
    last = next((line for line in reversed(lines) if re.search(r"\d+ (passed|failed|error)", line)), "")
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error|skipped)", last)}
    return (counts.get("passed", 0), sum(counts.get(word, 0) for word in ("failed", "error", "skipped"))) if counts else None


def verdict(status, counts):
    """What counts in the end. The status of the command has the last word."""
    if counts is None:
        return (0, 1)
    passed, failed = counts
    return passed, max(failed, 1) if status else failed


# -- running -----------------------------------------------------------------------------------------------------------
def play(command, seconds, folder=ROOT, env=None):
    """Shows what the command prints as it comes; returns its status and lines. Past its time it and its children are killed."""
    print(f"$ {' '.join(command)}", flush=True)
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True)
    late = threading.Event()

    def give_up():
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, give_up)
    timer.start()
    lines = []
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
        status = process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if late.is_set():
        print(f"not done after {seconds} s: killed", flush=True)
    return status, lines


def need(command, seconds, folder=ROOT):
    status, _ = play(command, seconds, folder)
    if status:
        raise Failed(f"{' '.join(command)} ended with status {status}")


def one(command, seconds):
    """A check that counts as one."""
    status, _ = play(command, seconds)
    return (0, 1) if status else (1, 0)


def counted(command, count, seconds, folder=ROOT, env=None):
    status, lines = play(command, seconds, folder, env)
    counts = count(lines)
    if counts is None:
        print("it does not say what it counted", flush=True)
    return verdict(status, counts)


def script(name, *arguments, seconds):
    return counted([sys.executable, os.path.join(ROOT, "tests", name), *arguments], closing, seconds)


@contextlib.contextmanager
def serving(secure, webhooks=0):
    """A server on a fresh folder; the environment of those that talk to it. It must still be there at the end."""
    with Server(secure=secure, webhooks=webhooks) as server:
        yield os.environ | {"FLORIN_URL": server.url, "FLORIN_KEY": server.key, "FLORIN_WEBHOOK_PORT": str(webhooks)}
        if not server.alive():
            raise Failed(f"the server ended with status {server.process.returncode}")


def open_and_secure(command, count, seconds, folder):
    """Clients are tried twice: with a key, and with an empty one against a server that asks for none."""
    total = (0, 0)
    for secure in (True, False):
        with serving(secure) as env:
            found = counted(command, count, seconds, folder, env)
        total = (total[0] + found[0], total[1] + found[1])
    return total


# -- the suites --------------------------------------------------------------------------------------------------------
def suite_format():
    return one(["cargo", "fmt", "--all", "--check"], 2 * MINUTE)


def suite_tidy():
    return one(["cargo", "xtask", "tidy"], 10 * MINUTE)


def suite_tools():
    """The parts of these scripts that decide what counts as a failure."""
    return script("test_tools.py", seconds=2 * MINUTE)


def suite_clippy():
    return one(["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], 30 * MINUTE)


def suite_deny():
    """Licences, sources and bans of dependencies. Advisories need a database from the network: see deny.toml."""
    home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    if not (shutil.which("cargo-deny") or os.path.exists(os.path.join(home, "bin", "cargo-deny"))):
        need(["cargo", "install", "cargo-deny", "--version", DENY_VERSION, "--locked"], 20 * MINUTE)
    return one(["cargo", "deny", "--locked", "check", "bans", "licenses", "sources"], 5 * MINUTE)


def suite_rust():
    return counted(["cargo", "test", "--workspace", "--locked", "--no-fail-fast"], cargo, 40 * MINUTE)


def suite_sim():
    """Two minutes of the simulator beyond what its own tests play; `cargo xtask sim --seeds N --minutes M` plays more."""
    return one(["cargo", "xtask", "sim", "--seeds", "1000000", "--from", "1000000", "--minutes", "2"], 15 * MINUTE)


def suite_mutations():
    return counted(["cargo", "xtask", "mutations"], closing, 20 * MINUTE)


def suite_build():
    return one(["cargo", "build", "--release", "--locked", "--package", "server", "--bin", "florin"], 30 * MINUTE)


def suite_conformance():
    with serving(True, webhooks=free_port()) as env:
        return counted([sys.executable, os.path.join(ROOT, "tests", "conformance.py")], closing, 15 * MINUTE, env=env)


def suite_sdk_python():
    need([sys.executable, "-m", "venv", "--clear", ".venv"], 2 * MINUTE, PYTHON)
    need([os.path.join(PYTHON, ".venv", "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt"],
         5 * MINUTE, PYTHON)
    return open_and_secure([os.path.join(PYTHON, ".venv", "bin", "pytest")], pytest, 5 * MINUTE, PYTHON)


def suite_sdk_typescript():
    need(["npm", "ci", "--no-audit", "--no-fund"], 5 * MINUTE, TYPESCRIPT)
    need(["npm", "run", "build"], 3 * MINUTE, TYPESCRIPT)
    return open_and_secure(["npm", "test"], node, 5 * MINUTE, TYPESCRIPT)


def suite_bad_input():
    return script("bad_input.py", seconds=5 * MINUTE)


def suite_races():
    return script("races.py", seconds=5 * MINUTE)


def suite_checklist():
    return script("checklist.py", seconds=5 * MINUTE)


def suite_model():
    return script(os.path.join("model", "run.py"), seconds=10 * MINUTE)


def suite_kill():
    return script("kill.py", seconds=6 * MINUTE)


def suite_scrub():
    return script("scrub.py", seconds=6 * MINUTE)


def suite_identities():
    return script("identities.py", seconds=6 * MINUTE)


def suite_load():
    return script(os.path.join("..", "bench", "load.py"), "--small", seconds=6 * MINUTE)


def suite_fuzz():
    return script("fuzz.py", seconds=20 * MINUTE)


def suite_proofs():
    return script("proofs.py", seconds=6 * MINUTE)


SUITES = {name[6:]: suite for name, suite in list(globals().items()) if name.startswith("suite_")}
NEED_THE_SERVER = ("conformance", "sdk_python", "sdk_typescript", "bad_input", "races", "checklist", "model", "kill", "identities", "load", "proofs", "scrub")


def main(names):
    if "--list" in names:
        print("\n".join(SUITES))
        return 0
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"no such suite: {', '.join(unknown)}; there are {', '.join(SUITES)}")
        return 2
    results, built = {}, True
    for name in names or list(SUITES):
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        try:
            if name in NEED_THE_SERVER and not (built and (os.environ.get("FLORIN_BIN") or os.path.exists(binary()[0]))):
                raise Failed("the server is not built")
            passed, failed = SUITES[name]()
        except (Failed, RuntimeError, OSError) as error:
            print(f"FAIL {name}: {error}", flush=True)
            passed, failed = 0, 1
        if name == "build":
            built = not failed  # an older binary proves nothing
        results[name] = (passed, failed, time.monotonic() - began)
    print()
    for name, (passed, failed, took) in results.items():
        print(f"{name:16} {passed:6} passed {failed:6} failed {took:7.1f} s")
    passed, failed = sum(r[0] for r in results.values()), sum(r[1] for r in results.values())
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
