# SPDX-License-Identifier: Apache-2.0
# Short names for what meson, ninja and the scripts do.
SECONDS_EACH ?= 60
SOURCES = $(shell find src tests -name '*.[ch]' -not -path '*/node_modules/*')

.PHONY: help build release run test bench fuzz format check-format coverage clean

help:
	@echo 'make build         build/ (with debug information)'
	@echo 'make release       build-release/ (optimized)'
	@echo 'make run           build, start a cloud, deploy the reference stack to three regions and attack it'
	@echo 'make test          build everything and run all tests; the last line is the sum'
	@echo 'make bench         build-release/, then the benchmarks'
	@echo 'make fuzz          every fuzz target for SECONDS_EACH=$(SECONDS_EACH) seconds'
	@echo 'make format        lay out all C sources'
	@echo 'make coverage      docs/coverage.md from models/'
	@echo 'make clean         remove what was built (.venv and node_modules stay)'

build:
	@scripts/setup --build-only
	@scripts/build build

release:
	@scripts/setup --build-only
	@scripts/build build-release --buildtype=release

run:
	@scripts/run

test:
	@scripts/test

bench:
	@scripts/setup
	@scripts/build build-release --buildtype=release
	@bench/run

fuzz:
	@scripts/setup
	@scripts/fuzz $(SECONDS_EACH)

format:
	@clang-format-14 -i $(SOURCES)

check-format:
	@clang-format-14 --dry-run -Werror $(SOURCES)

coverage:
	@tools/modelgen/modelgen.py coverage --data "$$(models/find-models)" --overlay-dir models --out docs/coverage.md

clean:
	@rm -rf build build-release build-asan build-fuzz .cache
