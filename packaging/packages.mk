# SPDX-License-Identifier: MIT
# What people install: the program with its pages, one static file, and what that is packed into.
# Included by the Makefile.

.PHONY: static deb wheel image install uninstall check-packages
#? static   one file that runs on any Linux from 5.8 on: build/gilscope-static
#? deb      a Debian package of it: build/dist/gilscope_*.deb
#? wheel    a wheel of it, for pip and uv: build/dist/gilscope-*.whl
#? image    a container image of it, with buildah, podman or docker
#? check-packages  try all of these in bare Debian roots below build/

DIST := $(B)/dist
STATIC := $(B)/gilscope-static
# the machine that the compiler compiles for: x86_64, aarch64
CPU = $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
# Pages and completion come from the tables of --help. When the program is for another machine,
# NATIVE is one for this machine.
NATIVE ?= $(B)/gilscope
# What has no date of its own gets the last commit's, so that the same source makes the same
# packages.
DATED = SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || date +%s)}

# ── one static file ───────────────────────────────────────────────────────────────────────────────
static: $(STATIC)
# It is relocatable, so that its addresses are as random as other programs'. The linker names its
# inputs: whose licences go with it is asked there. Newer libelf.a and libz.a both define crc32(),
# the same function: zlib's comes first, and then libelf's is not taken. glibc's look-ups of users
# would need its shared libraries at run time. The one caller is libcap-ng's capng_change_id(),
# which gilscope does not call.
NSS := initgroups\|getpwuid\|getpwuid_r\|getgrouplist
$(B)/elf_gap.a: packaging/elf_gap.c
	$(call say,AR,$@)$(CC) $(CFLAGS) -c -o $(@:.a=.o) $< && rm -f $@ && $(AR) rcs $@ $(@:.a=.o)
$(STATIC): $(call objects,plain,$(CAPTURE)) $(call rooms_of,plain) | $(B)/elf_gap.a
	$(call say,STATIC,$@)LC_ALL=C \
		$(CC) $(CFLAGS) -static-pie $(LDFLAGS) -s -Wl,--trace -o $@ $^ \
		-Wl,--undefined=crc32_z -lz $(LDLIBS) $(B)/elf_gap.a \
		> $@.inputs 2> $@.log; status=$$?; \
		grep -v -e "in function .capng_change_id" \
		-e "warning: Using '\($(NSS)\)' in statically" $@.log >&2; exit $$status
$(STATIC).notices: $(STATIC) packaging/notices
	$(call say,GEN,$@)packaging/notices text $(STATIC).inputs > $@.tmp && mv $@.tmp $@

# ── installing ────────────────────────────────────────────────────────────────────────────────────
$(B)/man: $(NATIVE)
	$(call say,MAN,$@)rm -rf $@ && mkdir $@ && $(NATIVE) --man > $@/gilscope.1 && \
		for command in $$($(NATIVE) --commands); do \
			$(NATIVE) --man $$command > $@/gilscope-$$command.1 || exit 1; \
		done
$(B)/completion: $(NATIVE)
	$(call say,GEN,$@)rm -rf $@ && mkdir $@ && for shell in bash zsh fish; do \
			$(NATIVE) --completion $$shell > $@/$$shell || exit 1; \
		done

# where the shells look: distributions have places of their own for what their packages bring
BASH_DIR ?= $(PREFIX)/share/bash-completion/completions
ZSH_DIR ?= $(PREFIX)/share/zsh/site-functions
FISH_DIR ?= $(PREFIX)/share/fish/vendor_completions.d
MAN_DIR := $(PREFIX)/share/man/man1
PROGRAM ?= $(B)/gilscope
install: $(PROGRAM) $(B)/man $(B)/completion
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/gilscope
	install -d $(DESTDIR)$(MAN_DIR)
	install -m 644 $(B)/man/*.1 $(DESTDIR)$(MAN_DIR)
	install -D -m 644 $(B)/completion/bash $(DESTDIR)$(BASH_DIR)/gilscope
	install -D -m 644 $(B)/completion/zsh $(DESTDIR)$(ZSH_DIR)/_gilscope
	install -D -m 644 $(B)/completion/fish $(DESTDIR)$(FISH_DIR)/gilscope.fish
# The program that is there knows which pages came with it.
uninstall:
	@commands=$$($(DESTDIR)$(PREFIX)/bin/gilscope --commands) || { \
			printf '%s' 'No gilscope that runs is in $(DESTDIR)$(PREFIX)/bin; ' >&2; \
			echo 'name the PREFIX it was installed with.' >&2; \
			exit 1; \
		}; \
		set -x; rm -f $(DESTDIR)$(MAN_DIR)/gilscope.1 \
		$$(printf '$(DESTDIR)$(MAN_DIR)/gilscope-%s.1 ' $$commands) \
		$(DESTDIR)$(BASH_DIR)/gilscope $(DESTDIR)$(ZSH_DIR)/_gilscope \
		$(DESTDIR)$(FISH_DIR)/gilscope.fish $(DESTDIR)$(PREFIX)/bin/gilscope

# ── packages ──────────────────────────────────────────────────────────────────────────────────────
# All of them carry the static program: one package for every release, and nothing to be missing on
# a server.
deb: $(STATIC) $(STATIC).notices
	@rm -rf $(B)/deb && $(MAKE) --no-print-directory install PROGRAM=$(STATIC) \
		NATIVE=$(NATIVE) DESTDIR=$(B)/deb PREFIX=/usr \
		ZSH_DIR=/usr/share/zsh/vendor-completions > /dev/null
	$(call say,DEB,$(DIST))$(DATED) packaging/deb $(B)/deb $(CPU) $(VERSION) $(STATIC) $(DIST)
wheel: $(STATIC) $(STATIC).notices $(B)/man $(B)/completion
	$(call say,WHEEL,$(DIST))$(DATED) $(PYTHON) packaging/wheel $(B) $(CPU) $(VERSION) $(DIST)
IMAGE_TOOL ?= $(firstword $(foreach tool,buildah podman docker,\
	$(if $(shell command -v $(tool)),$(tool))))
image: $(STATIC) $(STATIC).notices
	@[ -n "$(IMAGE_TOOL)" ] || { \
		echo 'No tool that builds images is here. Install buildah, podman or docker.' >&2; \
		exit 1; \
	}
	$(IMAGE_TOOL) build $(IMAGE_FLAGS) --build-arg BINARY=$(STATIC) -f Containerfile \
		-t gilscope:$(VERSION) -t gilscope:latest .
check-build: static deb wheel
check-packages: static deb wheel
	@B=$(B) tests/packages/run
