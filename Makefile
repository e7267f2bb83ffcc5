# SPDX-License-Identifier: Apache-2.0
#
# mote. `make help` lists the targets. Everything made here lands in $(BUILD); give each compiler or set of
# flags a folder of its own:  make BUILD=build/clang CC=clang-22
#
# The binary is portable: only kernel files are compiled for more than the architecture's baseline, each for
# the instruction set its name ends in, and the program picks among them when it starts.

BUILD   ?= build
CC      ?= cc
AR      ?= ar
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla -Wundef
STD     := -std=c11 -Iinclude -ffp-contract=off -fno-math-errno
DEPEND   = -MMD -MP -MF $@.d
ARCH    := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))

# The core, in the order data takes through it.
ROOMS      := base format text kernel model program device sample engine
CORE_C     := $(foreach room,$(ROOMS),$(sort $(wildcard src/$(room)/*.c)))
CORE_O     := $(CORE_C:%.c=$(BUILD)/%.o)
CORE_FLAGS := -Isrc -ffreestanding -fno-stack-protector -fvisibility=hidden
HOST_O     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard host/posix/*.c))
CLI_O      := $(patsubst %.c,$(BUILD)/%.o,$(wildcard apps/cli/*.c))
CLI_LIBS   := -lcurl -ljansson -larchive -ledit -lcrypto -lm -lpthread
APP_FLAGS  := -I. -D_GNU_SOURCE

# A suffix picks the flags of a file: of kernels, and of the loops that `mote bench` measures the machine with.
ifeq ($(ARCH),x86_64)
$(BUILD)/%_avx2.o:       ISA := -mavx2 -mf16c
$(BUILD)/%_avxvnni.o:    ISA := -mavx2 -mf16c -mavxvnni
$(BUILD)/%_avx512.o:     ISA := -mavx2 -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl
$(BUILD)/%_avx512vnni.o: ISA := -mavx2 -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
else ifneq ($(filter aarch64 arm64,$(ARCH)),)
$(BUILD)/%_dotprod.o:    ISA := -march=armv8.2-a+dotprod
$(BUILD)/%_i8mm.o:       ISA := -march=armv8.2-a+dotprod+i8mm
endif

.DELETE_ON_ERROR:
.PHONY: all lib demo test help install uninstall clean FORCE
all: $(BUILD)/mote ## the command, build/mote (what `make` alone does)
lib: $(BUILD)/libmote.a ## the core alone, build/libmote.a

$(BUILD)/libmote.a: $(CORE_O)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/mote: $(CLI_O) $(HOST_O) $(BUILD)/libmote.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

$(BUILD)/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(CORE_FLAGS) $(ISA) $(DEPEND) -c -o $@ $<
$(BUILD)/host/%.o: host/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(APP_FLAGS) $(DEPEND) -c -o $@ $<
# The catalogue of models is built into the command, as the bytes of an initialiser.
$(BUILD)/apps/cli/catalogue.inc: share/catalogue.json
	@mkdir -p $(@D)
	od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g' > $@
$(BUILD)/apps/cli/catalogue.o: $(BUILD)/apps/cli/catalogue.inc
$(BUILD)/apps/cli/catalogue.o: APP_FLAGS += -I$(BUILD)/apps/cli
$(BUILD)/apps/%.o: apps/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(APP_FLAGS) $(ISA) $(DEPEND) -c -o $@ $<

demo: ## installs what is missing, builds, fetches a real model and asks it a question
	@tools/install.sh build pull
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(BUILD) tools/demo.sh

test: ## installs what is missing, builds, runs every test and check
	@tools/install.sh build test web
	+@BUILD=$(BUILD) tools/test.sh unit kernel fail bare cli wasm wasi golden web check

JOBS = $(shell getconf _NPROCESSORS_ONLN)

# Makes models with random weights, for tests and timings.
SYNTH_C := $(sort $(wildcard tools/synth*.c))
$(BUILD)/mote-synth: $(SYNTH_C) tools/synth.h
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) $(APP_FLAGS) -o $@ $(SYNTH_C) -lm

# ---- tests ----

# Unit, kernel and failure tests: one cmocka program per file.
TEST_X    := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/*_test.c tests/kernel/*_test.c tests/fail/*_test.c)))
TEST_LIBS := -lcmocka -lm -lpthread -ldl
$(BUILD)/tests/%_test: tests/%_test.c $(HOST_O) $(BUILD)/libmote.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) $(APP_FLAGS) -Isrc $(DEPEND) -o $@ $< $(filter $(BUILD)/apps/%.o,$^) $(HOST_O) $(BUILD)/libmote.a $(TEST_LIBS)
# Two of them test files of the command, which need no more than these.
UNIT_CLI := $(patsubst %,$(BUILD)/apps/cli/%.o,buffer fail train_head_net)
$(BUILD)/tests/unit/search_test: $(UNIT_CLI) $(BUILD)/apps/cli/search_index.o $(BUILD)/apps/cli/search_text.o
$(BUILD)/tests/unit/train_head_test: $(UNIT_CLI) $(BUILD)/apps/cli/table.o $(BUILD)/apps/cli/train_head_fit.o

# Makes one call of the command fail; preloaded by tests/fail/calls_test.c.
$(BUILD)/tests/fail/calls.so: tests/fail/calls.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARN) -O1 -D_GNU_SOURCE -shared -fPIC -o $@ $< -ldl
$(BUILD)/tests/fail/calls_test: $(BUILD)/mote $(BUILD)/tests/fail/calls.so

.PHONY: tests unit kernel fail bare cli golden
tests: $(BUILD)/mote $(TEST_X)
unit: ## one program per room of the core, no files, no network
kernel: ## every kernel under every set of CPU features, exact
fail: ## the command, with each of its calls to the world failing once
bare: ## the core linked without a C library, and run
cli: ## the contract of the command: stdout, stderr, exit codes
golden: ## real and synthetic models against llama.cpp; the same-bits law
unit kernel fail bare cli golden:
	+@BUILD=$(BUILD) tools/test.sh $@

.PHONY: test-wasm
test-wasm: ## the WebAssembly modules against the command
	@tools/install.sh build test
	+@BUILD=$(BUILD) tools/test.sh wasm

.PHONY: test-web
test-web: ## the npm package in Chromium, Firefox, node, Deno and Bun
	@tools/install.sh build test web
	+@BUILD=$(BUILD) tools/test.sh web

.PHONY: test-aarch64
test-aarch64: ## AArch64 kernels under qemu, and their logits against this machine's
	@tools/install.sh build aarch64
	+@BUILD=$(BUILD) tools/test.sh aarch64

.PHONY: bench-peers
BENCH ?= quick
bench-peers: $(BUILD)/mote $(BUILD)/mote-synth ## mote and llama.cpp in turn on this machine, BENCH=quick or full
	@tools/peers.sh >$(BUILD)/peers.log
	@BUILD=$(BUILD) "$$(tail -n 1 $(BUILD)/peers.log)" bench/peers.mjs $(BENCH)

.PHONY: bench-encoders
bench-encoders: $(BUILD)/mote ## mote and ONNX Runtime in turn on MiniLM
	@tools/peers.sh bench/encoder >$(BUILD)/peers.log
	@BUILD=$(BUILD) "$$(tail -n 1 $(BUILD)/peers.log)" bench/encoders.mjs $(ENCODERS)

.PHONY: bench-speculate
bench-speculate: $(BUILD)/mote ## what guessing ahead brings, with a real model
	@node=$$(tools/node.sh) && BUILD=$(BUILD) "$$node" bench/speculate.mjs $(SPECULATE)

.PHONY: bench-web
bench-web: package $(BUILD)/mote $(BUILD)/mote-synth ## mote and wllama in turn in one Chromium, BENCH=quick or full
	@tools/install.sh web
	@BUILD=$(BUILD) node bench/web.mjs $(BENCH)

# The core without a C library, and the same program with one.
BARE_FLAGS := $(APP_FLAGS) -ffreestanding -fno-builtin -fno-stack-protector
.PHONY: bare-programs golden-programs
bare-programs: $(BUILD)/tests/bare/bare $(BUILD)/tests/bare/hosted $(BUILD)/mote-synth
$(BUILD)/tests/bare/bare: tests/bare/story.c tests/bare/nolibc.c tests/bare/bare.h $(BUILD)/libmote.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) -O1 -g $(BARE_FLAGS) -nostdlib -static -no-pie -o $@ $(filter %.c %.a,$^)
$(BUILD)/tests/bare/hosted: tests/bare/story.c tests/bare/hosted.c tests/bare/bare.h $(HOST_O) $(BUILD)/libmote.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) $(APP_FLAGS) -o $@ $(filter %.c %.o %.a,$^) -lpthread -lm
# What the golden tests use beside the command.
GOLDEN_X := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/golden/*.c))
$(BUILD)/tests/golden/%: tests/golden/%.c $(HOST_O) $(BUILD)/libmote.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) $(APP_FLAGS) -Isrc $(DEPEND) -o $@ $< $(filter %/encode.o,$^) $(HOST_O) $(BUILD)/libmote.a -lpthread -lm -ldl
$(BUILD)/tests/golden/encode: $(BUILD)/apps/cli/encode.o
golden-programs: $(BUILD)/mote $(BUILD)/mote-synth $(GOLDEN_X)

# ---- sanitizers: the same tests in a build folder of their own ----

.PHONY: asan ubsan tsan suites
SANITIZED = $(MAKE) --no-print-directory BUILD=$(BUILD)/$@ CFLAGS="-O1 -g $(1)" SUITES="unit kernel fail cli" suites
asan: ## address sanitizer: unit, kernel, fail and cli tests
	+@$(call SANITIZED,-fsanitize=address -fno-omit-frame-pointer)
ubsan: ## undefined-behaviour sanitizer, the same tests
	+@$(call SANITIZED,-fsanitize=undefined -fno-sanitize-recover=all)
tsan: ## thread sanitizer, the same tests
	+@$(call SANITIZED,-fsanitize=thread)
suites:
	+@BUILD=$(BUILD) tools/test.sh $(SUITES)

# ---- fuzzers: one per untrusted input, corpora in fuzz/corpus/<name> ----

FUZZ_CC      ?= clang-22
FUZZ_SECONDS ?= 60
FUZZ_CFLAGS  := -O1 -g -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_X       := $(patsubst fuzz/%_fuzz.c,$(BUILD)/fuzz/%,$(sort $(wildcard fuzz/*_fuzz.c)))
$(BUILD)/fuzz/core/libmote.a: FORCE
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz/core CC=$(FUZZ_CC) \
		CFLAGS="$(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined" lib
$(BUILD)/fuzz/%: fuzz/%_fuzz.c $(BUILD)/fuzz/core/libmote.a
	$(FUZZ_CC) $(STD) $(WARN) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined $(APP_FLAGS) -Isrc $(DEPEND) -o $@ $< $(BUILD)/fuzz/core/libmote.a
# What pull reads from outside is read by files of the command, not of the core.
FUZZ_PULL_C := $(patsubst %,apps/cli/%.c,archive base64 buffer catalogue digest fetch head npm part paths progress source url)
$(BUILD)/fuzz/pull: fuzz/pull_fuzz.c $(FUZZ_PULL_C) $(BUILD)/apps/cli/catalogue.inc
	@mkdir -p $(@D)
	$(FUZZ_CC) $(STD) $(WARN) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined $(APP_FLAGS) -I$(BUILD)/apps/cli \
		-o $@ $(filter %.c,$^) -lcurl -ljansson -larchive -lcrypto
FUZZ_HF := base64 encode hf_config hf_convert hf_json hf_steps hf_tensors hf_tokenizer safetensors
FUZZ_FILES_C := $(patsubst %,apps/cli/%.c,buffer convert gguf options print transcript $(FUZZ_HF)) $(sort $(wildcard host/posix/*.c))
$(BUILD)/fuzz/files: fuzz/files_fuzz.c fuzz/command.h $(FUZZ_FILES_C) $(BUILD)/fuzz/core/libmote.a
	@mkdir -p $(@D)
	$(FUZZ_CC) $(STD) $(WARN) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined $(APP_FLAGS) -o $@ $(filter %.c %.a,$^) \
		-ljansson -lm -lpthread
FUZZ_SEARCH_C := $(patsubst %,apps/cli/%.c,buffer digest lines options print progress $(patsubst apps/cli/%.c,%,$(sort $(wildcard apps/cli/search*.c)))) $(sort $(wildcard host/posix/*.c))
$(BUILD)/fuzz/search: fuzz/search_fuzz.c fuzz/command.h $(FUZZ_SEARCH_C) $(BUILD)/fuzz/core/libmote.a
	@mkdir -p $(@D)
	$(FUZZ_CC) $(STD) $(WARN) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined $(APP_FLAGS) -o $@ $(filter %.c %.a,$^) \
		-lcrypto -lm -lpthread
.PHONY: fuzzers fuzz
fuzzers: $(FUZZ_X) ## builds the fuzzers (clang)
fuzz: fuzzers ## runs each fuzzer for FUZZ_SECONDS, adding to its corpus
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz.sh

# ---- checks of the source itself ----

.PHONY: check format wasm-objects
check: ## layers, closed core, file lengths, licence lines, formatting, clang-tidy
	+@BUILD=$(BUILD) tools/test.sh check
format: ## clang-format over the C files
	@tools/check/format.sh --fix

# The core as WebAssembly objects, with and without SIMD: `make check` proves them closed as well.
WASM_CC    ?= clang-22
WASM_FLAGS := --target=wasm32 -O2 $(STD) $(WARN) $(CORE_FLAGS)
WASM_O     := $(CORE_C:%.c=$(BUILD)/wasm-plain/%.o) $(CORE_C:%.c=$(BUILD)/wasm-simd/%.o)
wasm-objects: $(WASM_O)
$(BUILD)/wasm-plain/%.o: %.c
	@mkdir -p $(@D)
	$(WASM_CC) $(WASM_FLAGS) $(DEPEND) -c -o $@ $<
$(BUILD)/wasm-simd/%.o: %.c
	@mkdir -p $(@D)
	$(WASM_CC) $(WASM_FLAGS) -msimd128 $(DEPEND) -c -o $@ $<

include tools/wasm.mk
include tools/package.mk
include tools/wasi.mk
include tools/web.mk
include tools/wasm-kernel.mk

# ---- install ----

INSTALL ?= install
ROOT     = $(DESTDIR)$(PREFIX)
install: all lib ## installs under PREFIX (/usr/local), below DESTDIR when given
	$(INSTALL) -d $(ROOT)/bin $(ROOT)/lib $(ROOT)/include/mote $(ROOT)/share/mote $(ROOT)/share/man/man1 \
		$(ROOT)/share/bash-completion/completions
	$(INSTALL) -m 755 $(BUILD)/mote $(ROOT)/bin/mote
	$(INSTALL) -m 644 $(BUILD)/libmote.a $(ROOT)/lib/libmote.a
	$(INSTALL) -m 644 include/mote/*.h $(ROOT)/include/mote
	$(INSTALL) -m 644 share/catalogue.json $(ROOT)/share/mote/catalogue.json
	$(INSTALL) -m 644 docs/man/mote.1 $(ROOT)/share/man/man1/mote.1
	$(INSTALL) -m 644 share/completion/mote.bash $(ROOT)/share/bash-completion/completions/mote
uninstall: ## removes what install put there
	rm -f $(ROOT)/bin/mote $(ROOT)/lib/libmote.a $(ROOT)/share/man/man1/mote.1 \
		$(ROOT)/share/bash-completion/completions/mote
	rm -rf $(ROOT)/include/mote $(ROOT)/share/mote

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(filter-out %.d,$(MAKEFILE_LIST))
clean: ## removes the build folder
	rm -rf $(BUILD)

-include $(wildcard $(addsuffix .d,$(CORE_O) $(HOST_O) $(CLI_O) $(TEST_X) $(GOLDEN_X) $(FUZZ_X) $(WASM_O)))
