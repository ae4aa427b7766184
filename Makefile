# stet: an embedded store for state machines
#
#   make            build the library, the command and the examples
#   make run        install what is missing, build, and run the demonstration
#   make test       install what is missing and run everything that CI runs
#   make check      the quick loop: lint and unit tests
#   make install    install a release build; PREFIX (/usr/local), DESTDIR
#
#   make unit, integration, lint, tools-tests    parts of the tests
#   make sim        simulated lives of a store; SIM_ARGS goes to stet-sim
#   make mutants    plant bugs that the simulation must find
#   make fuzz       look for inputs that break a parser; FUZZ=json,csv TIME=60
#   make models     try every order of the steps of tests/models, with spin
#   make test-long  the tests with all their rounds
#   make test-release  make test, which fails where a part was skipped
#   make bench      measure; BENCH_ARGS goes to the program
#   make analyze    gcc -fanalyzer, cppcheck and clang-tidy over the sources
#   make memcheck   unit tests under valgrind; ONLY narrows
#   make coverage   coverage of lines and branches, refused below the gates
#   make mcdc       MC/DC of the unit tests, room by room; installs clang 19
#   make format     lay out the sources
#   make symbols    list what the library exports
#   make bootstrap  install what is missing, and nothing else
#   make clean      remove what was built, but for fetched libraries
#
# PRESET chooses flags and folder: dev (default), clang, asan, tsan, msan, cov,
# mcdc, sim, simasan, fuzz, release. What is made goes to build/PRESET.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

PRESET ?= dev
BUILD ?= build
OUT := $(BUILD)/$(PRESET)

include mk/flags.mk

# V=1 shows the commands instead of what they make.
Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-5s %s\n' $(1) $(2))

comma := ,

# Sources are found, not listed: a new file in a folder is part of it.

LIB_SOURCES := $(sort $(wildcard src/base/*.c src/os/*.c src/core/*.c \
    src/stores/*/*.c src/engine/*.c))
FORMATS_SOURCES := $(sort $(wildcard src/formats/*.c))
CONFIG_SOURCES := $(sort $(wildcard src/config/*.c))
CLI_SOURCES := $(sort $(wildcard src/cli/*.c))
TESTLIB_SOURCES := $(sort $(wildcard tests/lib/*.c))
BENCH_SOURCES := $(sort $(wildcard bench/*.c))
SIM_SOURCES := $(sort $(wildcard tests/sim/*.c))
TEST_SOURCES := $(sort $(wildcard tests/unit/*_test.c \
    tests/integration/*_test.c))
# Programs that tests start, and kill.
PROGRAM_SOURCES := $(filter-out $(if $(FUSE_LIBS),,%/logdisk.c),\
    $(sort $(wildcard tests/programs/*.c)))
EXAMPLES := $(sort $(patsubst examples/%/,%,$(dir $(wildcard examples/*/*.c))))
INTEGRATION := $(sort $(wildcard tests/integration/*.sh tests/integration/*.py))

objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

LIB_A := $(OUT)/libstet.a
LIB_SO := $(OUT)/libstet.so.0
FORMATS_A := $(OUT)/libstet-formats.a
CONFIG_A := $(OUT)/libstet-config.a
CONFIG_SO := $(OUT)/libstet-config.so.0
CLI_A := $(OUT)/libstet-cli.a
TESTLIB_A := $(OUT)/libstet-tests.a
CLI := $(if $(CLI_SOURCES),$(OUT)/stet)
BENCH := $(if $(BENCH_SOURCES),$(OUT)/stet-bench)
SIM := $(OUT)/stet-sim
EXAMPLE_BINS := $(foreach e,$(EXAMPLES),$(OUT)/examples/$(e))
TEST_BINS := $(patsubst %.c,$(OUT)/%,$(TEST_SOURCES))
PROGRAM_BINS := $(patsubst %.c,$(OUT)/%,$(PROGRAM_SOURCES))
UNIT_BINS := $(filter $(OUT)/tests/unit/%,$(TEST_BINS))
INTEGRATION_BINS := $(filter $(OUT)/tests/integration/%,$(TEST_BINS))

include mk/fuzz.mk

.PHONY: all tests
all: $(LIB_A) $(LIB_SO) $(CONFIG_A) $(CONFIG_SO) $(CLI) $(EXAMPLE_BINS)
tests: all $(TEST_BINS) $(FUZZ_BINS) $(PROGRAM_BINS) $(BENCH)

# Compiling. Every object is position independent, so that the two libraries
# are made of the same ones. Examples see the public headers and nothing else.

PRIVATE_INCLUDES := -Isrc
$(call objects,$(wildcard examples/*/*.c)): PRIVATE_INCLUDES :=
$(call objects,$(TESTLIB_SOURCES) $(TEST_SOURCES) $(PROGRAM_SOURCES) \
    $(SIM_SOURCES)): PRIVATE_INCLUDES += -Itests

$(call objects,$(LIB_SOURCES)): CFLAGS += $(LTO_CFLAGS)
ifneq ($(LTO_CFLAGS),)
# gcc leaves the name of this folder in such objects, mapped or not.
$(call objects,$(LIB_SOURCES)): export PWD := /proc/self/cwd
endif
$(OUT)/obj/%.o: %.c Makefile mk/flags.mk | need-libraries
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(STD) $(CPPFLAGS) $(if $(filter src/%,$<),$(SOURCE_CPPFLAGS)) \
	    -Iinclude $(PRIVATE_INCLUDES) $(LIBS_CFLAGS) $(WARNINGS) $(CFLAGS) \
	    -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call objects,$(LIB_SOURCES) $(FORMATS_SOURCES) \
    $(CONFIG_SOURCES) $(CLI_SOURCES) $(TESTLIB_SOURCES) $(BENCH_SOURCES) $(TEST_SOURCES) \
    $(PROGRAM_SOURCES) $(SIM_SOURCES) $(wildcard examples/*/*.c)))

# Libraries. The list of sources is one of what they are made from: an archive
# is made anew when a file goes away.

SOURCE_LIST := $(OUT)/sources
ifneq ($(shell cat $(SOURCE_LIST) 2>/dev/null),$(strip $(LIB_SOURCES) \
    $(FORMATS_SOURCES) $(CONFIG_SOURCES) $(CLI_SOURCES) $(TESTLIB_SOURCES)))
.PHONY: $(SOURCE_LIST)
endif
$(SOURCE_LIST):
	@mkdir -p $(@D)
	@echo $(LIB_SOURCES) $(FORMATS_SOURCES) $(CONFIG_SOURCES) \
	    $(CLI_SOURCES) $(TESTLIB_SOURCES) >$@

$(LIB_A): $(call objects,$(LIB_SOURCES))
$(FORMATS_A): $(call objects,$(FORMATS_SOURCES))
$(CONFIG_A): $(call objects,$(CONFIG_SOURCES))
$(TESTLIB_A): $(call objects,$(TESTLIB_SOURCES))
# The command without its main, which tests link too.
$(CLI_A): $(call objects,$(filter-out src/cli/main.c,$(CLI_SOURCES)))
$(OUT)/%.a: $(SOURCE_LIST)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
	$(if $(LTO_STRIP),$(Q)$(LTO_STRIP) $@)

$(LIB_SO): $(call objects,$(LIB_SOURCES)) $(SOURCE_LIST) tools/stet.map | \
    $(RUNTIME_DIR)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LTO_CFLAGS) $(LDFLAGS) \
	    -shared -Wl,-soname,$(@F) $(SHARED_LDFLAGS) \
	    -Wl,--version-script=tools/stet.map $(RPATH) \
	    -o $@ $(filter %.o,$^) $(CORE_LIBS)
	@ln -sf $(@F) $(@D)/libstet.so

# What it needs of base it has itself: libstet.so shows that to nobody.
$(CONFIG_SO): $(call objects,$(CONFIG_SOURCES)) $(LIB_A) tools/stet-config.map
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) \
	    -shared -Wl,-soname,$(@F) $(SHARED_LDFLAGS) \
	    -Wl,--version-script=tools/stet-config.map \
	    -o $@ $(filter %.o %.a,$^) $(CONFIG_LIBS)
	@ln -sf $(@F) $(@D)/libstet-config.so

# Programs.

$(CLI): $(call objects,src/cli/main.c) $(CLI_A) $(FORMATS_A) $(CONFIG_A) \
    $(LIB_A) | $(RUNTIME_DIR)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(RPATH) -o $@ $^ $(CORE_LIBS) $(CLI_LIBS)

# As a user's program is, which knows no more than what libstet.so exports.
$(BENCH): $(call objects,$(BENCH_SOURCES)) $(LIB_SO)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -Wl,-rpath,'$$ORIGIN' $(TEST_RPATH) -o $@ \
	    $(filter %.o,$^) -L$(OUT) -lstet

# A seed means the same run only for the same commit: so that is told with it.
COMMIT := $(or $(shell git describe --always --dirty 2>/dev/null),unknown)
SWARM_O := $(call objects,tests/sim/swarm.c)
ifneq ($(shell cat $(OUT)/commit 2>/dev/null),$(COMMIT))
.PHONY: $(OUT)/commit
endif
$(OUT)/commit:
	@mkdir -p $(@D)
	@echo $(COMMIT) >$@
$(SWARM_O): CPPFLAGS += -DSTET_COMMIT='"$(COMMIT)"'
$(SWARM_O): $(OUT)/commit

# Its zstd contexts are kept from run to run: tests/sim/packers.c.
SIM_WRAPPED := $(foreach f,createCCtx_advanced createDCtx_advanced freeCCtx \
    freeDCtx CCtx_setParameter,-Wl,--wrap=ZSTD_$(f))
$(SIM): $(call objects,$(SIM_SOURCES)) $(TESTLIB_A) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(SIM_WRAPPED) $(TEST_RPATH) -o $@ $^ $(CORE_LIBS) \
	    $(CMOCKA_LIBS)

$(TEST_BINS) $(PROGRAM_BINS): $(OUT)/%: $(OUT)/obj/%.o $(TESTLIB_A) $(CLI_A) \
    $(FORMATS_A) $(CONFIG_A) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(TEST_RPATH) -o $@ $^ $(CORE_LIBS) $(CLI_LIBS) \
	    $(CMOCKA_LIBS)

$(call objects,tests/programs/logdisk.c): LIBS_CFLAGS += $(FUSE_CFLAGS)
$(OUT)/tests/programs/logdisk: CMOCKA_LIBS := $(FUSE_LIBS)

# An example is all the C files of one folder, linked as a user would.
define example_rule
$(OUT)/examples/$(1): $(call objects,$(wildcard examples/$(1)/*.c)) $(LIB_SO)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) -Wl,-rpath,'$$$$ORIGIN/..' $$(TEST_RPATH) -o $$@ \
	    $$(filter %.o,$$^) -L$(OUT) -lstet
endef
$(foreach e,$(EXAMPLES),$(eval $(call example_rule,$(e))))

# Testing. ONLY=buf,map narrows unit and integration to matching names.

only = $(if $(ONLY),$(foreach o,$(subst $(comma), ,$(ONLY)),\
    $(foreach t,$(1),$(if $(findstring $(o),$(notdir $(t))),$(t)))),$(1))
RUN_TESTS := tools/run-tests --build $(OUT)

.PHONY: check unit integration lint tools-tests format symbols coverage
check: lint unit

unit: $(call only,$(UNIT_BINS) $(FUZZ_BINS))
	$(Q)$(RUN_TESTS) $^

integration: all $(INTEGRATION_BINS) $(PROGRAM_BINS)
	$(Q)$(RUN_TESTS) $(call only,$(INTEGRATION_BINS) $(INTEGRATION))

# The permanent seeds, then new ones. PRESET=simasan has sanitizers look, too.
SIM_ARGS ?= --seeds 20000 --marks
.PHONY: sim sim-built
sim:
	@$(MAKE) --no-print-directory $(PARALLEL) \
	    PRESET=$(if $(filter sim%,$(PRESET)),$(PRESET),sim) sim-built

sim-built: $(SIM)
	$< --file tests/sim/seeds.txt --twice
	$< $(SIM_ARGS)

# Plant bugs of tests/mutants, and have the simulation find them: those that it
# finds soon, or with MUTATE_ARGS= all of them.
MUTATE_ARGS ?= --gate
.PHONY: mutants
mutants:
	$(Q)tools/mutate $(MUTATE_ARGS)

# Every order of the steps of a model; and its own planted bugs.
.PHONY: models
models:
	$(Q)$(RUN_TESTS) tests/models/check.py

lint: $(LIB_SO) $(CONFIG_SO) $(call objects,$(FORMATS_SOURCES))
	$(Q)tools/tidy --build $(OUT) --cflags "$(LIBS_CFLAGS)"

.PHONY: analyze memcheck
analyze: | need-libraries
	$(Q)tools/analyze --cflags "$(LIBS_CFLAGS)"

memcheck: $(call only,$(UNIT_BINS))
	$(Q)$(RUN_TESTS) --under "valgrind -q --error-exitcode=99 \
	    --leak-check=full --errors-for-leak-kinds=definite" $^

tools-tests:
	$(Q)$(RUN_TESTS) $(sort $(wildcard tests/tools/*_test.*))

format:
	tools/tidy --format

list_symbols = nm -D --defined-only -P $(1) | cut -d' ' -f1 | \
    LC_ALL=C sort >$(2)
symbols: $(LIB_SO) $(CONFIG_SO)
	$(call list_symbols,$(LIB_SO),tools/symbols.txt)
	$(call list_symbols,$(CONFIG_SO),tools/symbols-config.txt)

coverage:
	tools/coverage

# What needs a whole machine: each begins with what is missing there.

.PHONY: bootstrap run test test-long test-release bench
bootstrap:
	tools/bootstrap test

run:
	@tools/bootstrap build
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@STET_BUILD=$(CURDIR)/$(OUT) STET=$(CURDIR)/$(CLI) examples/card_game/run.sh

test:
	@tools/bootstrap test
	@tools/ci

test-long:
	@tools/bootstrap test
	@STET_LONG=1 tools/ci

test-release:
	@tools/bootstrap test
	@STET_RELEASE=1 tools/ci

# Without clang 19, which few machines have, it says so.
.PHONY: mcdc
mcdc:
	@tools/bootstrap mcdc || :
	@tools/mcdc

bench:
	@tools/bootstrap build
	@$(MAKE) --no-print-directory $(PARALLEL) PRESET=release bench-built
.PHONY: bench-built
bench-built: $(BENCH)
	$< $(BENCH_ARGS)

# As many jobs as there are processors, unless the caller said how many.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

include mk/install.mk

.PHONY: clean help
clean:
	rm -rf $(filter-out $(BUILD)/deps,$(wildcard $(BUILD)/*))

help:
	@sed -n 's/^#   make/  make/p' Makefile
