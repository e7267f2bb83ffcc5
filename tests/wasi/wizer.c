/* SPDX-License-Identifier: Apache-2.0
 *
 * wizer.c: lets wizer, which brings Wasmtime but hands no arguments on, run the command: they come from the
 * environment variable MOTE_ARGUMENTS, one a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void __wasm_call_ctors(void);
extern int __main_argc_argv(int argc, char **argv);

__attribute__((export_name("wizer-initialize"))) void run(void) {
    static char name[] = "mote", *argv[33] = {name};
    int argc = 1;
    __wasm_call_ctors();
    char *text = getenv("MOTE_ARGUMENTS");
    for (char *at = text ? strtok(text, "\n") : NULL; at && argc < 32; at = strtok(NULL, "\n"))
        argv[argc++] = at;
    int code = __main_argc_argv(argc, argv);
    fprintf(stderr, "exit %d\n", code);
    fflush(NULL);
}
