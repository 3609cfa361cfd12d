# SPDX-License-Identifier: Apache-2.0
#
# The front door. `make help` lists what it can do; each target sets up what it needs.

.POSIX:
.PHONY: help run build unit test asan tsan fuzz fault bench lint format cover check install deb clean distclean

PREFIX ?= /usr/local

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo 'Presets for cmake and editors are in CMakePresets.json; sources are built below build/.'

# setpriv: should make be killed, the script gets a TERM.
run: ## build weir, run it with a demo beside it; Ctrl-C ends both (WEIR_GRPC, WEIR_HTTP, WEIR_API)
	@exec setpriv --pdeathsig TERM tools/run.sh

build: ## build/weir, optimised
	@tools/build.sh release weir

unit: ## the unit tests alone; T=wal/ runs those whose names begin so
	@tools/build.sh debug tests
	@build/weir-test $(T)

test: ## every test there is
	@exec tools/test.sh

asan: ## every test under the address and undefined-behaviour sanitizers
	@SANITIZE=asan exec tools/test.sh

tsan: ## every test under the thread sanitizer
	@SANITIZE=tsan exec tools/test.sh

fuzz: ## run each fuzzer for FUZZ_SECONDS (60); F=name runs one
	@exec tools/fuzz.sh $(F)

fault: ## every file operation fails, kill -9 at each of them, damaged files, a full disk: an hour
	@exec tools/fault.sh

bench: build ## measure speed, size and latency
	@exec tools/bench.sh

lint: ## formatting, clang-tidy and the rules of the house; L=check runs one
	@exec tools/lint.sh $(L)

format: ## rewrite the sources the way .clang-format says
	@exec tools/format.sh

cover: ## line coverage of the unit tests and corpora, in build/cover/index.html
	@exec tools/cover.sh

check: lint test asan ## all that a change must pass

install: build ## install below PREFIX (/usr/local), staged below DESTDIR
	@DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)'

deb: ## build/weir_VERSION_ARCH.deb, a Debian package
	@exec tools/deb.sh

clean: ## delete what was built, keep what was fetched
	@tools/clean.sh

distclean: ## delete all that is not in the repository
	rm -rf build tests/sdk/node_modules
