# SPDX-License-Identifier: Apache-2.0
# chromautils.  GNU make; one file, no recursion into others, no configure.
#
#   make                 build everything into build/$(BUILD)/
#   make demo            build, and show the main jobs on a small real directory
#   make check           all tests but those that need a real Chroma, in TAP
#   make check-chroma    the tests that need real Chromas (installed by pip into
#                        build/venv, VENVS=DIR to use others)
#   make check-cross     the index builder on ARM, if a cross compiler and QEMU
#                        are there
#   make check-all       check in release, asan and tsan, and check-chroma
#   make lint            headers, layers, symbols, shell, manual pages
#   make analyze         gcc -fanalyzer, cppcheck, clang-tidy; silent when good
#   make fuzz            run each fuzz target for FUZZ_SECONDS (needs clang)
#   make bench           measure, beside the peers where they are installed
#   make install         honours DESTDIR PREFIX BINDIR MANDIR DATADIR
#   make uninstall       the same in reverse
#   make check-install   install, use, uninstall, and nothing is left
#   make dist            a tarball that is exactly the tagged commit
#   make clean           remove build/
#   make unidata         write the tables of Unicode again, by hand
#   make deps            install what is missing (apt-get), nothing if all is there
#   make help            this text
#
#   BUILD=release|debug|asan|tsan  V=1  WERROR=1  CC CFLAGS CPPFLAGS LDFLAGS
#   TEST_LONG=1 (slow tests too)  JOBS=N  PROVEFLAGS  T='tests/t/info.t ...'

VERSION := 0.1.0
BUILD   ?= release
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/chromautils
COMPDIR ?= $(PREFIX)/share/bash-completion/completions
DESTDIR ?=
PROVE   ?= prove
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS ?= 60
.DEFAULT_GOAL := all

PROGS := chroma-config chroma-hnswbuild chroma-hnswdump chroma-info \
	chroma-snap chroma-walapply chroma-walexport chroma-walfilter chroma-walprune
PIPES := commit copy export prune rebuild restore snapshot verify
# what they need
SHARED := indexes.bash lib.bash maintain.mk
# Layers, and in each its modules; a header includes its own layer and those
# before it (lint-layers).
LAYERS := base stream index chroma prog
base   := attr slice le rd err num clock entropy uuid buf arena utf8 base64 crc32c f32 f64 when \
	file dirnew spill spool hash textset sha256 glob ranges unidata uniprop \
	regexlex regexclass regexsets regexparse regexcheck regexprog regexmap \
	regexstep regex workers large
stream := zio unzlib in out json record fold whereset whereparse where frame stream \
	latest redact matrix jsonedit tar
index  := mix kernel kernels kernelcommon kernelx86 kernelportable kernelavx2 \
	kernelavx512 kernelneon vectors distinct codes near leaf assign cluster \
	graph search measure hints hubs prune upper connect build files intake
chroma := db safeschema era params holders persist pickle picklewrite index elements \
	catalog select walrows wal survey notes claim coverage rowset prune \
	pages tablecopy textindex rewrite reclaim purge pick only oldgraph feed \
	newindex paramset staging stageclaim publish metavalues metarows schemakeys apply \
	manifest accord chops unpack anchor carve still snapwrite graftrows repickle \
	newnames graftplan graft
prog   := prog opt progress receipt table infojson infotext \
	prunereport installreport snapreport
HEADER_ONLY := base/attr base/slice base/le base/rd index/mix index/kernels \
	index/kernelcommon index/kernelx86
SOURCE_ONLY := $(addprefix index/kernel,portable avx2 avx512 neon)
UNITS  := t_base64 t_chops t_claim t_coverage t_crc32c t_dirnew t_elements t_f32 t_f64 t_file \
	t_fold t_frame t_glob t_hash t_index t_intake t_json t_kernel t_matrix t_num t_out t_pages t_params \
	t_pickle t_picklewrite t_ranges t_record t_regex t_select t_sha256 t_spill t_spool \
	t_stream t_tar t_textset t_utf8 t_wal t_when t_where t_safeschema
UNITS  += t_build t_cluster t_codes t_connect t_distinct t_files t_graph t_hints t_hubs t_large t_leaf \
	t_measure t_near t_prune t_search t_upper t_vectors \
	t_jsonedit t_paramset t_staging t_uuid
UNITS  += t_manifest
FUZZ   := fuzz_pickle fuzz_index fuzz_elements fuzz_json fuzz_record fuzz_frame \
	fuzz_matrix fuzz_regex fuzz_stream fuzz_tar fuzz_where fuzz_manifest
BENCH  := bench_f32 bench_hnsw hnswdata hnswsearch
TOOLS  := faultio.so holdopen wherecheck unpackcheck

opt.release := -O2
opt.debug   := -O0
opt.asan    := -O1
opt.tsan    := -O1
# Loops over vectors, at the speed of the memory.
cflags.common/chroma/elements := $(if $(filter release,$(BUILD)),-O3)
# Kernels: the same C, and instructions, for each kind of processor.
fast := $(if $(filter release,$(BUILD)),-O3)
x86  := $(filter x86_64,$(shell $(CC) -dumpmachine | cut -d- -f1))
arm  := $(filter aarch64,$(shell $(CC) -dumpmachine | cut -d- -f1))
cflags.common/index/vectors := $(fast)
cflags.common/index/codes := $(fast)
cflags.tests/bench/hnswdata := $(fast)
cflags.tests/bench/hnswsearch := $(fast)
cflags.common/index/kernelportable := $(fast)
cflags.common/index/kernelavx2 := $(fast) $(if $(x86),-mavx2)
cflags.common/index/kernelavx512 := $(fast) $(if $(x86),-mavx512f -mavx512bw \
	-mavx512dq -mavx512vl -mavx512vnni -mprefer-vector-width=512)
cflags.common/index/kernelneon := $(fast) $(if $(arm),-march=armv8.2-a+dotprod)
CFLAGS ?= $(opt.$(BUILD)) -g
warn := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wwrite-strings -Wcast-qual -Wpointer-arith -Wundef -Wvla -Wformat=2 \
	-Wimplicit-fallthrough -Wdouble-promotion
prof.release := -fPIE -fstack-protector-strong \
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
prof.debug   := -fPIE
prof.asan    := -fPIE -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
prof.tsan    := -fPIE -fsanitize=thread
ld   := -pie -Wl,-z,relro,-z,now

ifeq ($(prof.$(BUILD)),)
$(error BUILD=$(BUILD) is not release, debug, asan or tsan)
endif

pkg = $(shell pkg-config $(1) $(2) 2>/dev/null)
sqlite_libs := $(or $(call pkg,--libs,sqlite3),-lsqlite3)
zstd_libs   := $(or $(call pkg,--libs,libzstd),-lzstd)
zlib_libs   := $(or $(call pkg,--libs,zlib),-lz)

b := build/$(BUILD)
ALL_CPPFLAGS = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-DCHROMAUTILS_VERSION='"$(VERSION)"' -Icommon \
	$(call pkg,--cflags,sqlite3) $(call pkg,--cflags,libzstd) \
	$(call pkg,--cflags,zlib) $(CPPFLAGS)
ALL_CFLAGS = -std=c11 $(warn) $(if $(WERROR),-Werror) \
	$(prof.$(BUILD)) $(CFLAGS) -ffp-contract=off -pthread
ALL_LDFLAGS = $(ld) $(LDFLAGS)
ALL_LDLIBS = $(sqlite_libs) $(zstd_libs) $(zlib_libs) -lm -pthread $(LDLIBS)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@)

modules := $(foreach l,$(LAYERS),$(addprefix $l/,$($l)))
headers := $(patsubst %,common/%.h,$(filter-out $(SOURCE_ONLY),$(modules)))
srcs    := $(patsubst %,common/%.c,$(filter-out $(HEADER_ONLY),$(modules)))
objs    := $(srcs:%.c=$b/obj/%.o)
lib     := $b/libchromautils.a
bins    := $(PROGS:%=$b/bin/%)
pipes   := $(PIPES:%=$b/bin/chroma-%)
units   := $(UNITS:%=$b/tests/unit/%)
replays := $(FUZZ:%=$b/tests/fuzz/%)
tools   := $(TOOLS:%=$b/tests/tools/%)
benches := $(BENCH:%=$b/tests/bench/%)
fuzzers := $(FUZZ:%=build/fuzz/%)
T ?= $(sort $(wildcard tests/t/*.t))

.PHONY: all demo check check-chroma check-cross check-all lint lint-headers \
	lint-layers lint-symbols analyze fuzz bench install uninstall check-install dist \
	clean deps help unidata FORCE
.DELETE_ON_ERROR:

all: $(bins) $(pipes)

# Rebuild everything when the flags change, not only when files do.
$b/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)' | \
	    cmp -s - $@ || printf '%s\n' \
	    '$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)' >$@

$b/obj/%.o: %.c $b/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(cflags.$*) -MMD -MP -c -o $@ $<

$(lib): $(objs)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(bins) $(units) $(benches) $(addprefix $b/tests/tools/,wherecheck unpackcheck): $b/%: $b/obj/%.o $(lib)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

# A fuzz target without clang: runs over the files that it is given.
$(replays): $b/%: $b/obj/%.o $b/obj/tests/fuzz/replay.o $(lib)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

# Helpers of the tests; plain, also where the programs are instrumented.
$b/tests/tools/%.so: tests/tools/%.c $b/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CPPFLAGS) -std=c11 $(warn) -O2 -g -fPIC -shared -o $@ $< -ldl
$b/tests/tools/%: tests/tools/%.c $b/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CPPFLAGS) -std=c11 $(warn) -O2 -g -o $@ $< $(sqlite_libs)

# The pipelines run from the build tree as they do installed.
$(pipes): $b/bin/chroma-%: pipelines/% $(SHARED:%=$b/share/chromautils/%)
	@mkdir -p $(@D)
	$(call say,CP)
	$(Q)install -m 0755 $< $@

$b/share/chromautils/%: pipelines/%
	@mkdir -p $(@D)
	$(Q)install -m 0644 $< $@

demo: deps
	$(Q)$(MAKE) -j$(JOBS) --no-print-directory all
	$(Q)BUILD_DIR='$(CURDIR)/$b' bash tests/demo.sh

check: deps
	$(Q)$(MAKE) -j$(JOBS) --no-print-directory check-needs
	$(Q)$(MAKE) --no-print-directory check-built

check-needs: $(bins) $(pipes) $(units) $(replays) $(tools)

check-built: check-needs
	$(Q)BUILD_DIR='$(CURDIR)/$b' BUILD='$(BUILD)' TEST_LONG='$(TEST_LONG)' \
	    $(PROVE) -j$(JOBS) $(PROVEFLAGS) --exec '' $(units) $(T)
.PHONY: check-built check-needs

# the longest first: none of them is left to run alone at the end
chroma_t := $(addprefix tests/chroma/,rebuild.t hnswbuild.t prune.t histories.t server.t)
chroma_t += $(filter-out $(chroma_t),$(sort $(wildcard tests/chroma/*.t)))

check-chroma:
	$(Q)bash tests/deps.sh chroma
	$(Q)$(MAKE) -j$(JOBS) --no-print-directory $(bins) $(pipes) $(tools) \
	    $b/tests/unit/t_regex
	$(Q)VENVS='$(or $(VENVS),$(CURDIR)/build/venv)' bash tests/chroma/setup.sh
	$(Q)VENVS='$(or $(VENVS),$(CURDIR)/build/venv)' BUILD_DIR='$(CURDIR)/$b' \
	    $(PROVE) -j$(JOBS) $(PROVEFLAGS) --exec '' $(chroma_t)

check-cross: $b/tests/bench/bench_hnsw $b/tests/bench/hnswdata
	$(Q)BUILD_DIR='$(CURDIR)/$b' MAKE='$(MAKE)' bash tests/cross.sh

check-all:
	$(MAKE) BUILD=release check
	$(MAKE) BUILD=asan check
	$(MAKE) BUILD=tsan check
	$(MAKE) check-chroma

lint: lint-headers lint-layers lint-symbols
	shellcheck -x -P SCRIPTDIR tests/lib.sh tests/t/*.t tests/chroma/*.t \
	    tests/demo.sh tests/deps.sh tests/*/*.sh pipelines/*.bash \
	    $(PIPES:%=pipelines/%) .ci/run
	groff -mdoc -ww -z docs/man/*.[157] 2>&1 | (! grep .)
	mandoc -Tlint -Wwarning docs/man/*.[157]
	@for p in $(PROGS) $(PIPES:%=chroma-%); do test -e docs/man/$$p.1 || \
	    { echo "no manual page for $$p"; exit 1; }; done
	@git grep -nI -L 'SPDX-License-Identifier' -- '*.c' '*.h' '*.sh' '*.t' \
	    '*.bash' '*.py' '*.[157]' pipelines Makefile .ci | (! grep .)

# Every header compiles alone.
lint-headers:
	@for h in $(headers); do \
	    printf '#include "%s"\nextern int unused;\n' "$${h#common/}" | \
	    $(CC) $(ALL_CPPFLAGS) -std=c11 $(warn) -Werror -fsyntax-only -x c - || \
	        { echo "$$h does not compile alone"; exit 1; }; \
	done

# Includes go to the own layer and to those before it, never up; modules that
# are not listed, and third-party headers in the wrong place, are found too.
lint-layers:
	@seen=; for l in $(LAYERS); do seen="$$seen $$l"; \
	    for f in common/$$l/*.[ch]; do \
	        case ' $(modules) ' in *" $$l/$$(basename $${f%.[ch]}) "*) ;; \
	        *) echo "$$f is not listed in the Makefile"; exit 1 ;; esac; \
	        for i in $$(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' $$f); do \
	            case "$$seen " in *" $$i "*) ;; \
	            *) echo "$$f includes $$i/, which is above it"; exit 1 ;; \
	            esac; \
	        done; \
	    done; \
	done
	@! grep -ln '<sqlite3.h>' common/*/*.[ch] bin/*.c | grep -v '^common/chroma/db\.c$$'
	@! grep -ln '<zstd' common/*/*.[ch] bin/*.c | grep -v '^common/stream/zio\.c$$'
	@! grep -ln '<zlib.h>' common/*/*.[ch] bin/*.c | grep -v '^common/stream/unzlib\.c$$'
	@! grep -nE '\b(printf|exit|abort|perror) ?\(' common/base/*.c common/stream/*.c common/chroma/*.c

# Every global is named after its module, or after the thing it gives
# (operation_name in record, space_name in params).
lint-symbols: $(lib)
	@nm -A --defined-only --extern-only $(lib) | awk '{ \
	    split($$1, a, ":"); m = a[2]; sub(/\.o$$/, "", m); \
	    if ($$3 ~ /^__odr_asan/) next; \
	    if (index($$3, m "_") != 1 && $$3 != m && \
	        !(m == "record" && $$3 ~ /^operation_/) && \
	        !(m == "params" && $$3 ~ /^(space|param)_name|^param_(source_name|row_key|json_key)/) && \
	        !(m == "catalog" && $$3 ~ /^collection_/)) \
	        { print "bad global: " m ".o " $$3; bad = 1 } } \
	    END { exit bad }'

tidy := -*,bugprone-*,clang-analyzer-*,misc-redundant-expression
tidy := $(tidy),-bugprone-easily-swappable-parameters
tidy := $(tidy),-bugprone-not-null-terminated-result
tidy := $(tidy),-bugprone-assignment-in-if-condition
tidy := $(tidy),-bugprone-narrowing-conversions
tidy := $(tidy),-clang-analyzer-valist.Uninitialized
tidy := $(tidy),-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling

# gcc 12 takes what realloc returned for uninitialised, always
analyze:
	@for f in $(PROGS:%=bin/%.c) $(srcs); do \
	    gcc $(ALL_CPPFLAGS) -DCHROMAUTILS_ANALYZE -std=c11 -O2 -fanalyzer -Werror \
	        -Wno-analyzer-use-of-uninitialized-value -c -o /dev/null $$f || exit 1; \
	done
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability \
	    --suppress=missingIncludeSystem --inline-suppr -Icommon bin common
	clang-tidy --quiet --warnings-as-errors='*' --checks='$(tidy)' \
	    $(PROGS:%=bin/%.c) $(srcs) -- $(ALL_CPPFLAGS) -DCHROMAUTILS_ANALYZE \
	    -std=c11 2>/dev/null

build/fuzz/%: tests/fuzz/%.c $(srcs) $(headers)
	@mkdir -p $(@D)
	clang $(ALL_CPPFLAGS) -std=c11 -g -O1 -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION \
	    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    -o $@ $< $(srcs) $(ALL_LDLIBS)

fuzz: $(fuzzers)
	@for f in $(FUZZ); do d=build/fuzz/corpus/$$f; mkdir -p $$d; \
	    build/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
	        $$d tests/fuzz/corpus/$${f#fuzz_} || exit 1; \
	done

bench: $(bins) $(pipes) $(benches)
	$(Q)BUILD_DIR='$(CURDIR)/$b' VENVS='$(or $(VENVS),$(CURDIR)/build/venv)' \
	    bash tests/bench/run.sh

install: all
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' \
	    '$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(MANDIR)/man7' \
	    '$(DESTDIR)$(DATADIR)' '$(DESTDIR)$(COMPDIR)'
	install -m 0755 $(bins) '$(DESTDIR)$(BINDIR)'
	for p in $(PIPES); do sed 's|^share=.*|share=$(DATADIR)|' pipelines/$$p \
	    >'$(DESTDIR)$(BINDIR)'/chroma-$$p && \
	    chmod 0755 '$(DESTDIR)$(BINDIR)'/chroma-$$p || exit 1; done
	install -m 0644 $(SHARED:%=pipelines/%) '$(DESTDIR)$(DATADIR)'
	for n in 1 5 7; do install -m 0644 docs/man/*.$$n \
	    '$(DESTDIR)$(MANDIR)'/man$$n || exit 1; done
	for p in $(PROGS) $(PIPES:%=chroma-%); do install -m 0644 \
	    docs/completions/chromautils.bash '$(DESTDIR)$(COMPDIR)'/$$p || exit 1; done

uninstall:
	rm -f $(PROGS:%='$(DESTDIR)$(BINDIR)/%') $(PIPES:%='$(DESTDIR)$(BINDIR)/chroma-%') \
	    $(foreach n,1 5 7,$(patsubst docs/man/%,'$(DESTDIR)$(MANDIR)/man$n/%',$(wildcard docs/man/*.$n))) \
	    $(PROGS:%='$(DESTDIR)$(COMPDIR)/%') $(PIPES:%='$(DESTDIR)$(COMPDIR)/chroma-%') \
	    $(SHARED:%='$(DESTDIR)$(DATADIR)'/%)
	rmdir '$(DESTDIR)$(DATADIR)' 2>/dev/null || true

check-install: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)MAKE='$(MAKE)' BUILD='$(BUILD)' $(PROVE) --exec '' tests/install.t

# By hand, for another version of Unicode; its head says what it needs.
unidata:
	python3 common/base/unidata.py >common/base/unidata.c.new
	mv common/base/unidata.c.new common/base/unidata.c

dist:
	@mkdir -p build
	git archive --prefix=chromautils-$(VERSION)/ \
	    -o build/chromautils-$(VERSION).tar.gz v$(VERSION)

clean:
	rm -rf build

deps:
	$(Q)bash tests/deps.sh

help:
	@sed -n 's/^#   //p' Makefile

-include $(wildcard $b/obj/*/*.d $b/obj/*/*/*.d)
