/* SPDX-License-Identifier: Apache-2.0
 *
 * setjmp.h: cmocka.h wants it included; there is nothing to jump with. */
