#!/usr/bin/env python3
"""Runs the fuzz targets of fuzz/, each for a bounded time. Plain stable Rust and a C++ compiler do: libFuzzer comes with its crate, and
the instrumentation is a pass of the compiler.

    tests/fuzz.py                      every target; FLORIN_FUZZ_SECONDS for each (60), FLORIN_FUZZ_JOBS at a time (one a core)
    tests/fuzz.py TARGET...            some
    tests/fuzz.py TARGET FILE...       these inputs, once: to see a failure again
    tests/fuzz.py --minimise TARGET    the corpus made smaller; FLORIN_FUZZ_FOUND names a folder with more inputs, by target
    tests/fuzz.py --list

What each finds is in fuzz/artifacts (not committed). An input that failed belongs into fuzz/regressions/TARGET when the fault is mended.
The last line is the sum: 'N passed, N failed'.
"""
import json, os, re, shutil, subprocess, sys, tempfile, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FUZZ = os.path.join(ROOT, "fuzz")
BUILT = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "fuzz")
# What `cargo fuzz build --sanitizer none` says, without cargo-fuzz. The options are stable.
FLAGS = ["-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4", "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
         "-Cllvm-args=-sanitizer-coverage-pc-table", "-Cllvm-args=-sanitizer-coverage-trace-compares", "--cfg", "fuzzing"]
SECONDS = int(os.environ.get("FLORIN_FUZZ_SECONDS", "60"))
JOBS = int(os.environ.get("FLORIN_FUZZ_JOBS", str(os.cpu_count() or 1)))
# One input that takes longer, or a process that takes more memory, is a failure.
INPUT_SECONDS = 20
MEMORY_MB = 2048
# Inputs that a corpus keeps, so that the repository stays small.
CORPUS_FILES = 150


def targets():
    return sorted(name[:-3] for name in os.listdir(os.path.join(FUZZ, "targets")) if name.endswith(".rs"))


def host():
    told = subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.search(r"^host: (\S+)$", told, re.M).group(1)


def build():
    """Builds all targets; the folder with their programs. With --target the flags are not for build scripts and macros."""
    triple = host()
    command = ["cargo", "build", "--release", "--manifest-path", os.path.join(FUZZ, "Cargo.toml"), "--target", triple]
    env = os.environ | {"RUSTFLAGS": " ".join(FLAGS), "CARGO_TARGET_DIR": BUILT}
    print("$ " + " ".join(command), flush=True)
    if subprocess.run(command, env=env, cwd=ROOT).returncode:
        return None
    return os.path.join(BUILT, triple, "release")


def words():
    """Names of fields, values of choices and settings: what a mutation would not guess."""
    with open(os.path.join(ROOT, "server", "tests", "openapi.json")) as file:
        document = json.load(file)
    found = set()

    def walk(value):
        if isinstance(value, dict):
            for name, inner in value.items():
                if name == "properties":
                    found.update(f'"{field}"' for field in inner)
                if name == "enum":
                    found.update(str(word) for word in inner)
                if name == "name" and isinstance(inner, str):
                    found.add(inner)
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
    with open(os.path.join(ROOT, "server", "src", "config", "keys.rs")) as file:
        found.update(re.findall(r'"([a-z_]+\.[a-z_.]+)"', file.read()))
    return sorted(word for word in found if word.isascii() and word.isprintable() and len(word) < 60)


def dictionary(path):
    with open(path, "w") as file:
        for word in words():
            escaped = word.replace("\\", "\\\\").replace('"', '\\"')
            file.write(f'"{escaped}"\n')


def folders(target):
    """What is committed of a target: inputs that cover much, and inputs that failed once."""
    return [path for path in (os.path.join(FUZZ, kind, target) for kind in ("corpus", "regressions")) if os.path.isdir(path)]


def verdict(target, status, output):
    """Whether a target passed, and a line about it. One that tried hardly anything shows nothing."""
    executed = re.search(r"^stat::number_of_executed_units: (\d+)$", output, re.M)
    executed = int(executed.group(1)) if executed else 0
    covered = re.findall(r" cov: (\d+) ", output)
    seeds = sum(len(os.listdir(folder)) for folder in folders(target))
    passed = status == 0 and executed > seeds and bool(covered)
    told = f"{'ok  ' if passed else 'FAIL'} {target:10} {executed:9} inputs, {covered[-1] if covered else 0:>6} edges, {seeds} seeds"
    return passed, told if status == 0 else f"{told}, status {status}"


def fuzz(programs, target, scratch, seconds):
    found = os.path.join(scratch, target)
    artifacts = os.path.join(FUZZ, "artifacts", target)
    os.makedirs(found)
    os.makedirs(artifacts, exist_ok=True)
    command = [os.path.join(programs, target), found, *folders(target), f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}",
               f"-rss_limit_mb={MEMORY_MB}", f"-dict={os.path.join(scratch, 'words')}", f"-artifact_prefix={artifacts}/",
               "-print_final_stats=1"]
    try:
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + 120)
        status, output = ended.returncode, ended.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        status, output = -1, (late.stdout or b"").decode(errors="replace") + "\nnot done in time: killed"
    passed, told = verdict(target, status, output)
    return passed, told if passed else f"{told}\n" + "\n".join(output.splitlines()[-60:])


def run_all(programs, names):
    waiting, results, lock = list(names), [], threading.Lock()
    with tempfile.TemporaryDirectory(prefix="florin-fuzz-") as scratch:
        dictionary(os.path.join(scratch, "words"))

        def work():
            while True:
                with lock:
                    if not waiting:
                        return
                    target = waiting.pop(0)
                passed, told = fuzz(programs, target, scratch, SECONDS)
                with lock:
                    results.append(passed)
                    print(told, flush=True)

        workers = [threading.Thread(target=work) for _ in range(JOBS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return results.count(True), len(names) - results.count(True)


def minimise(programs, target):
    """Makes the corpus, and what is below FLORIN_FUZZ_FOUND, into few inputs that cover about the same."""
    kept = os.path.join(FUZZ, "corpus", target)
    found = os.environ.get("FLORIN_FUZZ_FOUND")
    with tempfile.TemporaryDirectory(prefix="florin-fuzz-") as smaller:
        more = [os.path.join(found, target)] if found else []
        command = [os.path.join(programs, target), "-set_cover_merge=1", f"-timeout={INPUT_SECONDS}", smaller, kept, *more]
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            print(f"{target}: the merge failed")
            return 1
        # Short ones and long ones alike: a run finds again what lies between.
        names = sorted(os.listdir(smaller), key=lambda name: os.path.getsize(os.path.join(smaller, name)))
        names = [names[at * len(names) // CORPUS_FILES] for at in range(CORPUS_FILES)] if len(names) > CORPUS_FILES else names
        shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept)
        for name in names:
            shutil.copy(os.path.join(smaller, name), os.path.join(kept, name[:16]))
    print(f"{target}: {len(names)} inputs")
    return 0


def main(arguments):
    if arguments == ["--list"]:
        print("\n".join(targets()))
        return 0
    smaller = "--minimise" in arguments
    names = [word for word in arguments if word in targets()]
    files = [word for word in arguments if os.path.isfile(word)]
    unknown = [word for word in arguments if word not in names and word not in files and word != "--minimise"]
    if unknown:
        print(f"no such target or file: {', '.join(unknown)}; there are {', '.join(targets())}")
        return 2
    began = time.monotonic()
    programs = build()
    if programs is None:
        print("0 passed, 1 failed")
        return 1
    print(f"built in {time.monotonic() - began:.0f} s", flush=True)
    if files:
        return max(subprocess.run([os.path.join(programs, name), *files]).returncode for name in names)
    if smaller:
        return max(minimise(programs, name) for name in names or targets())
    passed, failed = run_all(programs, names or targets())
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
