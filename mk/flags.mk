# Compilers, flags and libraries of each preset.

STD := -std=c17 -D_GNU_SOURCE

WARNINGS := -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wshadow \
    -Wstrict-prototypes -Wimplicit-fallthrough -Wvla -Wundef -Wpointer-arith \
    -Wwrite-strings

# What every build has: no symbol leaves the library unless it says so, no
# folder of the builder remains.
BASE_CFLAGS := -g -fPIC -fvisibility=hidden -ffile-prefix-map=$(CURDIR)=.

# No optimisation rests on undefined behaviour. Not with sanitizers: they take
# these for leave to overflow, and look away.
DEFINED_CFLAGS := -fno-strict-aliasing -fno-strict-overflow \
    -fno-delete-null-pointer-checks

# RELIABILITY of a released binary: what gcc 12 and clang 14 both know.
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
    -fstack-clash-protection -fcf-protection=full \
    -Werror=format-security -Werror=implicit -Werror=int-conversion \
    -Werror=incompatible-pointer-types

SHARED_LDFLAGS := -Wl,-z,defs
LDFLAGS := -pthread -Wl,--as-needed -Wl,-z,relro,-z,now,-z,noexecstack
CPPFLAGS :=

ifeq ($(PRESET),dev)
CC := gcc
CFLAGS := -O2 -Werror -DSTET_DEBUG=1
else ifeq ($(PRESET),clang)
CC := clang
CFLAGS := -O2 -Werror -DSTET_DEBUG=1
else ifeq ($(PRESET),asan)
CC := clang
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS := -O1 -Werror -DSTET_DEBUG=1 -fno-omit-frame-pointer $(SANITIZERS)
else ifeq ($(PRESET),tsan)
CC := clang
SANITIZERS := -fsanitize=thread
CFLAGS := -O1 -Werror -DSTET_DEBUG=1 -fno-omit-frame-pointer $(SANITIZERS)
else ifeq ($(PRESET),msan)
CC := clang
# Arguments are looked at where a call is made: who is called by a library,
# which is not built with it, has nothing to look at. See src/base/outside.h.
SANITIZERS := -fsanitize=memory -fsanitize-memory-param-retval \
    -fsanitize-memory-track-origins
CFLAGS := -O1 -Werror -DSTET_DEBUG=1 -fno-omit-frame-pointer $(SANITIZERS)
else ifeq ($(PRESET),cov)
CC := gcc
CFLAGS := -O0 -Werror --coverage -fprofile-update=atomic
SOURCE_CPPFLAGS := -DSTET_COVERAGE=1
LDFLAGS += --coverage
else ifeq ($(PRESET),mcdc)
CC := clang-19
CFLAGS := -O1
SOURCE_CPPFLAGS := -DSTET_COVERAGE=1 -fprofile-instr-generate \
    -fcoverage-mapping -fcoverage-mcdc -fprofile-update=atomic
LDFLAGS += -fprofile-instr-generate
else ifeq ($(PRESET),sim)
CC := gcc
CFLAGS := -O2 -Werror -DSTET_DEBUG=1 -DSTET_SIM=1 -fno-omit-frame-pointer
else ifeq ($(PRESET),simasan)
CC := clang
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS := -O2 -Werror -DSTET_DEBUG=1 -DSTET_SIM=1 -fno-omit-frame-pointer \
    $(SANITIZERS)
else ifeq ($(PRESET),fuzz)
CC := clang
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS := -O1 -Werror -DSTET_DEBUG=1 -fno-omit-frame-pointer $(SANITIZERS) \
    -fsanitize=fuzzer-no-link
else ifeq ($(PRESET),release)
CC := gcc
CFLAGS := -O3 $(HARDENING) -ftrivial-auto-var-init=zero
LDFLAGS += -pie
else
$(error no preset $(PRESET); there are dev, clang, asan, tsan, msan, cov, \
    mcdc, sim, simasan, fuzz, release)
endif

# Left to itself gcc clears and copies structs of some hundred bytes with one
# string instruction, which takes 40 ns before it has begun: a call of memset
# or memcpy takes 5.
ifneq ($(filter gcc%,$(notdir $(CC))),)
ifeq ($(shell uname -m),x86_64)
CFLAGS += -mmemset-strategy=libcall:-1:noalign \
    -mmemcpy-strategy=libcall:-1:noalign
endif
endif

# A released libstet.so is compiled as one unit: a batch takes a sixth less
# processor, a history a tenth. libstet.a is not: what is in it for that only
# the very same compiler reads, and others refuse the whole.
ifeq ($(PRESET) $(notdir $(CC)),release gcc)
LTO_CFLAGS := -flto=auto -ffat-lto-objects
LTO_STRIP := strip --wildcard --remove-section='.gnu.*lto_*' \
    --strip-symbol=__gnu_lto_v1
endif

CFLAGS += $(BASE_CFLAGS)
AR := ar

# A sanitizer's runtime is in the program, so its symbols stay open in the
# shared library.
ifdef SANITIZERS
LDFLAGS += $(SANITIZERS)
SHARED_LDFLAGS :=
else
CFLAGS += $(DEFINED_CFLAGS)
endif

# Libraries. tools/bootstrap puts what this Debian lacks into build/deps.

DEPS := $(CURDIR)/build/deps
CORE_PACKAGES := libzstd libxxhash 'yyjson >= 0.10' libcrypto
FORMATS_PACKAGES := expat zlib
CONFIG_PACKAGES := libfyaml
CLI_PACKAGES := libseccomp

pkg_config = $(shell PKG_CONFIG_PATH="$(DEPS)/pkgconfig:$$PKG_CONFIG_PATH" \
    pkg-config $(1) 2>/dev/null)
CORE_LIBS := $(call pkg_config,--libs $(CORE_PACKAGES))
CONFIG_LIBS := $(call pkg_config,--libs $(CONFIG_PACKAGES))
CLI_LIBS := $(call pkg_config,--libs $(FORMATS_PACKAGES) $(CONFIG_PACKAGES) \
    $(CLI_PACKAGES))
CMOCKA_LIBS := $(call pkg_config,--libs cmocka)
# Of one test program, which is not built where it is missing.
FUSE_LIBS := $(call pkg_config,--libs fuse3)
# As system headers: their inline functions are not held to our warnings.
as_system = $(patsubst -I%,-isystem %,$(call pkg_config,--cflags $(1)))
LIBS_CFLAGS := $(call as_system,$(CORE_PACKAGES) $(FORMATS_PACKAGES) \
    $(CONFIG_PACKAGES) $(CLI_PACKAGES))
FUSE_CFLAGS := $(call as_system,fuse3)

.PHONY: need-libraries
need-libraries:
	@$(if $(and $(CORE_LIBS),$(CLI_LIBS)),:,echo \
	    "libraries are missing: run tools/bootstrap build" >&2; exit 1)

# Where libyyjson is private, programs and libstet look for it in ../lib/stet,
# which holds in build/PRESET as well as in PREFIX/bin and PREFIX/lib.
PRIVATE_LIBDIR := $(filter $(DEPS)/%,\
    $(call pkg_config,--variable=libdir yyjson))
ifdef PRIVATE_LIBDIR
RUNTIME_DIR := $(BUILD)/lib/stet
RPATH := -Wl,-rpath,'$$ORIGIN/../lib/stet'
TEST_RPATH := -Wl,-rpath,$(PRIVATE_LIBDIR)
$(RUNTIME_DIR):
	@mkdir -p $(@D)
	@ln -sfn $(PRIVATE_LIBDIR) $@
endif
