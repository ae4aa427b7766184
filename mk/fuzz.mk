# Fuzzing. With PRESET=fuzz a target has libFuzzer's main and looks for inputs
# that break its claim; in every other preset it has replay.c's, and is one of
# the unit tests.
#
#   make fuzz         TIME seconds (60) for each target, FUZZ=json,csv narrows
#   make fuzz-seeds   write inputs to begin with, where bytes are not text
#   make fuzz-merge   what the runs found, minimised, into fuzz/corpus

FUZZ_TARGETS := $(sort $(patsubst fuzz/%_fuzz.c,%,$(wildcard fuzz/*_fuzz.c)))
FUZZ_BINS := $(FUZZ_TARGETS:%=$(OUT)/fuzz/%_fuzz)
FUZZ_SOURCES := $(sort $(wildcard fuzz/*.c))
FUZZ_SHARED := $(filter-out %_fuzz.c fuzz/replay.c fuzz/seeds.c,$(FUZZ_SOURCES))
FUZZ_WORK := $(BUILD)/fuzz-work
FUZZ_MAIN := $(if $(filter fuzz,$(PRESET)),,fuzz/replay.c)
FUZZ_ONLY = $(strip $(if $(FUZZ),$(foreach t,$(subst $(comma), ,$(FUZZ)),\
    $(filter $(t),$(FUZZ_TARGETS))),$(FUZZ_TARGETS)))

$(call objects,$(FUZZ_SOURCES)): PRIVATE_INCLUDES += -Itests
-include $(patsubst %.o,%.d,$(call objects,$(FUZZ_SOURCES)))

$(FUZZ_BINS): $(OUT)/fuzz/%_fuzz: $(OUT)/obj/fuzz/%_fuzz.o \
    $(call objects,$(FUZZ_SHARED) $(FUZZ_MAIN)) $(TESTLIB_A) $(CLI_A) \
    $(FORMATS_A) $(CONFIG_A) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(if $(FUZZ_MAIN),,-fsanitize=fuzzer) $(TEST_RPATH) \
	    -o $@ $^ $(CORE_LIBS) $(CLI_LIBS) $(CMOCKA_LIBS)

# Writes inputs that no one types.
FUZZ_SEEDS := $(OUT)/fuzz/seeds
$(FUZZ_SEEDS): $(call objects,fuzz/seeds.c) $(TESTLIB_A) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(TEST_RPATH) -o $@ $^ $(CORE_LIBS) $(CMOCKA_LIBS)

fuzz-seeds-built: $(FUZZ_SEEDS)
	@mkdir -p $(addprefix $(FUZZ_WORK)/,$(FUZZ_TARGETS))
	$(Q)$< $(FUZZ_WORK)

.PHONY: fuzz fuzz-built fuzz-merge fuzz-merge-built fuzz-bins \
    fuzz-seeds fuzz-seeds-built
fuzz fuzz-merge fuzz-seeds:
	@$(MAKE) --no-print-directory $(PARALLEL) PRESET=fuzz $@-built

fuzz-built: $(FUZZ_ONLY:%=fuzz-run-%)
fuzz-merge-built: $(FUZZ_ONLY:%=fuzz-merge-%)
fuzz-bins: $(FUZZ_BINS)

# What a run finds stays in build; a new run goes on from there.
TIME ?= 60
FUZZ_WORDS_merge := json
FUZZ_WORDS_pointer := json
FUZZ_LIMITS := -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=512

fuzz-run-%: $(OUT)/fuzz/%_fuzz
	@mkdir -p $(FUZZ_WORK)/$* fuzz/corpus/$*
	@printf '  %-5s %s\n' FUZZ "$* for $(TIME) s"
	$(Q)$< -max_total_time=$(TIME) $(FUZZ_LIMITS) -print_final_stats=1 \
	    -artifact_prefix=$(FUZZ_WORK)/$*- \
	    $(addprefix -dict=,$(wildcard fuzz/$(or $(FUZZ_WORDS_$*),$*).dict)) \
	    $(FUZZ_ARGS) \
	    $(FUZZ_WORK)/$* fuzz/corpus/$* >$(FUZZ_WORK)/$*.log 2>&1 || \
	    { tail -n 40 $(FUZZ_WORK)/$*.log; exit 1; }
	$(Q)sed -n 's/^stat::number_of_executed_units: */    executed: /p' \
	    $(FUZZ_WORK)/$*.log

# Found anew from all that there is: the smallest inputs that reach the same.
fuzz-merge-%: $(OUT)/fuzz/%_fuzz
	@mkdir -p $(FUZZ_WORK)/$* $(FUZZ_WORK)/merged-$* fuzz/corpus/$*
	@rm -f $(FUZZ_WORK)/merged-$*/*
	$(Q)$< -merge=1 $(FUZZ_LIMITS) $(FUZZ_WORK)/merged-$* fuzz/corpus/$* \
	    $(FUZZ_WORK)/$* >$(FUZZ_WORK)/$*.merge.log 2>&1
	@rm -rf fuzz/corpus/$*
	@mv $(FUZZ_WORK)/merged-$* fuzz/corpus/$*
