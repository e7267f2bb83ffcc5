/* SPDX-License-Identifier: Apache-2.0
 *
 * template_time.c: strftime in UTC with English names, for strftime_now. The calendar is the Gregorian one,
 * counted in eras of 400 years from 1 March of the year 0, so that the leap day comes last.
 * Fields: %Y %y %m %d %H %M %S, with - after the % without leading zero, %a %A %b %B. */
#include "text/template_internal.h"

static const char days[] = "Sunday\0Monday\0Tuesday\0Wednesday\0Thursday\0Friday\0Saturday\0";
static const char months[] = "January\0February\0March\0April\0May\0June\0July\0August\0September\0October\0"
                             "November\0December\0";

/* What stands for date[i]. */
static const char fields[] = "YymdHMS";
enum { YEAR, OF_CENTURY, MONTH, DAY, HOUR, MINUTE, SECOND, FIELDS };

/* Returns the number of days since 1 January 1970. */
static int split(uint64_t now, int date[FIELDS]) {
    int second = (int)(now % 86400), days_past = now / 86400 > 1 << 30 ? 1 << 30 : (int)(now / 86400);
    int n = days_past + 719468; /* days from 1 March of the year 0 */
    int era = n / 146097, of_era = n % 146097;
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int day = of_era - (365 * year + year / 4 - year / 100), month = (5 * day + 2) / 153; /* from March */
    date[YEAR] = era * 400 + year + (month >= 10);
    date[OF_CENTURY] = date[YEAR] % 100;
    date[MONTH] = (month + 2) % 12 + 1;
    date[DAY] = day - (153 * month + 2) / 5 + 1;
    date[HOUR] = second / 3600;
    date[MINUTE] = second / 60 % 60;
    date[SECOND] = second % 60;
    return days_past;
}

static void put_field(struct render *r, const int *date, int day, char field, int plain) {
    const char *name = (field | 32) == 'a'   ? mote_text_words_get(days, (day + 4) % 7)
                       : (field | 32) == 'b' ? mote_text_words_get(months, date[MONTH] - 1)
                                             : NULL;
    for (int i = 0; name && *name && (i < 3 || field < 'a'); i++)
        mote_text_render_put(r, name++, 1);
    int i = 0;
    while (i < FIELDS && fields[i] != field)
        i++;
    if (name) return;
    if (i == FIELDS) {
        mote_text_render_fail(r, "no such field of time", NULL);
        return;
    }
    struct value number = {.type = V_INT, .i = date[i]};
    if (date[i] < 10 && !plain) mote_text_render_put_word(r, "0");
    mote_text_number_put(r, &number);
}

void mote_text_time_put(struct render *r, const struct value *format) {
    int date[FIELDS], day = split(r->now, date);
    for (uint32_t i = 0; i < format->n && mote_text_render_spend(r, 1); i++) {
        if (format->s[i] != '%' || i + 1 == format->n) {
            mote_text_render_put(r, format->s + i, 1);
            continue;
        }
        int plain = format->s[++i] == '-' && i + 1 < format->n;
        i += (uint32_t)plain;
        put_field(r, date, day, format->s[i], plain);
    }
}
