#!/usr/bin/env bash
# Reproduces the published figures: a release build, a fresh data folder for each row, results in bench/out/*.json.
#
#   bench/figures.sh             every row
#   bench/figures.sh hot single  some rows, in the given order
#
# FLORIN, PORT, DATA, SECONDS_EACH, FILL and RUNS may be set in the environment. Nothing else should run on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

florin=${FLORIN:-target/release/florin}
port=${PORT:-5077}
data=${DATA:-bench/data}
seconds=${SECONDS_EACH:-30}
fill=${FILL:-20000000}
runs=${RUNS:-3}
url=http://127.0.0.1:$port
out=bench/out
server=
mkdir -p "$out"

start() {
  "$florin" serve --data "$data" --listen "127.0.0.1:$port" >>"$out/server.log" 2>&1 &
  server=$!
  local tries=0
  until curl -sf -o /dev/null "$url/health"; do
    kill -0 "$server" 2>/dev/null || { echo "the server ended; see $out/server.log" >&2; exit 1; }
    tries=$((tries + 1))
    [ "$tries" -lt 12000 ] || { echo "the server did not answer in time; see $out/server.log" >&2; exit 1; }
    sleep 0.005
  done
}

stop() {
  [ -n "$server" ] || return 0
  kill "-${1:-TERM}" "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
trap stop EXIT

fresh() {
  stop
  rm -rf -- "$data"
  mkdir -p "$data"
  start
}

# measure NAME OPTION...: on the server as it stands. A row that fails is reported and the others still run.
measure() {
  local name=$1
  shift
  echo "== $name: florin bench $*" >&2
  "$florin" bench --url "$url" --server-pid "$server" --data "$data" --check \
    --json "$out/$name.json" --svg "$out/$name.svg" "$@" | tee "$out/$name.txt" || echo "== $name FAILED" >&2
}

# row NAME OPTION...: RUNS times, each on a fresh folder. All runs are kept: publish their spread, not the best one.
row() {
  local name=$1
  shift
  for ((run = 1; run <= runs; run++)); do
    fresh
    measure "$name-$run" "$@"
  done
}

# timed NAME CURL-ARGUMENT...: the same request 101 times on one connection; median and slowest in milliseconds.
timed() {
  local name=$1
  shift
  local configuration="$out/$name.curl"
  : >"$configuration"
  for ((request = 0; request < 101; request++)); do
    printf 'url = "%s"\noutput = "%s"\n' "$1" "$out/$name.answer" >>"$configuration"
  done
  curl -s -K "$configuration" "${@:2}" -w '%{http_code} %{time_total}\n' >"$out/$name.times"
  if grep -qv '^200 ' "$out/$name.times"; then
    echo "== $name FAILED: $(head -c 300 "$out/$name.answer")" >&2
    return 0
  fi
  cut -d' ' -f2 "$out/$name.times" | sort -n |
    awk -v name="$name" '{ ms[NR] = $1 * 1000 } END { printf "%s: median %.3f ms, slowest %.3f ms\n", name, ms[51], ms[NR] }' |
    tee "$out/$name.txt"
}

text_of() { sed -n "s/.*\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p" "$1" | head -n 1; }

bulk() { row bulk-1000 --bulk 1000 --connections 16 --balances 100000 --duration "${seconds}s"; }
fifty_million() { row bulk-1000-50m --bulk 1000 --connections 16 --balances 100000 --count 50000000; }
hot() { row hot-1000 --bulk 1000 --connections 16 --balances 100000 --hot-share 100 --duration "${seconds}s"; }
small_bulk() { row bulk-50 --bulk 50 --connections 64 --balances 100000 --duration "${seconds}s"; }
single() {
  for connections in 1 16 64 1024; do
    row "single-$connections" --connections "$connections" --balances 100000 --duration "${seconds}s"
  done
}
open_loop() { row open-loop --rate 200000 --bulk 1000 --connections 64 --balances 100000 --count 20000000; }

# Restart, memory and disk look at one filled folder.
filled() {
  fresh
  measure filled --bulk 1000 --connections 16 --balances 1000000 --count "$fill" --warmup 0s
  stop KILL
  local before after
  before=$(date +%s%N)
  start
  after=$(date +%s%N)
  echo "restart after kill -9: $(((after - before) / 1000000)) ms until /health answers" | tee "$out/restart.txt"
  grep -E 'VmRSS|RssAnon|RssFile|VmHWM' "/proc/$server/status" | tee "$out/memory-after-restart.txt"
  du -s --block-size=1 "$data"/* | tee "$out/disk.txt"
  timed filter-no-index "$url/transactions/filter" -X POST -H 'Content-Type: application/json' \
    -d '{"filters":[{"field":"description","operator":"eq","value":"no transaction says this"}],"limit":20}'
}

# A balance with a million postings and more, looked at in the middle of its history.
history() {
  fresh
  local from to middle balance
  from=$(date +%s)
  measure history --bulk 1000 --connections 16 --hot-share 100 --count 5000000 --warmup 0s
  to=$(date +%s)
  balance=$(text_of "$out/history.json" hot_balance_id)
  middle=$(date -u -d "@$(((from + to) / 2))" +%Y-%m-%dT%H:%M:%SZ)
  timed balance-at "$url/balances/$balance/at?timestamp=$middle"
  timed statement-page "$url/transactions/filter" -X POST -H 'Content-Type: application/json' \
    -d "{\"filters\":[{\"field\":\"balance_id\",\"operator\":\"eq\",\"value\":\"$balance\"}],\"limit\":50}"
}

for name in "${@:-bulk fifty_million hot small_bulk single open_loop filled history}"; do
  for one in $name; do
    case $one in
    bulk | fifty_million | hot | small_bulk | single | open_loop | filled | history) "$one" ;;
    *)
      echo "no row $one; rows: bulk fifty_million hot small_bulk single open_loop filled history" >&2
      exit 2
      ;;
    esac
  done
done
