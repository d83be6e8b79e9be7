# SPDX-License-Identifier: MIT
# gilscope: see README.md. `make help` lists the targets. Everything built is below build/; V=1
# shows the commands.

.PHONY: all help check demo bench install clean deps lint format compile-commands hooks fuzz \
	matrix unit live
# a tool that fails may leave its output empty, and the next make would take that for made
.DELETE_ON_ERROR:

CC ?= cc
TARGET := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
BPF_ARCH_x86_64 := x86
BPF_ARCH_aarch64 := arm64
CLANG ?= $(firstword $(notdir $(wildcard /usr/bin/clang)) \
	$(notdir $(shell ls -v /usr/bin/clang-[0-9]* 2>/dev/null | tail -n 1)) clang)
# false when there is none: tools/find-bpftool has printed what to install
BPFTOOL ?= $(or $(shell tools/find-bpftool),false)
PROTOC_C ?= protoc-c
PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local
B := build

# The manual pages are printed by the program itself, so a cross-compiled one has none until it runs
# on its own machine.
all: $(B)/gilscope $(if $(filter $(TARGET),$(shell uname -m)),$(B)/man)

VERSION := $(shell sed -n 's/^## \[\{0,1\}\([0-9][0-9.]*\).*/\1/p' CHANGELOG.md 2>/dev/null | \
	head -n 1)
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	-Wno-unused-parameter
CPPFLAGS += -D_GNU_SOURCE -DGILSCOPE_VERSION='"$(VERSION)"' -Iuser -I. -I$(B)/gen
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 $(WARN)
LDLIBS := -lbpf -lelf -lz -lzstd -ljansson -lprotobuf-c -lcap-ng -lseccomp -lncursesw -ltinfo
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2);
endif

# ── user space: one archive per room, in three flavours ───────────────────────────────────────────
# plain, with sanitizers (asan), and counting the basic blocks that it runs (steps)
ROOMS := base python stream model symbols analysis words diagnosis view
room_sources = $(wildcard user/$(1)/*.c user/$(1)/*/*.c)
objects = $(patsubst %.c,$(B)/$(1)/%.o,$(2))

# the files of pages; constants.* are what they share with C
CONSTANTS := $(B)/gen/constants.js $(B)/gen/constants.css
ASSETS := $(CONSTANTS) $(wildcard $(foreach ext,js css html, \
	user/view/assets/*.$(ext) user/view/*/assets/*.$(ext) user/view/*/assets/*/*.$(ext)))
EMBEDDED := $(patsubst %.js,$(B)/gen/scripts/%.js,$(ASSETS))

define flavour
$(B)/$(1)/%.o: %.c $(B)/config
	$$(call say,CC,$$<)mkdir -p $$(@D) && \
		$$(CC) $$(CPPFLAGS) $$(CFLAGS) $(2) -MMD -MP -c -o $$@ $$<
$(B)/$(1)/gen/%.o: $(B)/gen/%.c $(B)/config
	$$(call say,CC,$$<)mkdir -p $$(@D) && \
		$$(CC) $$(CPPFLAGS) $$(CFLAGS) $(2) -MMD -MP -c -o $$@ $$<
$(B)/$(1)/libview.a: $(B)/$(1)/gen/pprof.pb-c.o $(B)/$(1)/gen/perfetto.pb-c.o $(B)/$(1)/gen/assets.o
$(B)/$(1)/gen/assets.o: $(B)/gen/assets.S $(EMBEDDED)
	$$(call say,AS,$$<)mkdir -p $$(@D) && $$(CC) -c -o $$@ $$<
$(B)/$(1)/user/view/export/pprof.o: $(B)/gen/pprof.pb-c.h
$(patsubst %,$(B)/$(1)/user/view/export/%.o,perfetto perfetto_packets perfetto_report): \
	$(B)/gen/perfetto.pb-c.h
endef
# one archive per room of a flavour
define archives
$(foreach room,$(2),
$(B)/$(1)/lib$(room).a: $(call objects,$(1),$(call room_sources,$(room)))
	$$(call say,AR,$$@)rm -f $$@ && mkdir -p $$(@D) && $$(AR) rcs $$@ $$^
)
endef
$(foreach name,plain asan steps,$(eval $(call archives,$(name),$(ROOMS))))
$(eval $(call flavour,plain,))
$(eval $(call flavour,asan,$(SANITIZE)))
$(eval $(call flavour,steps,-fsanitize-coverage=trace-pc))
# libraries from the last room to the first, as the linker needs them
LINKED := view diagnosis words analysis model symbols python stream base
rooms_of = $(foreach room,$(LINKED),$(B)/$(1)/lib$(room).a)

# capture and what includes it may know libbpf and the skeleton, so their objects wait for that
CAPTURE := $(call room_sources,capture) $(call room_sources,cmd) user/main.c
$(foreach flavour,plain asan steps,$(call objects,$(flavour),$(CAPTURE))): $(B)/gen/gilscope.skel.h

$(B)/gilscope: $(call objects,plain,$(CAPTURE)) $(call rooms_of,plain)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/gilscope-asan: $(call objects,asan,$(CAPTURE)) $(call rooms_of,asan)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# tests/steps.c counts the basic blocks that the program executes
$(B)/gilscope-steps: $(call objects,steps,$(CAPTURE)) $(call rooms_of,steps) \
	$(B)/plain/tests/steps.o
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(patsubst %,$(B)/%/user/base/sysname.o,plain asan steps): $(B)/gen/sysnames.inc
$(B)/gen/sysnames.inc: tools/gen-sysnames
	$(call say,GEN,$@)mkdir -p $(@D) && $< $(CC) > $@.tmp && mv $@.tmp $@

$(patsubst %,$(B)/%/user/view/tui/tui_terminal.o,plain asan steps): $(B)/gen/terminfo.inc
$(B)/gen/terminfo.inc:
	$(call say,GEN,$@)mkdir -p $(@D) && infocmp -0 -Q1 xterm-256color | \
		sed -n 's/^hex:[0-9A-F]*$$/"&"/p' > $@.tmp && grep -q hex $@.tmp && mv $@.tmp $@

$(CONSTANTS) $(B)/gen/constants.d.ts: $(B)/gen/constants.%: tools/gen-constants \
		user/model/states.def user/symbols/roles.def \
		$(wildcard user/words/*.def user/view/*/*.def)
	$(call say,GEN,$@)mkdir -p $(@D) && $< $* $(CC) > $@.tmp && mv $@.tmp $@

# always made, because the list of assets can change without a newer file
$(B)/gen/assets.S: tools/gen-assets FORCE
	@mkdir -p $(@D); $< $(EMBEDDED) | cmp -s - $@ || $< $(EMBEDDED) > $@

$(B)/gen/scripts/%.js: %.js tools/gen-script
	$(call say,GEN,$@)mkdir -p $(@D) && tools/gen-script $< > $@.tmp && mv $@.tmp $@

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h &: user/view/export/%.proto
	$(call say,PROTO,$<)mkdir -p $(B)/gen && $(PROTOC_C) -Iuser/view/export --c_out=$(B)/gen $<

# ── BPF: compiled one by one, linked into one object, turned into a skeleton ──────────────────────
# For the target machine of $(CC), which need not be this one; bpftool and clang run here.
BPF_ARCH = $(or $(BPF_ARCH_$(TARGET)),$(error gilscope is built for x86_64 and aarch64, but \
	'$(CC)' compiles for $(or $(TARGET),nothing that it says)))
BPF_CC = $(CLANG) -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -mcpu=v3 -O2 -g -Wall -Wextra \
	-Wno-unused-parameter -I. -MMD -MP
BPF_OBJECTS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.o,$(wildcard bpf/*.bpf.c))
$(B)/bpf/%.o: bpf/%.bpf.c $(B)/config
	$(call say,BPF,$<)mkdir -p $(@D) && $(BPF_CC) -c -o $@ $<
$(B)/bpf/gilscope.bpf.o: $(BPF_OBJECTS)
	$(call say,BPFLINK,$@)$(BPFTOOL) gen object $@ $^
$(B)/gen/gilscope.skel.h: $(B)/bpf/gilscope.bpf.o
	$(call say,SKEL,$@)mkdir -p $(@D) && \
		$(BPFTOOL) gen skeleton $< name gilscope_bpf > $@.tmp && mv $@.tmp $@

# ── tests ─────────────────────────────────────────────────────────────────────────────────────────
# tests/unit/ROOM/NAME.c is a cmocka program; it is linked against the rooms right of the kernel, in
# the sanitizer build. Those of capture also against capture without its folder kernel/, and so
# without libbpf
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*/*.c))
$(B)/unit/%: tests/unit/%.c $(call rooms_of,asan) $(B)/config
	$(call say,UNIT,$<)mkdir -p $(@D) && \
		$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -MMD -MP -MF $@.d -o $@ $< \
		$(filter %/libcapture.a,$^) $(call rooms_of,asan) \
		$(filter-out -lbpf,$(LDLIBS)) -lcmocka -lm

$(filter $(B)/unit/capture/%,$(UNIT)): $(B)/asan/libcapture.a
$(B)/asan/libcapture.a: $(call objects,asan,$(wildcard user/capture/*.c))
	$(call say,AR,$@)rm -f $@ && mkdir -p $(@D) && $(AR) rcs $@ $^
$(B)/unit/view/view_flames: $(B)/gen/pprof.pb-c.h
$(B)/unit/view/view_perfetto: $(B)/gen/perfetto.pb-c.h

# tests/fuzz/NAME.c defines LLVMFuzzerTestOneInput; the rooms are compiled once more with the
# coverage that libFuzzer needs
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZ_ROOMS := analysis model symbols python stream base
FUZZ_ARCHIVES := $(patsubst %,$(B)/fuzz/lib%.a,$(FUZZ_ROOMS))
$(eval $(call archives,fuzz,$(FUZZ_ROOMS)))
FUZZ_CC = $(CLANG) $(CPPFLAGS) -O1 -g -std=gnu11 -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
$(B)/fuzz/user/%.o: user/%.c $(B)/config
	$(call say,CC,$<)mkdir -p $(@D) && $(FUZZ_CC) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
$(B)/fuzz/user/base/sysname.o: $(B)/gen/sysnames.inc
$(B)/fuzz/%: tests/fuzz/%.c $(FUZZ_ARCHIVES) $(B)/config
	$(call say,FUZZ,$<)mkdir -p $(@D) && \
		$(FUZZ_CC) -fsanitize=fuzzer -MMD -MP -MF $(B)/fuzz/user/$*.d -o $@ $< \
		$(FUZZ_ARCHIVES) $(filter-out -lbpf,$(LDLIBS))

# check and demo install what they need; a second make then builds with it.
quietly = @V=$(V) tools/quietly
check: deps-test
	$(quietly) $(B)/build.log \
		'Building, with sanitizers and fuzzers (2 to 8 minutes; log: $(B)/build.log)' \
		$(MAKE) --no-print-directory -j$$(nproc) check-build
	@B=$(B) tools/check $(STAGES)
demo: deps-demo
	$(quietly) $(B)/build.log 'Building gilscope (about a minute; log: $(B)/build.log)' \
		$(MAKE) --no-print-directory -j$$(nproc) $(B)/gilscope
	@$$([ "$$(id -u)" -eq 0 ] || echo sudo) examples/demo $(B)/gilscope
deps-%:
	@tools/install-deps $*
deps: deps-all
.PHONY: check-build
check-build: $(B)/gilscope $(B)/gilscope-asan $(B)/gilscope-steps $(UNIT) $(FUZZ)

unit: $(UNIT)
	@B=$(B) tools/check unit
live: $(B)/gilscope
	@B=$(B) tools/check live
lint:
	@B=$(B) tools/check lint
# half an hour, or MINUTES=5: a service that restarts its workers, observed all the time
soak: $(B)/gilscope
	@GILSCOPE=$(B)/gilscope tests/soak/run $(MINUTES)
format: deps-test
	@tools/format
# for editors, clangd and clang-tidy; generated sources are made first
compile-commands: $(B)/gilscope
	@$(MAKE) --no-print-directory --dry-run --always-make V=1 \
		$(B)/gilscope $(UNIT) $(FUZZ) $(BENCH) | tools/compile-commands > $@.tmp
	@mv $@.tmp compile_commands.json
hooks:
	git config core.hooksPath tools/hooks
fuzz: $(FUZZ) $(B)/gilscope $(B)/gilscope-asan
	@B=$(B) FUZZ_SECONDS=$${FUZZ_SECONDS:-600} tools/check fuzz
# all of it, or with ONLY=text what has that in its name: a Python, or a kernel and machine such as
# 6.1-amd64, newest-amd64, 6.1-arm64
matrix: deps-matrix
	@$(MAKE) --no-print-directory $(B)/gilscope
	@tests/matrix/run --only '$(ONLY)'; run=$$?; \
		tests/matrix/guests --only '$(ONLY)'; guests=$$?; \
		case $$run-$$guests in \
		77-77) echo "make matrix: nothing is called '$(ONLY)'" >&2; exit 1 ;; \
		0-0 | 0-77 | 77-0) ;; \
		*) exit 1 ;; \
		esac

help:
	@sed -n 's/^#? //p' Makefile packaging/packages.mk
#? all      build/gilscope
#? check    install what is missing, build, run all tests (STAGES='unit lint fuzz golden live')
#? demo     install what is missing, build, run the example application and observe it
#? bench    measure costs and speeds; writes the tables of docs/evidence/overhead.md
#? matrix   run the live tests on every CPython, kernel and machine that can be had (ONLY=text:
#?          some); writes the tables of docs/evidence/support.md
#? soak     observe a service that restarts its workers for half an hour, or MINUTES
#? fuzz     run the fuzzers for FUZZ_SECONDS each (600)
#? lint     format, includes, names, sizes, columns, clang-tidy, JavaScript, documents, licences
#? format   format all code (clang-format, ruff, prettier)
#? compile-commands  write compile_commands.json, for editors and clang-tidy
#? hooks    have git check the format of each commit
#? install  to PREFIX (/usr/local), with DESTDIR; uninstall removes it
#? deps     install the distribution's packages that building and testing needs
#? clean    remove build/

# ── benchmarks: tests/bench/NAME.c becomes build/bench/NAME; tools/bench drives them ──────────────
BENCH := $(patsubst tests/bench/%.c,$(B)/bench/%, \
	$(filter-out %/simulation.c %.bpf.c,$(wildcard tests/bench/*.c)))
SIMULATION := tests/bench/simulation.c tests/bench/simulation.h
$(B)/bench/%: tests/bench/%.c $(SIMULATION) $(call rooms_of,plain) $(B)/config
	$(call say,BENCH,$<)mkdir -p $(@D) && \
		$(CC) $(CPPFLAGS) -Itests/bench $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< \
		tests/bench/simulation.c $(call rooms_of,plain) $(LDLIBS) -lm
$(B)/bench/trap: $(B)/gen/trap.skel.h
$(B)/bpf/bench/trap.o: tests/bench/trap.bpf.c $(B)/config
	$(call say,BPF,$<)mkdir -p $(@D) && $(BPF_CC) -c -o $@ $<
$(B)/gen/trap.skel.h: $(B)/bpf/bench/trap.o
	$(call say,SKEL,$@)mkdir -p $(@D) && \
		$(BPFTOOL) gen skeleton $< name trap_bpf > $@.tmp && mv $@.tmp $@
bench: deps-test
	@$(MAKE) --no-print-directory $(B)/gilscope bench-programs
	@B=$(B) tools/bench
bench-programs: $(BENCH)
.PHONY: bench-programs

# Everything is rebuilt when the flags change.
CONFIG := $(CC) $(CPPFLAGS) $(CFLAGS) $(CLANG)
$(B)/config: FORCE
	@mkdir -p $(@D); flags='$(subst ','\'',$(CONFIG))'; \
		printf '%s\n' "$$flags" | cmp -s - $@ || printf '%s\n' "$$flags" > $@
.PHONY: FORCE
FORCE:

include packaging/packages.mk

clean:
	rm -rf $(B)

DEPENDENCY_DIRS := $(wildcard \
	$(patsubst %,$(B)/%,plain asan steps bpf unit fuzz/user bench))
-include $(if $(DEPENDENCY_DIRS),$(shell find $(DEPENDENCY_DIRS) -type f -name '*.d'))
