/* SPDX-License-Identifier: Apache-2.0 */
#include "base/type.h"

#include <stddef.h>

static const struct mote_base_type_info types[MOTE_BASE_TYPE_END] = {
#define TYPE_INFO(NAME, lower, number, elements, bytes, group, offset, has_min)                              \
    [number] = {#NAME, elements, bytes, group, offset, has_min},
    MOTE_BASE_TYPE_LIST(TYPE_INFO)
#undef TYPE_INFO
};

const struct mote_base_type_info *mote_base_type_describe(uint32_t number) {
    return number < MOTE_BASE_TYPE_END && types[number].name ? &types[number] : NULL;
}
