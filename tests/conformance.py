#!/usr/bin/env python3
"""Plays the conformance cases against a running server and holds the outcome against conformance/pending.txt.

    FLORIN_URL=http://127.0.0.1:5001 FLORIN_KEY=MASTERKEY tests/conformance.py [--only NAME] [--webhooks PORT] [--shrink]

A case that fails and is not pending is a failure; so is a pending case that passes, because the list must say what is so; and
so is a name in the list that no case has, and a deviation that has become idle. --shrink rewrites the list without the cases
that passed; nothing adds to it. The last line says 'N passed, N failed'; pending cases are counted apart.
"""
import argparse, os, re, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN = os.path.join(ROOT, "conformance", "run.py")
PENDING = os.path.join(ROOT, "conformance", "pending.txt")
OUTCOME = re.compile(r"^(ok|FAIL|skip|BROKE) +([a-z_]+\.\w+)")


def names_in(text):
    return [line.split("#")[0].strip() for line in text.splitlines() if line.split("#")[0].strip()]


def outcomes_in(lines):
    """What run.py said of each case, and the lines it printed below it."""
    outcomes, details, current = {}, {}, None
    for line in lines:
        match = OUTCOME.match(line)
        if match:
            current = match.group(2)
            outcomes[current], details[current] = match.group(1), []
        elif line.startswith("    ") and current:
            details[current].append(line)
    return outcomes, details


def judge(outcomes, pending, cases, stale=()):
    """Returns the cases that passed, those that failed as listed, and a list of (name, what is wrong)."""
    passed, waiting, problems = [], [], [(name, "is in pending.txt, but there is no such case") for name in pending if name not in cases]
    for name in cases:
        outcome = outcomes.get(name)
        if outcome == "ok":
            if name in pending:
                problems.append((name, "passes: remove it from pending.txt"))
            else:
                passed.append(name)
        elif name in pending:
            waiting.append(name)
        else:
            problems.append((name, {None: "was not played", "skip": "was skipped"}.get(outcome, "fails")))
    doubles = {name for name in pending if pending.count(name) > 1}
    return passed, waiting, problems + [(name, "is listed twice") for name in sorted(doubles)] + [("deviations.json", line) for line in stale]


def in_order(text):
    """Names are sorted inside a group; a comment or an empty line ends it."""
    groups = [[]]
    for line in text.splitlines():
        if line.split("#")[0].strip():
            groups[-1].append(line.strip())
        else:
            groups.append([])
    return all(group == sorted(group) for group in groups)


def without(text, gone):
    """The list without some names, and without headings that nothing is left under."""
    blocks = []
    for block in re.split(r"\n{2,}", text.strip()):
        lines = [line for line in block.splitlines() if line.split("#")[0].strip() not in gone or line.startswith("#")]
        if not blocks or any(not line.startswith("#") for line in lines):
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("--url", default=os.environ.get("FLORIN_URL", "http://127.0.0.1:5001"))
    parser.add_argument("--key", default=os.environ.get("FLORIN_KEY", ""))
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=16, help="pending cases wait for what never comes; many at once keep that short")
    parser.add_argument("--webhooks", type=int, default=int(os.environ.get("FLORIN_WEBHOOK_PORT", "0")))
    parser.add_argument("--shrink", action="store_true", help="take the cases that pass out of pending.txt")
    options = parser.parse_args()

    text = open(PENDING).read()
    pending = [name for name in names_in(text) if options.only in name]
    cases = [n for n in subprocess.run([sys.executable, RUN, "--list"], check=True, capture_output=True, text=True).stdout.split() if options.only in n]
    command = [sys.executable, "-u", RUN, "--url", options.url, "--key", options.key, "--jobs", str(options.jobs), "--timeout", "20"]
    command += ["--only", options.only] if options.only else []
    command += ["--webhooks", str(options.webhooks)] if options.webhooks else []
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if OUTCOME.match(line) and sum(1 for known in lines if OUTCOME.match(known)) % 50 == 0:
                print(f"{len(outcomes_in(lines)[0])} of {len(cases)} played", flush=True)
    outcomes, details = outcomes_in(lines)
    # Idle deviations are told only of whole runs; of pending cases they say nothing yet.
    stale = [line[9:] for line in lines if line.startswith("STALE ")]
    passed, waiting, problems = judge(outcomes, pending, cases, stale)
    if not in_order(text):
        problems.append(("pending.txt", "is not sorted"))
    if process.returncode not in (0, 1):
        problems.append(("run.py", f"ended with status {process.returncode}"))
        print("\n".join(lines[-20:]))
    for name, what in problems:
        print(f"FAIL {name}: {what}")
        print("\n".join(details.get(name, [])[:8]) + "\n" if details.get(name) else "", end="")
    if options.shrink:
        now_ok = {name for name, outcome in outcomes.items() if outcome == "ok"}
        with open(PENDING, "w") as out:
            out.write(without(text, now_ok))
        print(f"pending.txt: {len([n for n in names_in(text) if n in now_ok])} names removed, {len(names_in(open(PENDING).read()))} left")
    print(f"{len(waiting)} pending")
    print(f"{len(passed)} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
