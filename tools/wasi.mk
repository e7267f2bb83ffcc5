# SPDX-License-Identifier: Apache-2.0
#
# `make wasi`: the command as a module for WASI preview 1, dist/mote-wasi.wasm: run, embed, classify, rerank,
# tokenize, detokenize, info, perplexity and bench on files in directories that the runtime grants. Debian's
# wasi-libc is the C library; jansson and libmd are compiled here from the sources that Debian's packages of them
# are made of.

WASI_CC   ?= clang-22
WASI_O    := $(BUILD)/wasi
WASI_LIBS := $(WASI_O)/sources
WASI_CLI  := bench bench_plot bench_print bench_run bench_work buffer classify draft draft_lookup draft_model embed \
	encoder encoder_window entity fail generate info lines main model options perplexity print progress prompt rerank roof \
	roof_ref run tokenize
WASI_C    := $(CORE_C) host/posix/cpu.c $(wildcard host/wasi/*.c apps/cli/*_wasi.c) $(WASI_CLI:%=apps/cli/%.c)
WASI_OBJ  := $(WASI_C:%.c=$(WASI_O)/%.o)
WASI_JANSSON := dump error hashtable hashtable_seed load memory pack_unpack strbuffer strconv utf value version
WASI_LIB_O   := $(WASI_JANSSON:%=$(WASI_O)/jansson/%.o) $(WASI_O)/libmd/sha2.o

wasi-cflags := --target=wasm32-wasip1 -isystem /usr/include/wasm32-wasi -std=gnu11 -O2 -msimd128 -mbulk-memory \
	-D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS

# Wasmtime, for tests.
.PHONY: wasi wizer
wizer: $(BUILD)/npm/node_modules/@bytecodealliance/wizer
$(BUILD)/npm/node_modules/@bytecodealliance/wizer:
	npm install --prefix $(BUILD)/npm --no-audit --no-fund --loglevel=error @bytecodealliance/wizer@11.0.3
wasi: $(DIST)/mote-wasi.wasm ## the command for WASI runtimes, dist/mote-wasi.wasm

$(WASI_LIBS): tools/wasi-sources.sh
	tools/wasi-sources.sh $@

$(WASI_O)/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(WASI_CC) $(wasi-cflags) $(STD) $(WARN) $(CORE_FLAGS) $(if $(filter %_simd128.c,$<),-O3) $(DEPEND) -c -o $@ $<
$(WASI_O)/%.o: %.c | $(WASI_LIBS)
	@mkdir -p $(@D)
	$(WASI_CC) $(wasi-cflags) $(STD) $(WARN) $(APP_FLAGS) -I$(WASI_LIBS)/include $(DEPEND) -c -o $@ $<
$(WASI_O)/jansson/%.o: | $(WASI_LIBS)
	@mkdir -p $(@D)
	$(WASI_CC) $(wasi-cflags) -DHAVE_STDINT_H -DHAVE_SYS_TYPES_H -w -I$(WASI_LIBS)/include -c -o $@ $(WASI_LIBS)/jansson/$*.c
$(WASI_O)/libmd/%.o: | $(WASI_LIBS)
	@mkdir -p $(@D)
	$(WASI_CC) $(wasi-cflags) -w -I$(WASI_LIBS)/libmd -I$(WASI_LIBS)/include -c -o $@ $(WASI_LIBS)/libmd/$*.c

WASI_LINK = $(WASI_CC) --target=wasm32-wasip1 -nostartfiles -L/usr/lib/wasm32-wasi -Wl,--gc-sections -Wl,--strip-all \
	-Wl,-z,stack-size=1048576 -o $@ $^ -lwasi-emulated-signal -lwasi-emulated-process-clocks
$(DIST)/mote-wasi.wasm: /usr/lib/wasm32-wasi/crt1.o $(WASI_OBJ) $(WASI_LIB_O)
	@mkdir -p $(@D)
	@echo link $@
	@$(WASI_LINK)
# The same, started another way, for tests.
$(WASI_O)/mote-wizer.wasm: $(WASI_O)/tests/wasi/wizer.o $(WASI_OBJ) $(WASI_LIB_O)
	@echo link $@
	@$(WASI_LINK) -Wl,--no-entry

-include $(wildcard $(WASI_OBJ:=.d))
