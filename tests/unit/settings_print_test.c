/* `check --print` prints a configuration that means the same: reading it back and printing that must give the same
 * text. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "settings_support.h"

Suite *settings_print_suite(void);

static char *print_text(const struct settings *settings)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	ck_assert_ptr_nonnull(out);
	settings_print(settings, out);
	fclose(out);
	return text;
}

/* Without the first line, which names the file. */
static const char *print_body(const char *text)
{
	return strchr(text, '\n') + 1;
}

static void assert_same_again(const struct settings *settings)
{
	char *first = print_text(settings);
	struct settings *again = support_settings(first);
	char *second = print_text(again);
	ck_assert_msg(strcmp(print_body(first), print_body(second)) == 0, "got\n%s\nfrom\n%s", second, first);
	settings_free(again);
	free(first);
	free(second);
}

static const char rich[] =
	"prefix: shop.\n"
	"tags: {env: prod, \"a b\": \"x: y # z\", \"$k\": \"$${HOME}\", no: \"no\"}\n"
	"inputs:\n"
	"  - {url: \"udp://0.0.0.0:1\", name: \"l'a\\\"n\", format: json, allow_from: [10.0.0.0/8, \"::1\"], tags: "
        "{via: udp},\n"
	"     event: app.line, unnamed: ignore, receive_buffer: 1MiB}\n"
	"  - {url: \"tcp://[::1]:2\", max_connections: 7, allow_from: any}\n"
	"  - {url: \"fifo:///a b\", mode: 0600, group: adm}\n"
	"  - \"unix://@abstract\"\n"
	"  - \"stdin:\"\n"
	"outputs:\n"
	"  - {url: \"unix:///a\", timers: histogram, origin: {container: web}, cardinality: high, reopen_interval: "
        "off}\n"
	"  - {url: \"stdout:\", dialect: statsd, tags_in_name: true, when_full: drop, filter: [\"**\", \"!a.*\"], "
        "prefix: p_}\n"
	"  - {url: \"tcp://b:1\", dialect: influxdb, resolve_interval: 1h30m, max_datagram: 1000}\n"
	"identify: {fields: [], payload: [p], strip: [\"A::\"]}\n"
	"catalogue:\n  a.b: {aliases: [\"A::B\"], legacy: [c], expects: [d]}\n  e.f:\n"
	"fields:\n"
	"  n: {from: [n, data.m], default: \"\"}\n"
	"  d: {between: [a, b]}\n"
	"  e: [{events: \"a.*\", from: e, default: \"on\"}, {default: ~}]\n"
	"  t: {classify: c, patterns: [{find: [T, \"404\"], is: x}, {when: [\"rc >= 8\"], any: [a], is: y}], missing: "
        "z}\n"
	"lifecycles:\n"
	"  l: {key: [a, b], enter: {\"a.*\": open, a.b: done}, transitions: {open: [done], done: []}, active: [open], "
        "final: done,\n"
	"      duration: {field: d, state: open}, timestamp: t, max_entities: 5, linger: 0s, expire: 1d, in_flight: g, "
        "stuck_after: 5m}\n"
	"  m: {key: a, enter: {a: b}}\n"
	"rules:\n"
	"  - match: [a.b, \"c.*\"]\n"
	"    name: \"12:30\"\n"
	"    tags: {step: \"{step}\", cost: \"$$1 ${1:-}\"}\n"
	"    metrics:\n"
	"      - {counter: \"{event}.x\", value: 3, sample_rate: 0.5, when: [\"a > 1\"], any: [b, \"not c\"], tags: "
        "{k: \"{1}\"}}\n"
	"      - {timer: t, value: d, unit: us}\n"
	"      - event: {title: \"line\\ntwo \\x01\", text: \"\", alert: info, key: k, priority: low, source: s}\n"
	"      - service_check: {name: n, status: warning, message: \"m: \\\\\"}\n"
	"  - {match: d, drop: true}\n"
	"  - {match: e, continue: true, replace: true}\n"
	"  - {match: \"**\", fallback: true, metrics: [{relay: r}]}\n"
	"limits: {line: 4096, names: 1, tag_values: {default: 2, \"x y\": 3}, tag_length: 4KiB}\n"
	"admin: {listen: \"[::1]:9\", api: on}\n"
	"telemetry: {interval: 1m, prefix: \"\", metrics: all}\n"
	"log: {level: error, format: json, quote: 0}\n"
	"sandbox: no\n"
	"shutdown_grace: 0s\n";

START_TEST(a_rich_configuration)
{
	char yaml[sizeof(rich)];
	/* ${1:-} is no variable: it stays, and is no capture either. */
	memcpy(yaml, rich, sizeof(rich));
	struct settings *settings = support_settings(yaml);
	assert_same_again(settings);
	settings_free(settings);
}
END_TEST

START_TEST(what_is_empty)
{
	struct settings *settings = support_settings("fields: {a: {classify: b, patterns}, c: {classify: b, patterns: [], default: d}, "
	                                             "e: {from: []}}\nlifecycles: {}\nrules:\n");
	assert_same_again(settings);
	settings_free(settings);
}
END_TEST

START_TEST(everything_off)
{
	struct settings *settings = support_settings("admin: off\ntelemetry: off\nsandbox: off\n");
	char *text = print_text(settings);
	ck_assert_ptr_nonnull(strstr(text, "\nadmin: off\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ntelemetry: off\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nsandbox: false\n"));
	free(text);
	assert_same_again(settings);
	settings_free(settings);
}
END_TEST

START_TEST(packs)
{
	struct problems problems = {0};
	for (size_t i = 0; pack_at(i); i++) {
		struct settings_request request = {.config = pack_at(i)->name};
		struct settings *settings = settings_load(&request, &problems);
		ck_assert_uint_eq(problems.count, 0);
		assert_same_again(settings);
		settings_free(settings);
	}
}
END_TEST

START_TEST(an_included_pack_is_resolved)
{
	struct settings *settings = support_settings("include: [job]\noutputs: [\"stdout:\"]\n");
	char *text = print_text(settings);
	ck_assert_ptr_null(strstr(text, "include:"));
	ck_assert_ptr_nonnull(strstr(text, "\nrules:\n  - match:"));
	free(text);
	assert_same_again(settings);
	settings_free(settings);
}
END_TEST

START_TEST(files_with_rules_of_their_own_stay)
{
	struct settings *settings = support_settings("include: [job]\nprefix: p.\nrules: [{match: a}]\n");
	char *text = print_text(settings);
	ck_assert_ptr_nonnull(strstr(text, "\ninclude: [job]\nprefix: p.\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nrules:\n  - match: [a]\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n# asked next: job, prefix: "));
	ck_assert_ptr_nonnull(strstr(text, "\n#   - match:"));
	free(text);
	assert_same_again(settings);
	settings_free(settings);
}
END_TEST

START_TEST(a_gauge_keeps_the_prefix_of_its_file)
{
	const struct support_file files[] = {
		{"c.yaml", "include: [a.yaml]\nprefix: c.\nrules: [{match: c}]\n"},
		{"a.yaml", "prefix: a.\nlifecycles: {l: {key: k, enter: {e: s}, active: s, in_flight: g}}\n"},
		{NULL, NULL},
	};
	struct settings *settings;
	support_load(files, NULL, &settings, NULL);
	char *text = print_text(settings);
	ck_assert_ptr_nonnull(strstr(text, "\ninclude: ["));
	ck_assert_ptr_nonnull(strstr(text, "\n# included:\n#   l: {enter:"));
	free(text);
	settings_free(settings);
}
END_TEST

static void clear(void)
{
	support_clear_environment();
}

Suite *settings_print_suite(void)
{
	Suite *suite = suite_create("settings_print");
	TCase *print = tcase_create("print");
	tcase_add_checked_fixture(print, clear, NULL);
	tcase_add_test(print, a_rich_configuration);
	tcase_add_test(print, what_is_empty);
	tcase_add_test(print, everything_off);
	tcase_add_test(print, packs);
	tcase_add_test(print, an_included_pack_is_resolved);
	tcase_add_test(print, files_with_rules_of_their_own_stay);
	tcase_add_test(print, a_gauge_keeps_the_prefix_of_its_file);
	suite_add_tcase(suite, print);
	return suite;
}
