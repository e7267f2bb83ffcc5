# SPDX-License-Identifier: Apache-2.0
#
# `make wasm-kernel`: the kernel tests as WebAssembly, for SIMD128 and for relaxed SIMD, with every level in a
# program, so that each is compared with the reference. wasi-libc is their C library.

WASM_KERNEL_LEVELS := simd128 relaxed
WASM_KERNEL_TESTS  := $(notdir $(basename $(wildcard tests/kernel/*_test.c)))
WASM_KERNEL_C      := $(filter src/base/% src/kernel/%,$(CORE_C)) tests/wasm/kernel/kernel.c

wasm-kernel-cflags  := --target=wasm32-wasip1 -isystem /usr/include/wasm32-wasi -msimd128 -mbulk-memory -O2 -g0 \
	-DMOTE_KERNEL_EVERY_LEVEL
wasm-kernel-relaxed := -mrelaxed-simd
# As in the modules (wasm.mk), and what says which level a program is for.
WASM_KERNEL_RELAXED := $(WASM_RELAXED) tests/wasm/kernel/kernel.c

# $(1): a level. Objects of the kernels by themselves, then a program for each test.
define wasm-kernel-level
$$(BUILD)/wasm-kernel/$(1)/src/%.o: src/%.c
	@mkdir -p $$(@D)
	$$(WASM_CC) $$(wasm-kernel-cflags) $$(if $$(filter $$(WASM_KERNEL_RELAXED),$$<),$$(wasm-kernel-$(1))) $$(STD) $$(WARN) $$(CORE_FLAGS) \
		$$(if $$(filter %_simd128.c %_relaxed.c,$$<),-O3) $$(DEPEND) -c -o $$@ $$<
$$(BUILD)/wasm-kernel/$(1)/tests/%.o: tests/%.c
	@mkdir -p $$(@D)
	$$(WASM_CC) $$(wasm-kernel-cflags) $$(if $$(filter $$(WASM_KERNEL_RELAXED),$$<),$$(wasm-kernel-$(1))) -std=gnu11 $$(STD) $$(WARN) $$(APP_FLAGS) -Isrc \
		-Itests/wasm/kernel $$(DEPEND) -c -o $$@ $$<
$(1)-kernel-o := $$(WASM_KERNEL_C:%.c=$$(BUILD)/wasm-kernel/$(1)/%.o)
$$(BUILD)/wasm-kernel/$(1)/%.wasm: $$(BUILD)/wasm-kernel/$(1)/tests/kernel/%.o $$($(1)-kernel-o)
	@echo link $$@
	@$$(WASM_CC) --target=wasm32-wasip1 -nostartfiles -nodefaultlibs -L/usr/lib/wasm32-wasi /usr/lib/wasm32-wasi/crt1.o \
		-Wl,-z,stack-size=1048576 -Wl,--initial-memory=67108864 -o $$@ $$^ -lc
WASM_KERNEL_X += $$(WASM_KERNEL_TESTS:%=$$(BUILD)/wasm-kernel/$(1)/%.wasm)
WASM_KERNEL_O += $$($(1)-kernel-o) $$(WASM_KERNEL_TESTS:%=$$(BUILD)/wasm-kernel/$(1)/tests/kernel/%.o)
endef
$(foreach level,$(WASM_KERNEL_LEVELS),$(eval $(call wasm-kernel-level,$(level))))

.PHONY: wasm-kernel-programs
wasm-kernel-programs: $(WASM_KERNEL_X)
.SECONDARY: $(WASM_KERNEL_O)
-include $(wildcard $(WASM_KERNEL_O:=.d))
