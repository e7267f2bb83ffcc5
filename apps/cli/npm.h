/* SPDX-License-Identifier: Apache-2.0
 *
 * npm.h: where a published npm package lies, and what its bytes are.
 *
 * mote knows no registry. The user's npm program is asked (it knows his registry, mirror and login); without
 * it, the registry named by npm_config_registry in the environment or registry= in ~/.npmrc. */
#ifndef MOTE_CLI_NPM_H
#define MOTE_CLI_NPM_H

#include "apps/cli/fetch.h"

/* npm:name@version/member taken apart. member is "" when the reference has none. */
struct cli_npm_name {
    char name[216], version[64], member[512];
};
enum cli_got cli_npm_parse(const char *reference, struct cli_npm_name *name, struct cli_why *why);

struct cli_npm_dist {
    char tarball[1024];          /* its address */
    char sha512[CLI_SHA512_HEX]; /* of the tarball */
};
/* Reads an answer of npm, or of a registry (in: the key that dist is under there; NULL: it is the answer). */
enum cli_got cli_npm_read(const char *text, size_t n_text, const char *in, const struct cli_npm_name *name,
                          struct cli_npm_dist *dist, struct cli_why *why);

enum cli_got cli_npm_locate(const struct cli_npm_name *name, const struct cli_fetch *fetch,
                            struct cli_npm_dist *dist, struct cli_why *why);

#endif
