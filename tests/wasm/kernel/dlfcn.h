/* SPDX-License-Identifier: Apache-2.0
 *
 * dlfcn.h: there are no libraries to open. */
#ifndef TESTS_WASM_DLFCN_H
#define TESTS_WASM_DLFCN_H

#include <stddef.h>

enum { RTLD_NOW, RTLD_LOCAL };

static inline void *dlopen(const char *path, int how) {
    (void)path, (void)how;
    return NULL;
}

static inline void *dlsym(void *library, const char *name) {
    (void)library, (void)name;
    return NULL;
}

static inline char *dlerror(void) {
    return "no libraries here";
}

static inline int dlclose(void *library) {
    (void)library;
    return 0;
}

#endif
