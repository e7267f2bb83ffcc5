/* SPDX-License-Identifier: Apache-2.0
 *
 * find_wasi.c: where a model is, in a sandbox: where its path says. There is no catalogue and no network. */
#if defined(__wasi__)

#include <stdlib.h>
#include <string.h>

#include "apps/cli/cli.h"

int cli_model_find(const char *model, int yes, char **path) {
    (void)yes;
    if (!model) return cli_fail(CLI_USAGE, "no model; give the path of a GGUF file in a granted directory");
    *path = strdup(model);
    return *path ? CLI_OK : cli_fail(CLI_MEMORY, "not enough memory");
}

#endif
