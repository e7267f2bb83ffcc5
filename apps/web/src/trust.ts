// SPDX-License-Identifier: Apache-2.0
//
// The page's content security policy forbids turning text into markup or scripts. One exception is needed:
// workers are started by address, and those may only be files of this site.

interface Policies {
    createPolicy(name: string, rules: { createScriptURL: (address: string) => string }): unknown;
}

const policies = (globalThis as { trustedTypes?: Policies }).trustedTypes;
policies?.createPolicy("default", {
    createScriptURL: (address) => {
        const url = new URL(address, document.baseURI);
        if (url.origin !== location.origin) throw new TypeError(`a script from elsewhere: ${url.origin}`);
        return url.href;
    },
});
