# SPDX-License-Identifier: Apache-2.0
# mote. `make help` lists the targets.

BUILD   ?= build
CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla -Wundef
STD     := -std=c11 -Iinclude -ffp-contract=off -fno-math-errno -MMD -MP
ARCH    := $(shell $(CC) -dumpmachine | cut -d- -f1)

# The core, in the order data takes through it.
ROOMS    := base format text kernel model program device sample engine
CORE_C   := $(foreach room,$(ROOMS),$(wildcard src/$(room)/*.c))
CORE_O   := $(CORE_C:%.c=$(BUILD)/%.o)
CORE_FLAGS := -Isrc -ffreestanding -fno-stack-protector -fvisibility=hidden
HOST_C   := $(wildcard host/posix/*.c)
CLI_C    := $(wildcard apps/cli/*.c)
HOST_O   := $(HOST_C:%.c=$(BUILD)/%.o)
CLI_O    := $(CLI_C:%.c=$(BUILD)/%.o)
CLI_LIBS := -lcurl -ljansson -larchive -ledit -lcrypto -lm -lpthread

# A kernel file's suffix picks its flags.
ifeq ($(ARCH),x86_64)
$(BUILD)/src/kernel/%_avx2.o:       ISA := -mavx2 -mf16c
$(BUILD)/src/kernel/%_avxvnni.o:    ISA := -mavx2 -mf16c -mavxvnni
$(BUILD)/src/kernel/%_avx512.o:     ISA := -mavx2 -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl
$(BUILD)/src/kernel/%_avx512vnni.o: ISA := -mavx2 -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
endif

.PHONY: all lib
all: $(BUILD)/mote
lib: $(BUILD)/libmote.a

$(BUILD)/libmote.a: $(CORE_O)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/mote: $(CLI_O) $(HOST_O) $(BUILD)/libmote.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

$(BUILD)/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(CORE_FLAGS) $(ISA) -c -o $@ $<
$(BUILD)/host/%.o: host/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -I. -D_GNU_SOURCE -c -o $@ $<
$(BUILD)/apps/%.o: apps/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -I. -D_GNU_SOURCE -c -o $@ $<

# Unit and kernel tests: one program per file, with cmocka.
TEST_C := $(wildcard tests/unit/*_test.c tests/kernel/*_test.c tests/fail/*_test.c)
TEST_X := $(TEST_C:%.c=$(BUILD)/%)
$(BUILD)/tests/%: tests/%.c $(HOST_O) $(BUILD)/libmote.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) -I. -Isrc -D_GNU_SOURCE -o $@ $< $(HOST_O) $(BUILD)/libmote.a -lcmocka -lm -lpthread -ldl
.PHONY: unit
unit: $(TEST_X)
	@for t in $(TEST_X); do echo "== $$t"; $$t || exit 1; done

# Fuzzers: clang's libFuzzer, address and undefined-behaviour sanitizers; corpora in fuzz/corpus/<name>.
FUZZ_CC ?= clang-22
FUZZ_X  := $(patsubst fuzz/%_fuzz.c,$(BUILD)/fuzz/%,$(wildcard fuzz/*_fuzz.c))
$(BUILD)/fuzz/%: fuzz/%_fuzz.c $(CORE_C)
	@mkdir -p $(@D)
	$(MAKE) BUILD=$(BUILD)/fuzz/core CC=$(FUZZ_CC) CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" lib
	$(FUZZ_CC) $(STD) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. -Isrc -o $@ $< $(BUILD)/fuzz/core/libmote.a
.PHONY: fuzzers
fuzzers: $(FUZZ_X)

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
