/* SPDX-License-Identifier: Apache-2.0
 *
 * why.h: how the fetching side of the command says what went wrong. A function that can fail returns one of
 * enum cli_got and writes one printable line; who called it decides whether another source is tried, and
 * prints the line. Text that came from a server is made printable here, in one place. */
#ifndef MOTE_CLI_WHY_H
#define MOTE_CLI_WHY_H

enum cli_got {
    CLI_GOT = 0,
    CLI_GOT_UNREACHABLE, /* no such host, no connection: the next source at once */
    CLI_GOT_REFUSED,     /* the server, or the source's text, says no */
    CLI_GOT_BROKEN,      /* something came, and it was wrong */
    CLI_GOT_LOCAL,       /* the disk, memory: no other source would help */
    CLI_GOT_INTERRUPTED, /* Ctrl-C */
};

struct cli_why {
    char text[480];
};

/* Writes the line and returns got, so that a caller writes `return cli_why(why, CLI_GOT_BROKEN, …)`. */
enum cli_got cli_why(struct cli_why *why, enum cli_got got, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
