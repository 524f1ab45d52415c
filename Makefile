# SPDX-License-Identifier: ISC
#
# A thin front for Meson, Ninja and the test runner. On a fresh Debian 12 `make demo` and `make test`
# need nothing before them. BUILD chooses another build folder.

BUILD ?= build
PYTHON ?= python3

PACKAGES := build-essential meson ninja-build pkg-config python3 \
	libjansson-dev libbsd-dev libcmocka-dev \
	busybox-static bash-static musl-tools gawk iproute2 passt \
	qemu-system-x86 cpio

.DEFAULT_GOAL := build

.PHONY: deps
deps:
	@tools/deps.sh $(PACKAGES)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

.PHONY: build
build: deps
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	ninja -C $(BUILD)

# What the tests and the demo serve with. Its libraries are Debian's; it is not installed.
NGINX := $(BUILD)/nginx/.unpacked
$(NGINX):
	@tools/deps.sh libcrypt1 libpcre2-8-0 libssl3 zlib1g
	@tools/unpack.sh $(BUILD)/nginx nginx

.PHONY: demo
demo: build $(NGINX)
	@tools/deps.sh wrk
	NGINX=$(abspath $(BUILD))/nginx/usr/sbin/nginx examples/demo.sh

.PHONY: test test-svm test-stress test-locks test-programs test-fault fuzz soak
test: build $(NGINX)
	$(PYTHON) tests/run.py --quick
test-svm: build
	$(PYTHON) tests/run.py --svm
test-stress: build
	$(PYTHON) tests/run.py --stress
	@$(MAKE) --no-print-directory test-locks
# The same, and the guests, with the order of locks checked.
test-locks: deps
	@test -f $(BUILD)-locks/build.ninja || meson setup $(BUILD)-locks -Dlock_ranks=true
	ninja -C $(BUILD)-locks
	$(PYTHON) tests/run.py --stress --build $(BUILD)-locks --only '^stress/'
	$(PYTHON) tests/run.py --quick --build $(BUILD)-locks --only '^guest/'
test-programs: build
	$(PYTHON) tests/run.py --programs
test-fault: build
	$(PYTHON) tests/run.py --fault
fuzz: build
	@tools/deps.sh clang libclang-rt-14-dev llvm
	$(PYTHON) tests/run.py --fuzz
soak: build
	$(PYTHON) tests/run.py --soak

.PHONY: bench bench-check
bench: build
	@tools/deps.sh gnuplot-nox
	$(PYTHON) bench/run.py
bench-check: build
	$(PYTHON) bench/run.py --check

.PHONY: format
format:
	@command -v clang-format >/dev/null || { echo "format: apt-get install clang-format" >&2; exit 1; }
	git ls-files -co --exclude-standard -- '*.c' '*.h' | xargs -r clang-format -i

.PHONY: check
check:
	$(PYTHON) tools/check.py
	$(PYTHON) tools/gen_syscalls_md.py --check
	$(PYTHON) tools/gen_security_md.py --check
	$(PYTHON) tools/gen_locks_md.py --check
	$(PYTHON) tools/gen_requests_md.py --check
	$(PYTHON) tools/layers.py --check

.PHONY: docs
docs:
	$(PYTHON) tools/gen_syscalls_md.py
	$(PYTHON) tools/gen_security_md.py
	$(PYTHON) tools/gen_locks_md.py
	$(PYTHON) tools/gen_requests_md.py
	$(PYTHON) tools/layers.py

.PHONY: install
install: build
	meson install -C $(BUILD)

# build/deb/unifork_VERSION_amd64.deb, from a copy of the files that git knows.
DEB := $(BUILD)/deb
.PHONY: deb
deb: deps
	@tools/deps.sh debhelper dpkg-dev fakeroot lintian
	rm -rf $(DEB) && mkdir -p $(DEB)/unifork
	git ls-files -z | tar c --null -T - | tar x -C $(DEB)/unifork
	cd $(DEB)/unifork && dpkg-buildpackage -b -us -uc
	lintian --fail-on error --tag-display-limit 0 $(DEB)/*.changes
