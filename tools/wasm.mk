# SPDX-License-Identifier: Apache-2.0
#
# `make wasm`: the core and host/wasm as WebAssembly modules in dist/, without Emscripten and without a C
# library.
#
#     objects    bitcode, so that the linker sees the whole program at once and drops what lies on no way from
#                an export. Kernels are compiled apart, products for speed; everything else for size
#     link       wasm-ld, active data, one imported memory
#     shrink     wasm-opt, twice from flat code
#     pack       tools/wasm_pack.c: constant data packed; the memory shared, where threads are
#     check      sizes and imports

WASM_CC   ?= clang-22
WASM_LD   ?= wasm-ld-22
DIST      ?= dist
WASM_OPT  := $(BUILD)/npm/node_modules/.bin/wasm-opt
WASM_PACK := $(BUILD)/tools/wasm_pack

# Modules of language models leave out what only encoders need, and the other way round.
WASM_MODULES := mote mote-threads mote-simd mote-64 mote-encoder mote-encoder-threads mote-encoder-simd
WASM_HOST_C  := $(sort $(wildcard host/wasm/*.c))
WASM_C       := $(CORE_C) $(WASM_HOST_C)
# Not seen by the linker's optimiser: kernels, which it would shrink; what the compiler may call by itself;
# what depends on data that is not there yet; and messages: where it knows that a call gives back the status it
# was given, it drops the result and makes the status again.
WASM_APART   := %_simd128.c %_relaxed.c host/wasm/memory.c host/wasm/unpack.c src/base/error.c

# The ABI passes structs of two numbers as two numbers and not by address, which saves 5 KB; nothing but
# numbers crosses the module's border, so that nobody else sees it.
wasm-cflags := $(STD) $(WARN) -Isrc -I. -ffreestanding -fno-stack-protector -msimd128 -mmultivalue \
	-Xclang -target-abi -Xclang experimental-mv -mllvm -enable-pre=false -mllvm -disable-lsr
# --export-dynamic exports what is not hidden: the core and all of the host but module.h is.
wasm-ldflags := --no-entry --import-memory --export-dynamic --export=wasm_packed --gc-sections --strip-debug \
	--lto-O2 -O2 --mllvm=-target-abi=experimental-mv --mllvm=-inline-threshold=-50 --mllvm=-disable-lsr \
	--mllvm=-enable-pre=false --stack-first -z stack-size=262144 \
	--initial-memory=1048576
# Nothing lies below 1024: the stack ends there.
wasm-optflags := --strip-producers --strip-target-features --low-memory-unused -Oz --flatten --rereloop -Oz -Oz --converge \
	--const-hoisting --reorder-locals --reorder-functions \
	--enable-simd --enable-bulk-memory --enable-bulk-memory-opt --enable-nontrapping-float-to-int --enable-sign-ext \
	--enable-mutable-globals --enable-multivalue

# Relaxed instructions are for products alone, whose operands are such that all engines agree; elsewhere the compiler
# would take relaxed minima and maxima for its own.
WASM_RELAXED := src/kernel/%_relaxed.c src/kernel/select.c host/wasm/module.c

mote-cflags           := --target=wasm32 -DMOTE_NO_ENCODERS -DMOTE_SMALL
mote-relaxed          := -mrelaxed-simd
mote-optflags         := --enable-relaxed-simd
mote-threads-cflags   := --target=wasm32 -matomics -DMOTE_NO_ENCODERS
mote-threads-relaxed  := -mrelaxed-simd
mote-threads-ldflags  := --export=__stack_pointer
mote-threads-optflags := --enable-relaxed-simd --enable-threads
mote-threads-pages    := 65536
mote-simd-cflags      := --target=wasm32 -DMOTE_NO_ENCODERS
mote-64-cflags        := --target=wasm64 -matomics -DMOTE_NO_ENCODERS
mote-64-relaxed       := -mrelaxed-simd
mote-64-ldflags       := -mwasm64 --export=__stack_pointer
mote-64-optflags      := --enable-relaxed-simd --enable-threads --enable-memory64
mote-64-pages         := 262144

mote-encoder-cflags           := --target=wasm32 -DMOTE_NO_DECODERS -DMOTE_SMALL
mote-encoder-relaxed          := $(mote-relaxed)
mote-encoder-optflags         := $(mote-optflags)
mote-encoder-threads-cflags   := --target=wasm32 -matomics -DMOTE_NO_DECODERS
mote-encoder-threads-relaxed  := $(mote-threads-relaxed)
mote-encoder-threads-ldflags  := $(mote-threads-ldflags)
mote-encoder-threads-optflags := $(mote-threads-optflags)
mote-encoder-threads-pages    := $(mote-threads-pages)
mote-encoder-simd-cflags      := --target=wasm32 -DMOTE_NO_DECODERS

.PHONY: wasm wasm-modules
wasm: wasm-modules ## modules for browsers, into dist/, and their sizes
	@DIST=$(DIST) tools/wasm-check.mjs
wasm-modules: $(WASM_MODULES:%=$(DIST)/%.wasm)

$(WASM_OPT):
	npm install --prefix $(BUILD)/npm --no-audit --no-fund --loglevel=error binaryen@132
$(WASM_PACK): tools/wasm_pack.c host/wasm/pack.h
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) -O2 -I. -o $@ $<

# $(1): a module. Its objects lie in a folder of their own.
define wasm-module
$(1)-o := $$(WASM_C:%.c=$$(BUILD)/wasm/$(1)/%.o)
$$(BUILD)/wasm/$(1)/%.o: %.c tools/wasm.mk
	@mkdir -p $$(@D)
	$$(WASM_CC) $$(wasm-cflags) $$($(1)-cflags) $$(if $$(filter $$(WASM_RELAXED),$$<),$$($(1)-relaxed)) -fvisibility=$$(if $$(filter host/%,$$<),default,hidden) \
		$$(if $$(filter $$(WASM_APART),$$<),-fno-builtin,-flto -mllvm -inline-threshold=-25) $$(if $$(filter src/kernel/multiply_%,$$<),-O2,-Oz) \
		$$(DEPEND) -c -o $$@ $$<
$$(BUILD)/wasm/$(1).linked: $$($(1)-o)
	@echo link $(1)
	@$$(WASM_LD) $$(wasm-ldflags) $$($(1)-ldflags) -o $$@ $$($(1)-o)
$$(BUILD)/wasm/$(1).small: $$(BUILD)/wasm/$(1).linked $$(WASM_OPT)
	@echo shrink $(1)
	@$$(WASM_OPT) $$(wasm-optflags) $$($(1)-optflags) -o $$@ $$<
$$(DIST)/$(1).wasm: $$(BUILD)/wasm/$(1).small $$(WASM_PACK)
	@mkdir -p $$(@D)
	$$(WASM_PACK) $$< $$@ $$($(1)-pages)
endef
$(foreach module,$(WASM_MODULES),$(eval $(call wasm-module,$(module))))
-include $(wildcard $(foreach module,$(WASM_MODULES),$($(module)-o:=.d)))
