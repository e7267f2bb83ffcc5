/* SPDX-License-Identifier: Apache-2.0
 *
 * template_test.c: the bounds of the template interpreter: where errors are said to be, what is refused, and
 * that nothing hangs, overruns or loses its way when it runs out of memory, output, depth or steps. What
 * templates mean is tests/golden/template.test.mjs's, against jinja2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/template.h"

static char out[1 << 20];
static uint64_t work[(4 << 20) / 8];

static mote_text text(const char *s) {
    return (mote_text){s, strlen(s)};
}

static mote_status render(const char *source, const char *variables, size_t *n, mote_error *error) {
    return mote_text_template_render(text(source), text(variables), 0, work, sizeof work, out, sizeof out, n,
                                     error);
}

static void expect(const char *source, const char *variables, const char *result) {
    size_t n = 0;
    mote_error error = {MOTE_OK, 0, ""};
    if (render(source, variables, &n, &error)) fail_msg("%s: %s", source, error.text);
    if (n != strlen(result) || memcmp(out, result, n) != 0) fail_msg("%s gives %.*s", source, (int)n, out);
}

/* It fails with status, and the message has words in it. */
static void refuse(const char *source, const char *variables, mote_status status, uint64_t where,
                   const char *words) {
    size_t n = 77;
    mote_error error = {MOTE_OK, 0, ""};
    assert_int_equal(render(source, variables, &n, &error), status);
    assert_int_equal(error.status, status);
    assert_int_equal(n, 77);
    if (!strstr(error.text, words)) fail_msg("%s: %s", source, error.text);
    if (where != UINT64_MAX) assert_int_equal(error.where, where);
}

static void chat(void **state) {
    (void)state;
    expect("{% for m in messages %}\n<|{{ m.role }}|>\n{{ m['content'] }}{{ eos }}\n{% endfor %}\n"
           "{% if add %}<|assistant|>{% endif %}",
           "{\"eos\": \"</s>\", \"add\": true, \"messages\": [{\"role\": \"user\", \"content\": \"Hi \\u00e9 "
           "\\ud83d\\ude00\"}]}",
           "<|user|>\nHi é 😀</s>\n<|assistant|>");
    expect("", "{}", "");
    expect("{{ x }}", " {\t\"x\" : [ 1 , -2.50 , null , true , {} ]\n} ", "[1, -2.5, None, True, {}]");
    expect("{{ x }}", "{\"x\": 1, \"x\": 2}", "2");
    expect("{{ x }}", "{\"x\": \"\\ud800 \\udc00\\ud83d\"}", "\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd");
    expect("{{ strftime_now('%Y-%m-%d %H:%M:%S %A') }}", "{}", "1970-01-01 00:00:00 Thursday");
}

static void dates(void **state) {
    (void)state;
    static const struct {
        uint64_t now;
        const char *text;
    } cases[] = {
        {951782400, "2000-02-29 29 Tue"},  {951868800, "2000-03-01 1 Wed"},
        {1709164800, "2024-02-29 29 Thu"}, {4107542400, "2100-03-01 1 Mon"},
        {1735603200, "2024-12-31 31 Tue"}, {1735689600, "2025-01-01 1 Wed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 0;
        assert_int_equal(mote_text_template_render(text("{{ strftime_now('%Y-%m-%d %-d %a') }}"), text("{}"),
                                                   cases[i].now, work, sizeof work, out, sizeof out, &n,
                                                   NULL),
                         MOTE_OK);
        out[n] = 0;
        assert_string_equal(out, cases[i].text);
    }
    size_t n = 0;
    assert_int_equal(mote_text_template_render(text("{{ strftime_now('%c') }}"), text("{}"), UINT64_MAX, work,
                                               sizeof work, out, sizeof out, &n, NULL),
                     MOTE_E_TEMPLATE);
    assert_int_equal(mote_text_template_render(text("{{ strftime_now('%Y') }}"), text("{}"), UINT64_MAX, work,
                                               sizeof work, out, sizeof out, &n, NULL),
                     MOTE_OK);
}

static void places(void **state) {
    (void)state;
    refuse("ab\ncd {{ x.y }}", "{}", MOTE_E_TEMPLATE, 10, "line 2, column 8: undefined: x");
    refuse("a\r\nb\r\n{{ 1 + 'a' }}", "{}", MOTE_E_TEMPLATE, 11,
           "line 3, column 6: cannot calculate with int");
    refuse("{{ raise_exception('no ' ~ 5) }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "no 5");
    refuse("{% if x %}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "ends too early");
    refuse("{% else %}", "{}", MOTE_E_TEMPLATE, 3, "misplaced tag: else");
    refuse("{{ x | nosuch }}", "{}", MOTE_E_TEMPLATE, 7, "no filter or test: nosuch");
    refuse("{{ x is nosuch }}", "{}", MOTE_E_TEMPLATE, 8, "no filter or test: nosuch");
    refuse("{{ 'abc", "{}", MOTE_E_TEMPLATE, 3, "closing quote");
    refuse("{{ 1|upper(2) }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "too many arguments");
    refuse("{{ x }}", "{\"x\" 1}", MOTE_E_ARGUMENT, 5, "expected :");
    refuse("{{ x }}", "[1]", MOTE_E_ARGUMENT, UINT64_MAX, "no dict: list");
    refuse("{{ x }}", "{} x", MOTE_E_ARGUMENT, 3, "expected the end");
    refuse("{{ x }}", "", MOTE_E_ARGUMENT, 0, "expected a value");
}

static void json_refused(void **state) {
    (void)state;
    static const char *const cases[] = {
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\":01x}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":tru}",
        "{\"a\":truex}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":\"x}",
        "{\"a\":\"\\",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":NaN}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse("x", cases[i], MOTE_E_ARGUMENT, UINT64_MAX, "");
}

/* count times open, then middle, then count times close */
static char *nest(const char *open, const char *middle, const char *close, size_t count) {
    char *s = malloc(count * (strlen(open) + strlen(close)) + strlen(middle) + 1), *p = s;
    assert_non_null(s);
    for (size_t i = 0; i < count; i++)
        p = stpcpy(p, open);
    p = stpcpy(p, middle);
    for (size_t i = 0; i < count; i++)
        p = stpcpy(p, close);
    return s;
}

static void depth(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"(", "1", ")"},     {"[", "1", "]"},    {"{'a':", "1", "}"}, {"-", "1", ""},
        {"not ", "1", ""},   {"x[", "1", "]"},   {"f(", "1", ")"},    {"1 if 1 else ", "1", ""},
        {"1 * (", "1", ")"}, {"1|d(", "1", ")"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *expression = nest(cases[i][0], cases[i][1], cases[i][2], 20000),
             *source = nest("{{", expression, "}}", 1);
        size_t n = 0;
        mote_error error;
        assert_int_equal(render(source, "{}", &n, &error), MOTE_E_TEMPLATE);
        if (!strstr(error.text, "deep")) fail_msg("%s…: %s", cases[i][0], error.text);
        free(expression);
        free(source);
    }
    /* what is read from left to right is no depth */
    char *sum = nest("1 + ", "1", "", 20000), *sums = nest("{{", sum, "}}", 1);
    char *pipe = nest("", "'x'", "|upper", 20000), *pipes = nest("{{", pipe, "}}", 1);
    expect(sums, "{}", "20001");
    expect(pipes, "{}", "X");
    free(sum), free(sums), free(pipe), free(pipes);

    char *ifs = nest("{%if 1%}", "", "{%endif%}", 5000), *list = nest("[", "", "]", 100000);
    char *json = nest("{\"a\":", list, "}", 1), *objects = nest("{\"a\":", "1", "}", 100000);
    char *fors = nest("{%for x in [1]%}", "", "{%endfor%}", 5000),
         *elifs = nest("{%elif 0%}", "{%endif%}", "", 5000);
    char *whole = nest("{%if 0%}", elifs, "", 1);
    refuse(ifs, "{}", MOTE_E_TEMPLATE, UINT64_MAX, "deep");
    refuse(fors, "{}", MOTE_E_TEMPLATE, UINT64_MAX, "deep");
    refuse("x", json, MOTE_E_ARGUMENT, UINT64_MAX, "deep");
    refuse("x", objects, MOTE_E_ARGUMENT, UINT64_MAX, "deep");
    expect(whole, "{}", ""); /* a long chain is no depth */
    refuse("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX,
           "deep");
    refuse("{% set l = [] %}{{ l.append(l) }}{{ l }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "deep");
    refuse("{% set l = [] %}{{ l.append(l) }}{{ l|tojson }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "deep");
    refuse("{% set l = [1] %}{% set k = [1] %}{{ l.append(l) }}{{ k.append(k) }}{{ l == k }}", "{}",
           MOTE_E_TEMPLATE, UINT64_MAX, "deep");

    char *maps = nest("'map',", "'upper'", "", 300), *mapped = nest("{{ 'a'|map(", maps, ")|list }}", 1);
    refuse(mapped, "{}", MOTE_E_TEMPLATE, UINT64_MAX, "too many arguments");
    free(ifs), free(list), free(json), free(objects), free(fors), free(elifs), free(whole), free(maps),
        free(mapped);
}

static void work_is_bounded(void **state) {
    (void)state;
    refuse("{{ range(1000000000000) }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "range is too long");
    refuse("{% set r = range(9999) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}", "{}",
           MOTE_E_TEMPLATE, UINT64_MAX, "too much work");
    refuse("{% set l = [1] %}{% for x in l %}{% set _ = l.append(1) %}{% endfor %}", "{}", MOTE_E_MEMORY,
           UINT64_MAX, "memory");
    refuse("{{ 'a' * 1000000000000 }}", "{}", MOTE_E_ROOM, UINT64_MAX, "does not fit");
    refuse("{{ [1] * 1000000000000 }}", "{}", MOTE_E_MEMORY, UINT64_MAX, "memory");
    static const char doubling[] =
        "{% set l = [1] %}{% for i in range(60) %}{{ '' if l.append([l[-1], l[-1]]) }}{% endfor %}";
    char *equal = nest(doubling, "{{ l[-1] == l[-1] }}", "", 1),
         *json = nest(doubling, "{{ l[-1]|tojson }}", "", 1);
    refuse(equal, "{}", MOTE_E_TEMPLATE, UINT64_MAX, "too much work");
    refuse(json, "{}", MOTE_E_ROOM, UINT64_MAX, "does not fit");
    free(equal), free(json);
    refuse("{{ 'x'|indent(1000000000000) }}", "{}", MOTE_E_ROOM, UINT64_MAX, "does not fit");
    refuse("{{ [[1]]|tojson(indent=1000000000000) }}", "{}", MOTE_E_ROOM, UINT64_MAX, "does not fit");
    refuse("{{ 9223372036854775807 + 1 }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "no int of 64 bits");
    refuse("{{ -9223372036854775807 * 3 }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "no int of 64 bits");
    refuse("{{ (-9223372036854775807 - 1) // -1 }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "no int of 64 bits");
    refuse("{{ -(-9223372036854775807 - 1) }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "no int of 64 bits");
    refuse("{{ 1 % 0 }}", "{}", MOTE_E_TEMPLATE, UINT64_MAX, "division by zero");
    expect("{{ (-9223372036854775807 - 1) % -1 }} {{ 1e400 }} {{ -1e-400 }}", "{}", "0 inf -0.0");
    expect("{{ 'abc'[-9223372036854775807:9223372036854775807:9223372036854775807] }}", "{}", "a");
    expect("{{ 'abc'[9223372036854775807:-9223372036854775807:-9223372036854775807] }}", "{}", "c");
}

static void bytes_that_are_no_utf8(void **state) {
    (void)state;
    expect("{{ '\xff\xc3'|length }}{{ '\xe2\x82'[0]|length }}{{ 'a\xff' [::-1] }}", "{}",
           "21\xff"
           "a");
    expect("{{ x|upper }}{{ x|tojson }}{{ x.strip() }}", "{\"x\": \" \xff\x80z \"}",
           " \xff\x80Z \" \xef\xbf\xbd\xef\xbf\xbdz \"\xff\x80z");
}

static void json_string(void **state) {
    (void)state;
    char buffer[64];
    size_t n = 1;
    assert_true(mote_text_json_string(text("a\"\\\n\x01é\xff"), NULL, buffer, sizeof buffer, &n));
    assert_memory_equal(buffer + 1, "\"a\\\"\\\\\\n\\u0001é\xef\xbf\xbd\"", n - 1);
    size_t whole = n;
    for (size_t room = 1; room < whole; room++) {
        n = 1;
        char *exact = malloc(room + 1);
        assert_false(mote_text_json_string(text("a\"\\\n\x01é\xff"), NULL, exact, room, &n));
        assert_int_equal(n, 1);
        free(exact);
    }
}

static void numbers(void **state) {
    (void)state;
    /* the shortest digits, at the ends of the range and where the gap below a float is half the one above */
    expect(
        "{{ x|tojson }}",
        "{\"x\": [4.9406564584124654e-324, 2.2250738585072011e-308, 2.2250738585072014e-308, "
        "1.7976931348623158e308,"
        " 9007199254740993.0, 1e23, 8.41e21, 9.5e-3, 2e-4, 9.99e-5, 1e15, 1e16, 123456789012345680.0, 0.1, "
        "-0.0]}",
        "[5e-324, 2.225073858507201e-308, 2.2250738585072014e-308, 1.7976931348623157e+308, "
        "9007199254740992.0, 1e+23,"
        " 8.41e+21, 0.0095, 0.0002, 9.99e-05, 1000000000000000.0, 1e+16, 1.2345678901234568e+17, 0.1, -0.0]");
    /* exactly half way between two floats: to even; a digit far behind decides otherwise */
    expect("{{ 1.00000000000000011102230246251565404236316680908203125 }} "
           "{{ 1.000000000000000111022302462515654042363166809082031250000000000000000000001 }}",
           "{}", "1.0 1.0000000000000002");
    expect("{{ 9223372036854775807 }} {{ 9223372036854775808 }} {{ 1000 }}", "{}",
           "9223372036854775807 9.223372036854776e+18 1000");
}

/* Every size of work and output block up to enough: refused cleanly, then the same text. */
static void every_block_size(void **state) {
    (void)state;
    const char *source =
        "{% macro m(a, b=2) %}{{ a ~ b }}{% endmacro %}{{ m(x.k[0]) }}c"
        "{% set s %}{{ x|tojson(indent=2, sort_keys=true) }}{% endset %}{% for k, v in x.items() if v %}"
        "{{ loop.index }}{{ k|upper }}{{ [v]|sort|join(',') }}{% endfor %}{{ s[::-1]|replace('a', 'bb') }}";
    const char *variables = "{\"x\": {\"k\": [\"a\\u00e9\", 1.5], \"e\": {}}}";
    static char whole[1024];
    size_t n_whole = 0, reached = 0;
    assert_int_equal(render(source, variables, &n_whole, NULL), MOTE_OK);
    memcpy(whole, out, n_whole);
    for (size_t bytes = 0; bytes < 64 << 10; bytes += 8) {
        void *block = malloc(bytes + 1);
        size_t n = 0;
        mote_status status = mote_text_template_render(text(source), text(variables), 0, block, bytes, out,
                                                       sizeof out, &n, NULL);
        assert_true(status == MOTE_OK || status == MOTE_E_MEMORY);
        if (status == MOTE_OK) {
            assert_int_equal(n, n_whole);
            assert_memory_equal(out, whole, n);
            reached++;
        } else {
            assert_int_equal(reached, 0);
        }
        free(block);
    }
    assert_true(reached > 0);
    reached = 0;
    for (size_t room = 0; room < 1024; room++) {
        char *exact = malloc(room + 1);
        size_t n = 0;
        mote_status status = mote_text_template_render(text(source), text(variables), 0, work, sizeof work,
                                                       exact, room, &n, NULL);
        assert_true(status == MOTE_E_ROOM || (status == MOTE_OK && n == n_whole && !memcmp(exact, whole, n)));
        reached += status == MOTE_OK;
        free(exact);
    }
    assert_true(reached > 0);
}

/* A template cut anywhere fails or renders, and says where within itself. */
static void every_prefix(void **state) {
    (void)state;
    const char *source =
        "a {%- for (k, v) in {'a': [1, 2.5e-3]}.items() if not v is none -%} {{- k[0:1:1] ~ v|join('\\x41') "
        "}}"
        "{#- c -#}{% if k in 'abc' and 1 <= 2 or x.y %}{% elif 2 ** 3 %}{% else %}{% endif %}{% endfor +%}\n"
        "{% set ns = namespace(a=1) %}{% set ns.a, b %}{% raw %}{{{% endraw %}{% endset %}";
    for (size_t n_source = 0; n_source <= strlen(source); n_source++) {
        char *cut = malloc(n_source + 1);
        size_t n = 0;
        mote_error error;
        memcpy(cut, source, n_source);
        mote_status status = mote_text_template_render((mote_text){cut, n_source}, text("{}"), 0, work,
                                                       sizeof work, out, sizeof out, &n, &error);
        assert_true(status == MOTE_OK || status == MOTE_E_TEMPLATE);
        if (status) assert_true(error.where <= n_source);
        free(cut);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat),
        cmocka_unit_test(dates),
        cmocka_unit_test(places),
        cmocka_unit_test(json_refused),
        cmocka_unit_test(depth),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(bytes_that_are_no_utf8),
        cmocka_unit_test(json_string),
        cmocka_unit_test(numbers),
        cmocka_unit_test(every_block_size),
        cmocka_unit_test(every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
