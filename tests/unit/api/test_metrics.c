/* Metrics of nodes on real sockets, as a scraper gets them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <wsfan/metrics.h>

#include "api/metrics_rows.h"
#include "failing.h"
#include "replica.h"

/* ------------------------------------------------------------------------------------- the text */

typedef struct {
    char text[256 * 1024];
    size_t size;
} scrape_page;

static scrape_page scraped;

static void append(void *user, const char *text, size_t size) {
    scrape_page *page = user;
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_lt(page->size + size, sizeof page->text);
    memcpy(page->text + page->size, text, size);
    page->size += size;
    page->text[page->size] = '\0';
}

static const char *scrape(int i, wsfan_metrics_format format) {
    scraped.size = 0;
    ck_assert_int_eq(wsfan_metrics_write(replicas[i].node, format, append, &scraped), WSFAN_OK);
    return scraped.text;
}

/* The value of a sample, whose name and labels are given; -1: there is none. */
static double value(const char *sample) {
    size_t size = strlen(sample);
    for (const char *line = scraped.text; line != NULL && *line != '\0';
         line = strchr(line, '\n') + 1)
        if (strncmp(line, sample, size) == 0 && line[size] == ' ')
            return atof(line + size);
    return -1;
}

static double sample(int i, const char *name) {
    scrape(i, WSFAN_METRICS_PROMETHEUS);
    return value(name);
}

/* Each sample stands once, behind the lines of its family, and each family in one place. */
static unsigned check_grammar(const char *text, bool openmetrics) {
    static char families[256][96], samples[4096][160];
    unsigned families_count = 0, samples_count = 0;
    while (*text != '\0') {
        char line[512], name[96];
        size_t size = strcspn(text, "\n");
        ck_assert_int_eq(text[size], '\n');
        ck_assert_uint_lt(size, sizeof line);
        snprintf(line, sizeof line, "%.*s", (int)size, text);
        text += size + 1;
        if (sscanf(line, "# HELP %95s", name) == 1) {
            for (unsigned i = 0; i < families_count; i++)
                ck_assert_str_ne(families[i], name);
            ck_assert_uint_lt(families_count, 256);
            strcpy(families[families_count++], name);
        } else if (line[0] == '#') {
            ck_assert_int_eq(sscanf(line, "# %*s %95s", name), 1);
            ck_assert_str_eq(name, families[families_count - 1]);
        } else {
            ck_assert_uint_gt(families_count, 0);
            const char *family = families[families_count - 1];
            size_t family_size = strlen(family);
            ck_assert_msg(strncmp(line, family, family_size) == 0, "%s behind %s", line, family);
            ck_assert_ptr_nonnull(strchr("_{ ", line[family_size]));
            *strrchr(line, ' ') = '\0';
            for (unsigned i = 0; i < samples_count; i++)
                ck_assert_str_ne(samples[i], line);
            ck_assert_uint_lt(samples_count, 4096);
            ck_assert_uint_lt(strlen(line), sizeof samples[0]);
            strcpy(samples[samples_count++], line);
        }
    }
    ck_assert(openmetrics || strstr(scraped.text, "# UNIT") == NULL);
    return samples_count;
}

/* ---------------------------------------------------------------------------------------- tests */

/* Bytes of a struct that no row tells. */
static size_t untold(const wsf_metrics_table *table, size_t struct_size) {
    char told[1024] = { 0 };
    size_t count = 0;
    for (size_t r = 0; r < table->count; r++)
        for (size_t i = 0; i < table->rows[r].size; i++) {
            ck_assert_uint_lt(table->rows[r].offset + i, struct_size);
            ck_assert_int_eq(told[table->rows[r].offset + i]++, 0);
        }
    for (size_t i = 0; i < struct_size; i++)
        count += told[i] == 0;
    return count;
}

#define BYTES(type, field) sizeof(((type *)0)->field)
enum { PADDING = 8 }; /* below this */

START_TEST(every_statistic_has_a_metric) {
    ck_assert_uint_lt(untold(&wsf_metrics_node, sizeof(wsfan_stats)) - sizeof(size_t) -
                          BYTES(wsfan_stats, dropped) - BYTES(wsfan_stats, recoveries),
                      PADDING);
    ck_assert_uint_lt(untold(&wsf_metrics_peer, sizeof(wsfan_peer_stats)) - sizeof(size_t) -
                          BYTES(wsfan_peer_stats, node) - BYTES(wsfan_peer_stats, name) -
                          BYTES(wsfan_peer_stats, endpoint) - BYTES(wsfan_peer_stats, state),
                      PADDING);
    ck_assert_uint_lt(untold(&wsf_metrics_loop, sizeof(wsfan_loop_stats)) - sizeof(size_t),
                      PADDING);
    ck_assert_uint_lt(untold(&wsf_metrics_outbound, sizeof(wsfan_outbound_stats)) - sizeof(size_t) -
                          BYTES(wsfan_outbound_stats, dropped),
                      PADDING);
}
END_TEST

/* One allocator for all, as a process has it. */
static wsfan_options options_of(const char *endpoint) {
    wsfan_options options = quick_options(endpoint);
    options.allocator = &FAILING;
    return options;
}

static void start_two(void) {
    replica_start(0, options_of("tcp://127.0.0.1:*"), NULL, 0, NULL);
    const char *peers[] = { replica_endpoint(0) };
    replica_start(1, options_of("tcp://127.0.0.1:*"), peers, 1, NULL);
    WAIT(replica_up(0, 1) && replica_up(1, 0));
}

START_TEST(a_page_tells_what_happened_on_both_nodes) {
    start_two();
    replica_join(0, "x");
    replica_join(1, "x");
    for (int i = 0; i < 10; i++)
        replica_broadcast(0, "x", "hello");
    WAIT(replicas[0].messages == 10 && replicas[1].messages == 10);
    WAIT(sample(0, "wsfan_peer_round_trip_seconds_count{peer=\"n1\"}") > 0);

    ck_assert_double_eq(value("wsfan_ready"), 1);
    ck_assert_double_eq(value("wsfan_sessions"), 1);
    ck_assert_double_eq(value("wsfan_peers"), 1);
    ck_assert_double_eq(value("wsfan_published_messages_total"), 10);
    ck_assert_double_eq(value("wsfan_published_payload_bytes_total"), 50);
    ck_assert_double_eq(value("wsfan_peer_sent_messages_total{peer=\"n1\"}"), 10);
    ck_assert_double_eq(value("wsfan_peer_state{peer=\"n1\",state=\"up\"}"), 1);
    ck_assert_double_eq(value("wsfan_peer_state{peer=\"n1\",state=\"down\"}"), 0);
    ck_assert_double_eq(value("wsfan_loop_sessions{loop=\"0\"}"), 1);
    ck_assert_double_eq(value("wsfan_loop_memberships{loop=\"0\"}"), 2);
    ck_assert_double_eq(value("wsfan_loop_dispatched_messages_total{loop=\"0\"}"), 10);
    ck_assert_double_eq(value("wsfan_dropped_total{reason=\"too_big\"}"), 0);
    ck_assert_double_eq(value("wsfan_recoveries_total{recovery=\"whole\"}"), 0);
    /* At least the first; others while the mesh thread still works at those before. */
    double timed = value("wsfan_loop_dispatch_seconds_count{loop=\"0\"}");
    ck_assert(timed >= 1 && timed <= 10);
    ck_assert_double_gt(value("wsfan_loop_dispatch_seconds_sum{loop=\"0\"}"), 0);
    ck_assert_double_eq(value("wsfan_join_seconds_count"), 2); /* the session's user, and x */

    ck_assert_double_eq(sample(1, "wsfan_received_messages_total"), 10);
    ck_assert_double_eq(value("wsfan_loop_dispatch_seconds_count{loop=\"0\"}"), 0);
    ck_assert_double_eq(value("wsfan_peer_received_messages_total{peer=\"n0\"}"), 10);
    replicas_stop();
}
END_TEST

START_TEST(leaving_is_told_without_a_dispatch) {
    replica_start(0, options_of(NULL), NULL, 0, NULL);
    replica_join(0, "x");
    ck_assert_double_eq(sample(0, "wsfan_loop_memberships{loop=\"0\"}"), 2);
    ck_assert_int_eq(wsfan_session_leave(replicas[0].loop, replicas[0].session, wsfan_string("x")),
                     WSFAN_OK);
    ck_assert_double_eq(sample(0, "wsfan_loop_memberships{loop=\"0\"}"), 1);
    ck_assert_int_eq(wsfan_session_close(replicas[0].loop, replicas[0].session), WSFAN_OK);
    ck_assert_double_eq(sample(0, "wsfan_loop_memberships{loop=\"0\"}"), 0);
    ck_assert_double_eq(value("wsfan_loop_sessions{loop=\"0\"}"), 0);
    replicas_stop();
}
END_TEST

START_TEST(both_formats_have_the_same_samples_each_once) {
    start_two();
    unsigned plain = check_grammar(scrape(0, WSFAN_METRICS_PROMETHEUS), false);
    ck_assert_uint_gt(plain, 100);
    ck_assert_uint_eq(check_grammar(scrape(0, WSFAN_METRICS_OPENMETRICS), true), plain);
    ck_assert_ptr_null(strstr(scraped.text, "EOF"));
    ck_assert_ptr_nonnull(strstr(scraped.text, "\n# TYPE wsfan_published_messages counter\n"));
    ck_assert_str_eq(wsfan_metrics_content_type(WSFAN_METRICS_PROMETHEUS),
                     "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_str_eq(wsfan_metrics_content_type(WSFAN_METRICS_OPENMETRICS),
                     "application/openmetrics-text; version=1.0.0; charset=utf-8");
    replicas_stop();
}
END_TEST

static unsigned named_peers(int i) {
    unsigned count = 0;
    for (const char *at = scrape(i, WSFAN_METRICS_PROMETHEUS);
         (at = strstr(at, "\nwsfan_peer_info{")) != NULL; at++)
        count++;
    return count;
}

/* The second node of a name is refused, again and again. */
START_TEST(of_two_nodes_of_one_name_one_is_told) {
    replica_start(0, options_of("tcp://127.0.0.1:*"), NULL, 0, NULL);
    wsfan_options options = options_of("tcp://127.0.0.1:*");
    const char *peers[] = { replica_endpoint(0) };
    wsfan_node *twins[2];
    options.name = "twin";
    options.peers = peers;
    options.peers_count = 1;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(wsfan_node_open(&twins[i], &options), WSFAN_OK);
    WAIT(sample(0, "wsfan_peer_state{peer=\"twin\",state=\"up\"}") == 1);
    WAIT(replicas[0].refused > 0);
    ck_assert_uint_eq(named_peers(0), 1);
    check_grammar(scraped.text, false);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(wsfan_node_close(twins[i]), WSFAN_OK);
    replicas_stop();
}
END_TEST

START_TEST(a_queue_sum_is_told_as_far_as_its_struct_goes) {
    wsfan_outbound_stats sum = { .struct_size = sizeof sum, .count = 3, .pushed = 9 };
    sum.dropped[WSFAN_OUTBOUND_DROP_OLDEST] = 4;
    scraped.size = 0;
    ck_assert_int_eq(wsfan_metrics_write_outbound(&sum, WSFAN_METRICS_PROMETHEUS, append, &scraped),
                     WSFAN_OK);
    check_grammar(scraped.text, false);
    ck_assert_double_eq(value("wsfan_outbound_items"), 3);
    ck_assert_double_eq(value("wsfan_outbound_pushed_items_total"), 9);
    ck_assert_double_eq(value("wsfan_outbound_dropped_items_total{reason=\"oldest\"}"), 4);

    sum.struct_size = offsetof(wsfan_outbound_stats, pushed);
    scraped.size = 0;
    ck_assert_int_eq(wsfan_metrics_write_outbound(&sum, WSFAN_METRICS_PROMETHEUS, append, &scraped),
                     WSFAN_OK);
    ck_assert_double_eq(value("wsfan_outbound_items"), 3);
    ck_assert_double_eq(value("wsfan_outbound_pushed_items_total"), -1);
    ck_assert_double_eq(value("wsfan_outbound_dropped_items_total{reason=\"oldest\"}"), -1);

    sum.struct_size = 0;
    ck_assert_int_eq(wsfan_metrics_write_outbound(&sum, WSFAN_METRICS_PROMETHEUS, append, &scraped),
                     WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_metrics_write_outbound(NULL, WSFAN_METRICS_PROMETHEUS, append, &scraped),
                     WSFAN_EINVAL);
}
END_TEST

static void never(void *user, const char *text, size_t size) {
    (void)user, (void)text, (void)size;
    ck_abort_msg("nothing is written on an error");
}

START_TEST(an_error_writes_nothing) {
    replica_start(0, options_of(NULL), NULL, 0, NULL);
    wsfan_node *node = replicas[0].node;
    ck_assert_int_eq(wsfan_metrics_write(NULL, WSFAN_METRICS_PROMETHEUS, never, NULL),
                     WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_metrics_write(node, WSFAN_METRICS_PROMETHEUS, NULL, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_metrics_write(node, (wsfan_metrics_format)2, never, NULL), WSFAN_EINVAL);
    atomic_store(&fail_at, 0);
    ck_assert_int_eq(wsfan_metrics_write(node, WSFAN_METRICS_PROMETHEUS, never, NULL),
                     WSFAN_ENOMEM);
    atomic_store(&fail_at, NEVER);
    replicas_stop();
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

static atomic_bool stop;

static void count_bytes(void *user, const char *text, size_t size) {
    (void)text;
    *(size_t *)user += size;
}

static void *scrape_on(void *user) {
    size_t size = 0;
    while (!atomic_load(&stop))
        if (wsfan_metrics_write(user, WSFAN_METRICS_OPENMETRICS, count_bytes, &size) != WSFAN_OK)
            abort();
    return NULL;
}

/* What ThreadSanitizer has something to say about. */
START_TEST(any_thread_may_scrape_while_loops_work_and_come_and_go) {
    static const wsfan_callbacks none = { .struct_size = sizeof none };
    pthread_t thread;
    start_two();
    replica_join(0, "x");
    ck_assert_int_eq(pthread_create(&thread, NULL, scrape_on, replicas[0].node), 0);
    for (unsigned i = 1; i <= 200; i++) {
        wsfan_loop *loop;
        ck_assert_int_eq(wsfan_loop_open(&loop, replicas[0].node, &none, NULL), WSFAN_OK);
        replica_broadcast(0, "x", "hello");
        replica_broadcast(1, "x", "hello");
        WAIT(replicas[0].messages >= 2 * i);
        ck_assert_int_eq(wsfan_loop_close(loop), WSFAN_OK);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    replicas_stop();
}
END_TEST

SUITE_MAIN("metrics", every_statistic_has_a_metric, a_page_tells_what_happened_on_both_nodes,
           leaving_is_told_without_a_dispatch, both_formats_have_the_same_samples_each_once,
           of_two_nodes_of_one_name_one_is_told, a_queue_sum_is_told_as_far_as_its_struct_goes,
           an_error_writes_nothing, any_thread_may_scrape_while_loops_work_and_come_and_go)
