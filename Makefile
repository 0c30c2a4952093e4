# SPDX-License-Identifier: MIT
# Everything is built under build/ (build/san/ with SAN=1). A new .c file needs no edit here.
#
#   all         perisco and its tools (without clang or libbpf: replay only)
#   tests       all, and the test programs that check runs
#   check       the tests that need no root
#   live-check  the tests that need root: network namespaces, veths, real servers
#   fuzz        runs each fuzz target for FUZZ_SECONDS (needs clang)
#   bench       cost of replay, as ratios to libpcap alone and to llhttp alone
#   live-bench  cost of watching, as ratios to nothing and to tcpdump (needs root)
#   compat      boots other kernels under qemu, and captures there
#   install     to DESTDIR and PREFIX

CC           ?= gcc
CLANG        ?= clang
BPFTOOL      ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool /usr/local/sbin/bpftool))
PREFIX       ?= /usr/local
FUZZ_SECONDS ?= 60

B := build$(if $(SAN),/san)

# llhttp: the distribution's library, else the C sources that Debian's node-llhttp installs.
ifneq ($(shell pkg-config --exists libllhttp && echo y),)
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp)
LLHTTP_LIBS   := $(shell pkg-config --libs libllhttp)
else
LLHTTP_CFLAGS := -isystem /usr/share/include/llhttp
LLHTTP_SRC    := $(wildcard /usr/share/llhttp/*.c)
LLHTTP_OBJ    := $(LLHTTP_SRC:/usr/share/llhttp/%.c=$B/llhttp/%.o)
endif

# Live capture needs clang for the BPF programs, bpftool for their skeletons, libbpf, libxdp and libnl.
HAVE_TC := $(shell command -v $(CLANG) >/dev/null 2>&1 && test -n "$(BPFTOOL)" && \
             pkg-config --exists libbpf libxdp libnl-3.0 libnl-route-3.0 && echo y)

# With sanitizers much of the time is the compiler's: at -O1 it takes two thirds of that at -O2.
CFLAGS   ?= $(if $(SAN),-O1 -g,-O2 -g -flto=auto)
AR       := gcc-ar
# Of what is made for link time optimization the tests take the rest, which links in no time.
FAT      := $(if $(findstring -flto,$(CFLAGS)),-ffat-lto-objects)
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
SANFLAGS := $(if $(SAN),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
ARCH     := $(if $(filter x86_64,$(shell uname -m)),-march=x86-64-v2)
ALL_CFLAGS = -std=gnu17 -pthread $(WARN) $(CFLAGS) $(ARCH) $(SANFLAGS) -D_GNU_SOURCE -Isrc -Ibpf -I$B/gen $(LLHTTP_CFLAGS) \
             $(if $(HAVE_TC),-DHAVE_TC $(shell pkg-config --cflags libnl-3.0)) -DPERISCO_VERSION='"$(VERSION)"'
VERSION  := $(shell cat VERSION)
LDLIBS   := -lpcap -lnghttp2 -lz -lcurl -ljansson -lrdkafka -lzstd -lmicrohttpd $(LLHTTP_LIBS) $(if $(HAVE_TC),$(shell pkg-config --libs libxdp libbpf libnl-3.0 libnl-route-3.0))

TC_SRC   := $(wildcard src/capture/tc*.c src/capture/link.c) src/capture/live.c
CORE_SRC := $(wildcard src/base/*.c src/packet/*.c src/reassembly/*.c src/proto/*.c src/engine/*.c)
EDGE_SRC := $(filter-out $(TC_SRC),$(wildcard src/capture/*.c src/output/*.c src/sink/*.c src/metrics/*.c src/cli/*.c src/workers/*.c)) $(if $(HAVE_TC),$(TC_SRC))
BPF_SRC  := $(if $(HAVE_TC),$(wildcard bpf/*/*.bpf.c))
TOOL_SRC := $(wildcard tools/*.c)
UNIT_SRC := $(filter-out $(if $(HAVE_TC),,tests/unit/tc_%.c),$(wildcard tests/unit/*.c))
FUZZ_SRC := $(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c))

obj = $(patsubst %.c,$B/obj/%.o,$(1))
CORE  := $B/libcore.a
EDGE  := $B/libedge.a
SKEL  := $(patsubst %.bpf.c,$B/gen/%.skel.h,$(notdir $(BPF_SRC)))
TOOLS := $(TOOL_SRC:tools/%.c=$B/%)
TOOL_LIB := $(call obj,$(wildcard tools/lib/*.c))
UNITS := $(UNIT_SRC:tests/unit/%.c=$B/unit/%)
CORPUS:= $(FUZZ_SRC:tests/fuzz/%.c=$B/corpus/%)
FUZZ  := $(FUZZ_SRC:tests/fuzz/%.c=$B/fuzz/%)

.PHONY: all tests check live-check fuzz bench live-bench compat metrics-doc install clean help
.SECONDARY:
all: $B/perisco $(TOOLS)

$B/perisco: $(call obj,$(wildcard src/*.c)) $(EDGE) $(CORE)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(TOOLS): $B/%: $B/obj/tools/%.o $(TOOL_LIB) $(EDGE) $(CORE)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(CORE): $(call obj,$(CORE_SRC)) $(LLHTTP_OBJ)
	@rm -f $@; $(AR) rcs $@ $^
$(EDGE): $(call obj,$(EDGE_SRC))
	@rm -f $@; $(AR) rcs $@ $^

$B/obj/%.o: %.c Makefile | $(SKEL)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(FAT) -MMD -MP -c -o $@ $<
$B/llhttp/%.o: /usr/share/llhttp/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(FAT) -O3 $(ARCH) $(SANFLAGS) $(LLHTTP_CFLAGS) -c -o $@ $<

BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Ibpf -I/usr/include/$(shell uname -m)-linux-gnu
vpath %.bpf.c $(dir $(BPF_SRC))
$B/bpf/%.bpf.o: %.bpf.c Makefile $(wildcard bpf/*.h bpf/*/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c -o $@ $<
$B/gen/%.skel.h: $B/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

$(UNITS): $B/unit/%: $B/obj/tests/unit/%.o $(EDGE) $(CORE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fno-lto $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
# A fuzz target's corpus is replayed by an ordinary program in every `make check`.
$(CORPUS): $B/corpus/%: $B/obj/tests/fuzz/%.o $B/obj/tests/fuzz/replay.o $(EDGE) $(CORE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fno-lto $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(FUZZ): $B/fuzz/%: tests/fuzz/%.c $(CORE_SRC) $(EDGE_SRC) $(wildcard src/*/*.h src/*.h tests/*.h tests/fuzz/*.h) | $(SKEL)
	@mkdir -p $(@D)
	$(CLANG) $(filter-out -Wvla -flto=auto,$(ALL_CFLAGS)) -O1 -w -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	  -o $@ $< $(CORE_SRC) $(EDGE_SRC) $(LLHTTP_SRC) $(LDLIBS)

tests: all $(UNITS) $(CORPUS)
check: tests
	B=$B scripts/check
live-check: all
	B=$B scripts/live-check
fuzz: $(FUZZ)
	B=$B FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz
bench: all
	B=$B scripts/bench
live-bench: all
	B=$B scripts/live-bench
compat: all
	B=$B scripts/compat

# The list in doc/metrics.md is the program's own.
metrics-doc: $B/perisco
	sed -i '/^| metric /,$$d' doc/metrics.md && $B/perisco help metrics >>doc/metrics.md

install: all
	install -D -m 755 $B/perisco $(DESTDIR)$(PREFIX)/bin/perisco
	install -D -m 644 doc/perisco.1 $(DESTDIR)$(PREFIX)/share/man/man1/perisco.1
clean:
	rm -rf build
help:
	@sed -n '4,12s/^# *//p' Makefile

-include $(shell find $B/obj -name '*.d' 2>/dev/null)
