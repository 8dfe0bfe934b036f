# make run     builds the server and serves on 127.0.0.1:5001 with ./data
# make test    installs what the tests need and runs everything; the last line says 'N passed, N failed'
# make bench   measures on this machine

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: run test bench build

run: build
	exec $${CARGO_TARGET_DIR:-target}/release/florin serve --listen 127.0.0.1:5001 --data ./data

build:
	cargo build --release --locked --package server --bin florin

test:
	@python3 tests/all.py

bench: build
	bench/figures.sh
