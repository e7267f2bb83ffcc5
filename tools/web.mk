# SPDX-License-Identifier: Apache-2.0
#
# `make web`: the chat page, with the npm package in it, into dist/web: files for any static server.
# `make web-demo`: serves it on this machine with small real models that are ready to use.

WEB_PORT ?= 8080

.PHONY: web web-demo
web: package ## the chat page, into dist/web
	@mkdir -p $(BUILD)
	@tools/peers.sh apps/web >$(BUILD)/web.log
	@cd apps/web && node=$$(tail -n 1 $(abspath $(BUILD))/web.log) && "$$node" node_modules/typescript/bin/tsc --noEmit && \
		MOTE_WEB_OUT=$(abspath $(DIST)/web) "$$node" node_modules/vite/bin/vite.js build --logLevel warn
	@echo "the page is in $(DIST)/web: $$(cat $(DIST)/web/*.html $(DIST)/web/assets/* | wc -c) bytes"

web-demo: ## the chat page on this machine, with a small real model ready to use
	@tools/install.sh build pull wasm
	@$(MAKE) --no-print-directory -j$(JOBS) web $(BUILD)/mote
	@BUILD=$(BUILD) DIST=$(DIST) PORT=$(WEB_PORT) tools/web-demo.sh
