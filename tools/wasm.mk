# SPDX-License-Identifier: Apache-2.0
#
# `make wasm`: the core and host/wasm as WebAssembly modules in dist/, without Emscripten and without a C
# library. Objects are bitcode, so that the linker sees the whole program at once; what lies on no way from an
# export is dropped. Kernels are compiled for speed, everything else for size.

WASM_CC   ?= clang-22
WASM_LD   ?= wasm-ld-22
DIST      ?= dist
WASM_MOST := 100000 # bytes of mote.wasm, a promise; the others may have 5,000 more
BINARYEN  := binaryen@132
WASM_OPT  := $(BUILD)/npm/node_modules/.bin/wasm-opt

WASM_MODULES := mote mote-threads mote-simd mote-64
WASM_HOST_C  := $(sort $(wildcard host/wasm/*.c))
WASM_C       := $(CORE_C) $(WASM_HOST_C)

wasm-cflags  := $(STD) $(WARN) -Isrc -I. -ffreestanding -fno-stack-protector -flto -msimd128
wasm-ldflags := --no-entry --import-memory --export-dynamic --gc-sections --lto-O2 -O2 --stack-first \
	-z stack-size=262144 --initial-memory=1048576
# --export-dynamic exports what is not hidden: the core and all of the host but module.h is.
wasm-optflags := -Oz --converge --strip-debug --strip-producers --strip-target-features \
	--enable-simd --enable-bulk-memory --enable-bulk-memory-opt --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals

mote-cflags          := --target=wasm32 -mrelaxed-simd
mote-optflags        := --enable-relaxed-simd
mote-threads-cflags  := --target=wasm32 -mrelaxed-simd -matomics
mote-threads-ldflags := --shared-memory --max-memory=4294967296 --export=__stack_pointer --export=__wasm_init_tls \
	--export=__tls_size
mote-threads-optflags := --enable-relaxed-simd --enable-threads
mote-simd-cflags     := --target=wasm32
mote-64-cflags       := --target=wasm64 -mrelaxed-simd -matomics
mote-64-ldflags      := -mwasm64 --shared-memory --max-memory=17179869184 --export=__stack_pointer --export=__wasm_init_tls \
	--export=__tls_size
mote-64-optflags     := --enable-relaxed-simd --enable-threads --enable-memory64

.PHONY: wasm
.PHONY: wasm-modules
wasm-modules: $(WASM_MODULES:%=$(DIST)/%.wasm)
wasm: $(WASM_MODULES:%=$(DIST)/%.wasm) ## modules for browsers, into dist/, and their sizes
	@tools/wasm-check.mjs $(WASM_MOST) $^

$(WASM_OPT):
	npm install --prefix $(BUILD)/npm --no-audit --no-fund --loglevel=error $(BINARYEN)

# $(1): a module. Its objects lie in a folder of their own.
define wasm-module
$(1)-o := $$(WASM_C:%.c=$$(BUILD)/wasm/$(1)/%.o)
$$(BUILD)/wasm/$(1)/src/%.o: src/%.c
	@mkdir -p $$(@D)
	$$(WASM_CC) $$(wasm-cflags) $$($(1)-cflags) -fvisibility=hidden $$(if $$(filter %_simd128.c %_relaxed.c,$$<),-O3,-Oz) $$(DEPEND) -c -o $$@ $$<
$$(BUILD)/wasm/$(1)/host/%.o: host/%.c
	@mkdir -p $$(@D)
	$$(WASM_CC) $$(wasm-cflags) $$($(1)-cflags) -fvisibility=default $$(if $$(filter %/memory.c,$$<),-fno-lto -fno-builtin) -Oz $$(DEPEND) -c -o $$@ $$<
$$(BUILD)/wasm/$(1).wasm: $$($(1)-o) tools/wasm.mk
	@echo link $$(@F)
	@$$(WASM_LD) $$(wasm-ldflags) $$($(1)-ldflags) -o $$@ $$($(1)-o)
$$(DIST)/$(1).wasm: $$(BUILD)/wasm/$(1).wasm | $$(WASM_OPT)
	@mkdir -p $$(@D)
	$$(WASM_OPT) $$(wasm-optflags) $$($(1)-optflags) -o $$@ $$<
endef
$(foreach module,$(WASM_MODULES),$(eval $(call wasm-module,$(module))))
WASM_MODULES_O := $(foreach module,$(WASM_MODULES),$($(module)-o))
