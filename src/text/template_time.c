/* SPDX-License-Identifier: Apache-2.0
 *
 * template_time.c: strftime in UTC with English names, for strftime_now. The calendar is the Gregorian one,
 * counted in eras of 400 years from 1 March of the year 0, so that the leap day comes last. */
#include "text/template_internal.h"

static const char days[] = "Sunday\0Monday\0Tuesday\0Wednesday\0Thursday\0Friday\0Saturday\0";
static const char months[] = "January\0February\0March\0April\0May\0June\0July\0August\0September\0October\0"
                             "November\0December\0";

struct date {
    int64_t year;
    int month, day, weekday, yearday, hour, minute, second; /* all from 0, but day */
};

static struct date split(uint64_t now) {
    struct date d;
    uint64_t seconds = now % 86400, n = now / 86400;
    if (n > 1u << 30) n = 1u << 30; /* some three million years */
    d.hour = (int)(seconds / 3600);
    d.minute = (int)(seconds / 60 % 60);
    d.second = (int)(seconds % 60);
    d.weekday = (int)((n + 4) % 7);
    n += 719468; /* days from 1 March of the year 0 to 1970 */
    uint64_t era = n / 146097, of_era = n % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int day = (int)(of_era - (365 * year + year / 4 - year / 100)),
        month = (5 * day + 2) / 153; /* from March */
    d.day = day - (153 * month + 2) / 5 + 1;
    d.month = (month + 2) % 12;
    d.year = (int64_t)(era * 400 + year) + (month >= 10);
    int leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;
    d.yearday = month >= 10 ? day - 306 : day + 59 + leap;
    return d;
}

static void put_padded(struct render *r, int64_t value, int digits, int padding) {
    for (int64_t unit = 10; digits > 1; digits--, unit *= 10) {
        int64_t least = 1;
        for (int i = 1; i < digits; i++)
            least *= 10;
        if (value < least && padding != '-') mote_text_render_put(r, padding == '_' ? " " : "0", 1);
    }
    mote_text_number_put(r, mote_text_value_int(value));
}

static void put_name(struct render *r, const char *names, int index, int whole) {
    const char *name = mote_text_list_word(names, index);
    if (whole)
        mote_text_render_put_text(r, name);
    else
        mote_text_render_put(r, name, 3);
}

static void put_field(struct render *r, const struct date *d, char field, int flag) {
    int hour = d->hour % 12 ? d->hour % 12 : 12;
    switch (field) {
    case 'Y':
        put_padded(r, d->year, 1, flag);
        break;
    case 'y':
        put_padded(r, d->year % 100, 2, flag);
        break;
    case 'm':
        put_padded(r, d->month + 1, 2, flag);
        break;
    case 'd':
        put_padded(r, d->day, 2, flag);
        break;
    case 'e':
        put_padded(r, d->day, 2, flag ? flag : '_');
        break;
    case 'j':
        put_padded(r, d->yearday + 1, 3, flag);
        break;
    case 'H':
        put_padded(r, d->hour, 2, flag);
        break;
    case 'I':
        put_padded(r, hour, 2, flag);
        break;
    case 'M':
        put_padded(r, d->minute, 2, flag);
        break;
    case 'S':
        put_padded(r, d->second, 2, flag);
        break;
    case 'p':
        mote_text_render_put(r, d->hour < 12 ? "AM" : "PM", 2);
        break;
    case 'a':
    case 'A':
        put_name(r, days, d->weekday, field == 'A');
        break;
    case 'b':
    case 'B':
        put_name(r, months, d->month, field == 'B');
        break;
    case '%':
        mote_text_render_put(r, "%", 1);
        break;
    default:
        FAIL(r, "strftime_now does not know this field");
    }
}

void mote_text_time_put(struct render *r, uint64_t now, struct value format) {
    struct date date = split(now);
    for (uint32_t i = 0; i < format.n && mote_text_render_spend(r, 1); i++) {
        if (format.s[i] != '%' || i + 1 == format.n) {
            mote_text_render_put(r, format.s + i, 1);
            continue;
        }
        int flag = format.s[i + 1] == '-' && i + 2 < format.n ? '-' : 0;
        i += flag ? 2 : 1;
        put_field(r, &date, format.s[i], flag);
    }
}
