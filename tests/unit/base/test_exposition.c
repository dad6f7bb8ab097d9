/* The two text formats, and histograms. */
#include "base/exposition.h"

#include <string.h>

#include "suite.h"

static char text[65536];
static size_t size;
static size_t pieces;
static wsf_exposition out;

static void append(void *user, const char *piece, size_t piece_size) {
    ck_assert_ptr_eq(user, &out);
    ck_assert_uint_le(size + piece_size, sizeof text - 1);
    memcpy(text + size, piece, piece_size);
    size += piece_size;
    text[size] = '\0';
    pieces++;
}

static void begin(bool openmetrics) {
    size = pieces = 0;
    text[0] = '\0';
    wsf_exposition_begin(&out, openmetrics, append, &out);
}

static void expect(const char *expected) {
    wsf_exposition_end(&out);
    ck_assert_str_eq(text, expected);
}

static const wsf_label NONE[] = { { NULL, NULL } };
static const wsf_label TWO[] = { { "peer", "beta" }, { "state", "up" }, { NULL, NULL } };

START_TEST(a_counter_ends_in_total_and_openmetrics_names_its_family_without) {
    static const wsf_metric metric = { "x_sent_bytes", "Bytes.", WSF_METRIC_COUNTER };
    begin(false);
    wsf_exposition_family(&out, &metric);
    wsf_exposition_sample(&out, &metric, NONE, 7);
    expect("# HELP x_sent_bytes_total Bytes.\n# TYPE x_sent_bytes_total counter\n"
           "x_sent_bytes_total 7\n");
    begin(true);
    wsf_exposition_family(&out, &metric);
    wsf_exposition_sample(&out, &metric, NONE, 7);
    expect("# HELP x_sent_bytes Bytes.\n# TYPE x_sent_bytes counter\n# UNIT x_sent_bytes bytes\n"
           "x_sent_bytes_total 7\n");
}
END_TEST

START_TEST(a_gauge_has_its_own_name_and_an_info_is_a_gauge_for_prometheus) {
    static const wsf_metric gauge = { "x", "X.", WSF_METRIC_GAUGE };
    static const wsf_metric info = { "y", "Y.", WSF_METRIC_INFO };
    begin(false);
    wsf_exposition_family(&out, &gauge);
    wsf_exposition_sample(&out, &gauge, TWO, UINT64_MAX);
    wsf_exposition_family(&out, &info);
    wsf_exposition_sample(&out, &info, TWO, 1);
    expect("# HELP x X.\n# TYPE x gauge\nx{peer=\"beta\",state=\"up\"} 18446744073709551615\n"
           "# HELP y_info Y.\n# TYPE y_info gauge\ny_info{peer=\"beta\",state=\"up\"} 1\n");
    begin(true);
    wsf_exposition_family(&out, &info);
    wsf_exposition_sample(&out, &info, TWO, 1);
    expect("# HELP y Y.\n# TYPE y info\ny_info{peer=\"beta\",state=\"up\"} 1\n");
}
END_TEST

START_TEST(label_values_are_escaped) {
    static const wsf_metric metric = { "x", "X.", WSF_METRIC_GAUGE };
    wsf_label labels[] = { { "peer", "a\"b\\c\nd{}=,\xc3\xa4" }, { NULL, NULL } };
    begin(false);
    wsf_exposition_sample(&out, &metric, labels, 0);
    expect("x{peer=\"a\\\"b\\\\c\\nd{}=,\xc3\xa4\"} 0\n");
}
END_TEST

START_TEST(a_text_longer_than_the_buffer_comes_in_pieces_and_whole) {
    static const wsf_metric metric = { "x", "X.", WSF_METRIC_GAUGE };
    begin(false);
    for (uint64_t i = 0; i < 3000; i++)
        wsf_exposition_sample(&out, &metric, NONE, i % 10);
    wsf_exposition_end(&out);
    ck_assert_uint_eq(size, 3000 * strlen("x 0\n"));
    ck_assert_uint_eq(pieces, (size + sizeof out.buffer - 1) / sizeof out.buffer);
    for (uint64_t i = 0; i < 3000; i++)
        ck_assert_int_eq(text[4 * i + 2], (int)('0' + i % 10));
}
END_TEST

static uint64_t bucket_of(uint64_t value, uint64_t first) {
    static const wsf_histogram empty;
    wsf_histogram histogram;
    wsf_histogram_counts counts;
    memcpy(&histogram, &empty, sizeof histogram);
    wsf_histogram_add(&histogram, value, first);
    wsf_histogram_read(&histogram, &counts);
    ck_assert_uint_eq(counts.sum, value);
    for (uint64_t i = 0; i < WSF_HISTOGRAM_BUCKETS; i++)
        if (counts.buckets[i] == 1)
            return i;
    ck_abort_msg("no bucket has it");
}

START_TEST(a_value_is_in_the_first_bucket_whose_bound_is_not_below_it) {
    for (uint64_t first = 1; first <= 16; first += 15) {
        ck_assert_uint_eq(bucket_of(0, first), 0);
        ck_assert_uint_eq(bucket_of(UINT64_MAX, first), WSF_HISTOGRAM_BUCKETS - 1);
        for (unsigned i = 0; i < WSF_HISTOGRAM_BUCKETS - 1; i++) {
            ck_assert_uint_eq(bucket_of(first << i, first), i);
            ck_assert_uint_eq(bucket_of((first << i) + 1, first), i + 1);
        }
    }
}
END_TEST

START_TEST(buckets_are_cumulative_and_values_above_the_last_bound_are_infinite) {
    static const wsf_metric metric = { "x_seconds", "X.", WSF_METRIC_HISTOGRAM };
    static const wsf_histogram_scale ms = { 1, 1000, 3 };
    static const wsf_histogram_scale us = { 16, 1, 1 };
    static const wsf_label one[] = { { "peer", "beta" }, { NULL, NULL } };
    wsf_histogram_counts counts = { .buckets = { 5, 0, 2, 1, 1 }, .sum = 2500 };
    begin(true);
    wsf_exposition_family(&out, &metric);
    wsf_exposition_histogram(&out, &metric, NONE, &counts, &ms);
    expect("# HELP x_seconds X.\n# TYPE x_seconds histogram\n# UNIT x_seconds seconds\n"
           "x_seconds_bucket{le=\"0.001\"} 5\nx_seconds_bucket{le=\"0.002\"} 5\n"
           "x_seconds_bucket{le=\"0.004\"} 7\nx_seconds_bucket{le=\"+Inf\"} 9\n"
           "x_seconds_sum 2.5\nx_seconds_count 9\n");
    begin(false);
    wsf_exposition_histogram(&out, &metric, one, &counts, &us);
    expect("x_seconds_bucket{peer=\"beta\",le=\"0.000016\"} 5\n"
           "x_seconds_bucket{peer=\"beta\",le=\"+Inf\"} 9\n"
           "x_seconds_sum{peer=\"beta\"} 0.0025\nx_seconds_count{peer=\"beta\"} 9\n");
}
END_TEST

SUITE_MAIN("exposition", a_counter_ends_in_total_and_openmetrics_names_its_family_without,
           a_gauge_has_its_own_name_and_an_info_is_a_gauge_for_prometheus, label_values_are_escaped,
           a_text_longer_than_the_buffer_comes_in_pieces_and_whole,
           a_value_is_in_the_first_bucket_whose_bound_is_not_below_it,
           buckets_are_cumulative_and_values_above_the_last_bound_are_infinite)
