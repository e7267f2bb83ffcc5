# SPDX-License-Identifier: Apache-2.0
#
# `make package`: the npm package, packages/mote/dist, of its own scripts and the modules of `make wasm`.

.PHONY: package
package: wasm-modules ## the npm package, in packages/mote
	@mkdir -p $(BUILD)
	@tools/peers.sh packages/mote >$(BUILD)/package.log
	@DIST=$(abspath $(DIST)) node packages/mote/build.mjs
