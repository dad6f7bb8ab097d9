/* Every option: its range at both ends, and what it bounds at the limit and one above. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <wsfan/outbound.h>
#include <wsfan/peers.h>
#include <wsfan/presence.h>
#include <wsfan/requests.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "api/options.h"
#include "suite.h"

static wsfan_options defaults(void) {
    wsfan_options options;
    wsfan_options_init(&options);
    return options;
}

static int read_options(const wsfan_options *given) {
    wsfan_options options;
    return wsf_options_read(&options, given);
}

typedef struct {
    const char *name;
    size_t offset;
    size_t size;
    uint64_t min;
    uint64_t max;
} range;

#define RANGE(field, min, max)                                                                     \
    { #field, offsetof(wsfan_options, field), sizeof(((wsfan_options *)0)->field), min, max }

static void set(wsfan_options *options, const range *r, uint64_t value) {
    uint32_t narrow = (uint32_t)value;
    if (r->size == sizeof narrow)
        memcpy((char *)options + r->offset, &narrow, sizeof narrow);
    else
        memcpy((char *)options + r->offset, &value, sizeof value);
}

/* Which field wsfan_options_check() names. */
static const char *faulty(const wsfan_options *options, int error) {
    const char *field = "nothing was told";
    ck_assert_int_eq(wsfan_options_check(options, NULL), error);
    ck_assert_int_eq(wsfan_options_check(options, &field), error);
    return field;
}

/* Of two times of which one must be above the other, the later field is named. */
static const char *pair_of(const char *field, bool above) {
    static const char *const times[] = { "heartbeat_ms", "silent_ms", "down_ms", "forget_ms" };
    for (size_t i = 0; i + 1 < sizeof times / sizeof *times; i++)
        if (above && strcmp(field, times[i]) == 0)
            return times[i + 1];
    return field;
}

START_TEST(each_number_is_checked_at_both_ends) {
    static const range ranges[] = {
        RANGE(headroom_bytes, 0, 4096),
        RANGE(payload_bytes_max, 1, 64 * 1024 * 1024),
        RANGE(name_bytes_max, 1, 65535),
        RANGE(targets_count_max, 1, 1024),
        RANGE(loops_count_max, 1, 64),
        RANGE(peers_count_max, 1, 255),
        RANGE(sessions_count_max, 1, 16777215),
        RANGE(chats_count_max, 1, 16777215),
        RANGE(chats_per_session_count_max, 1, 65535),
        RANGE(remote_chats_count_max, 1, 268435456),
        RANGE(publish_queue_count_max, 1, UINT32_MAX),
        RANGE(publish_queue_bytes_max, 1, UINT64_MAX),
        RANGE(inbox_count_max, 1, UINT32_MAX),
        RANGE(inbox_bytes_max, 1, UINT64_MAX),
        RANGE(link_window_bytes, 65536, UINT32_MAX),
        RANGE(link_queue_count_max, 1, UINT32_MAX),
        RANGE(link_queue_bytes_max, 1, UINT64_MAX),
        RANGE(interest_log_count_max, 64, 16777216),
        RANGE(heartbeat_ms, 10, 2999), /* below silent_ms */
        RANGE(silent_ms, 1001, 9999),  /* between heartbeat_ms and down_ms */
        RANGE(down_ms, 3001, 119999),  /* between silent_ms and forget_ms */
        RANGE(forget_ms, 10001, UINT32_MAX),
        RANGE(join_ms_max, 1, UINT32_MAX),
        RANGE(close_ms_max, 0, UINT32_MAX),
        RANGE(dns_interval_ms, 100, 3600000),
        RANGE(requests_count_max, 1, 65536),
        RANGE(request_ms_max, 1, UINT32_MAX),
        RANGE(placement_weight, 0, 1000),
        RANGE(publisher_only, 0, 1),
        RANGE(presence_metadata_bytes_max, 0, 4096),
        RANGE(presence_members_count_max, 1, 16777216),
        RANGE(presence_remote_count_max, 1, 268435456),
        RANGE(presence_grace_ms, 0, 600000),
        RANGE(history_count_max, 1, 65536),
        RANGE(history_chat_bytes_max, 1024, 1048576),
        RANGE(history_bytes_max, 1048576, UINT64_MAX),
        RANGE(history_copies, 0, 3),
        RANGE(recover_ms_max, 1, UINT32_MAX),
        RANGE(recoveries_count_max, 1, UINT32_MAX),
        RANGE(links_bytes_max, 1048576, UINT64_MAX),
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const range *r = &ranges[i];
        uint64_t type_max = r->size == 4 ? UINT32_MAX : UINT64_MAX;
        wsfan_options options = defaults();
        set(&options, r, r->min);
        ck_assert_msg(read_options(&options) == WSFAN_OK, "%s at its least", r->name);
        set(&options, r, r->max);
        ck_assert_msg(read_options(&options) == WSFAN_OK, "%s at its most", r->name);
        if (r->min > 0) {
            set(&options, r, r->min - 1);
            ck_assert_msg(read_options(&options) == WSFAN_EINVAL, "%s below", r->name);
            ck_assert_str_eq(faulty(&options, WSFAN_EINVAL), pair_of(r->name, false));
        }
        if (r->max < type_max) {
            set(&options, r, r->max + 1);
            ck_assert_msg(read_options(&options) == WSFAN_EINVAL, "%s above", r->name);
            ck_assert_str_eq(faulty(&options, WSFAN_EINVAL), pair_of(r->name, true));
        }
    }
    wsfan_options options = defaults();
    options.interest_log_count_max = 100; /* no power of two */
    ck_assert_str_eq(faulty(&options, WSFAN_EINVAL), "interest_log_count_max");
}
END_TEST

/* Sets one field to what is not right, and checks that it is named. */
#define IS_NAMED(field, value, error)                                                              \
    do {                                                                                           \
        wsfan_options wrong = options;                                                             \
        wrong.field = (value);                                                                     \
        ck_assert_str_eq(faulty(&wrong, error), #field);                                           \
    } while (0)

#define KEY "0123456789012345678901234567890123456789" /* no pair is made of it here */

START_TEST(what_is_wrong_is_named) {
    static const char *const peers[] = { "tcp://127.0.0.1:7000", "127.0.0.1:7000" };
    static const char *const allow[] = { NULL };
    static const char *const keys[] = { KEY, "short" };
    static const wsfan_allocator part = { NULL, NULL, NULL, NULL };
    char long_text[300];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    wsfan_options options = defaults();
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = peers;
    options.peers_count = 1;
    options.secret_key = KEY;
    ck_assert_ptr_null(faulty(&options, WSFAN_OK));
    ck_assert_str_eq(faulty(NULL, WSFAN_EINVAL), "struct_size");
    IS_NAMED(struct_size, 0, WSFAN_EINVAL);
    IS_NAMED(struct_size, SIZE_MAX, WSFAN_EINVAL);
    IS_NAMED(cluster, NULL, WSFAN_EINVAL);
    IS_NAMED(cluster, long_text, WSFAN_ETOOBIG);
    IS_NAMED(name, "a\nb", WSFAN_EINVAL);
    IS_NAMED(name, long_text, WSFAN_ETOOBIG);
    IS_NAMED(public_address, "a b", WSFAN_EINVAL);
    IS_NAMED(public_address, long_text, WSFAN_ETOOBIG);
    IS_NAMED(endpoint, "127.0.0.1:1", WSFAN_EENDPOINT);
    IS_NAMED(advertise, "tcp://name:1", WSFAN_EENDPOINT);
    IS_NAMED(peers, NULL, WSFAN_EINVAL);
    IS_NAMED(peers, allow, WSFAN_EINVAL);
    IS_NAMED(peers, peers + 1, WSFAN_EENDPOINT);
    IS_NAMED(peers_count, 256, WSFAN_EINVAL);
    IS_NAMED(slow_peer, (wsfan_slow_peer)2, WSFAN_EINVAL);
    IS_NAMED(result_ms_max, 0, WSFAN_EINVAL);
    IS_NAMED(key_file, "mesh.key", WSFAN_EINVAL); /* which of the two keys? */
    IS_NAMED(allocator, &part, WSFAN_EINVAL);
    options.allow_count = 1;
    IS_NAMED(allow, NULL, WSFAN_EINVAL);
    IS_NAMED(allow, allow, WSFAN_EINVAL);
    IS_NAMED(allow, keys + 1, WSFAN_EKEY);
    IS_NAMED(secret_key, "", WSFAN_EKEY);
    IS_NAMED(secret_key, "short", WSFAN_EKEY);
    IS_NAMED(secret_key, KEY "0", WSFAN_EKEY);
    options.allow = keys;
    ck_assert_ptr_null(faulty(&options, WSFAN_OK));
    IS_NAMED(allow, keys + 1, WSFAN_EKEY);
    IS_NAMED(allow_count, WSFAN_KEYS_MAX + 1, WSFAN_ELIMIT);
    options.secret_key = NULL; /* friends, and no key to know them by */
    IS_NAMED(allow_count, 1, WSFAN_EINVAL);
    options.allow_count = 0;
    IS_NAMED(allow_path, "allowed", WSFAN_EINVAL);
    IS_NAMED(allow_insecure, 2, WSFAN_EINVAL);
    IS_NAMED(endpoint, "tcp://*:7000", WSFAN_EINSECURE);
    options.endpoint = NULL; /* nothing of a mesh */
    IS_NAMED(peers_count, 1, WSFAN_EINVAL);
    options.peers_count = 0;
    IS_NAMED(advertise, "tcp://127.0.0.1:1", WSFAN_EINVAL);
}
END_TEST

START_TEST(history_needs_a_key_and_a_loop_less) {
    char key[66];
    memset(key, 'k', sizeof key);
    key[64] = '\0';
    wsfan_options options = defaults();
    options.recover_ms_max = options.join_ms_max + 1; /* of no matter without history */
    options.loops_count_max = 64;
    ck_assert_ptr_null(faulty(&options, WSFAN_OK));
    options = defaults();
    options.history_ms = 3600000;
    ck_assert_str_eq(faulty(&options, WSFAN_EKEY), "history_key");
    options.history_key = key;
    ck_assert_ptr_null(faulty(&options, WSFAN_OK));
    options.recover_ms_max = options.join_ms_max;
    options.loops_count_max = 63;
    ck_assert_ptr_null(faulty(&options, WSFAN_OK));
    IS_NAMED(history_ms, 3600001, WSFAN_EINVAL);
    IS_NAMED(recover_ms_max, options.join_ms_max + 1, WSFAN_EINVAL);
    IS_NAMED(loops_count_max, 64, WSFAN_EINVAL);
    IS_NAMED(history_key, key + 49, WSFAN_EKEY); /* 15 bytes */
    IS_NAMED(history_key, "", WSFAN_EKEY);
    options.history_key = key + 48; /* 16 */
    ck_assert_ptr_null(faulty(&options, WSFAN_OK));
    key[64] = 'k';
    key[65] = '\0';
    IS_NAMED(history_key, key, WSFAN_EKEY);
    options.history_ms = 0; /* nor is a key that would not do taken for later */
    IS_NAMED(history_key, key, WSFAN_EKEY);
    options.history_key = NULL;
    ck_assert_ptr_null(faulty(&options, WSFAN_OK));
}
END_TEST

START_TEST(the_core_gets_what_history_needs) {
    wsfan_options options = defaults();
    ck_assert_uint_eq(wsf_options_core(&options).history_ms, 0);
    options.history_ms = 60000;
    options.history_count_max = 20;
    options.history_chat_bytes_max = 4096;
    options.history_bytes_max = 1 << 20;
    options.history_copies = 2;
    options.recover_ms_max = 3500;
    options.recoveries_count_max = 77;
    options.history_key = "a secret of the nodes";
    wsf_core_config config = wsf_options_core(&options);
    ck_assert_uint_eq(config.history_ms, 60000);
    ck_assert_uint_eq(config.history_count_max, 20);
    ck_assert_uint_eq(config.history_chat_bytes_max, 4096);
    ck_assert_uint_eq(config.history_bytes_max, 1 << 20);
    ck_assert_uint_eq(config.history_copies, 2);
    ck_assert_uint_eq(config.recover_ms_max, 3500);
    ck_assert_uint_eq(config.recoveries_count_max, 77);
    options.history_key = "another secret, as long";
    wsf_core_config other = wsf_options_core(&options);
    ck_assert_mem_ne(&config.history_key, &other.history_key, sizeof other.history_key);
}
END_TEST

START_TEST(a_node_that_is_not_opened_for_a_key_says_what_the_check_says) {
    static const char *const allow[] = { "short" };
    wsfan_node *node;
    wsfan_options options = defaults();
    options.secret_key = "short";
    errno = 0;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_EKEY);
    ck_assert_int_eq(errno, EINVAL);
    options.secret_key = KEY;
    options.allow = allow;
    options.allow_count = 1;
    errno = 0;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_EKEY);
    ck_assert_int_eq(errno, EINVAL);
    options.allow_count = WSFAN_KEYS_MAX + 1;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_ELIMIT);
    options = defaults();
    options.history_ms = 1;
    options.history_key = "short";
    errno = 0;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_EKEY);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(texts_are_checked_at_both_ends) {
    char text[70];
    wsfan_options options = defaults();
    memset(text, 'x', sizeof text);
    text[32] = '\0';
    options.cluster = text;
    ck_assert_int_eq(read_options(&options), WSFAN_OK);
    text[32] = 'x';
    text[33] = '\0';
    ck_assert_int_eq(read_options(&options), WSFAN_ETOOBIG);
    options.cluster = "";
    ck_assert_int_eq(read_options(&options), WSFAN_EINVAL);
    options.cluster = NULL;
    ck_assert_int_eq(read_options(&options), WSFAN_EINVAL);
    options = defaults();
    text[33] = 'x';
    text[64] = '\0';
    options.name = text;
    ck_assert_int_eq(read_options(&options), WSFAN_OK);
    text[64] = 'x';
    text[65] = '\0';
    ck_assert_int_eq(read_options(&options), WSFAN_ETOOBIG);
    char address[257];
    memset(address, 'a', sizeof address);
    address[255] = '\0';
    options.public_address = address;
    options.name = NULL;
    ck_assert_int_eq(read_options(&options), WSFAN_OK);
    address[255] = 'a';
    address[256] = '\0';
    ck_assert_int_eq(read_options(&options), WSFAN_ETOOBIG);
    options.public_address = "";
    ck_assert_int_eq(read_options(&options), WSFAN_EINVAL);
    options.public_address = NULL;
    options.name = "";
    ck_assert_int_eq(read_options(&options), WSFAN_EINVAL);
}
END_TEST

START_TEST(texts_that_would_break_a_line_are_refused) {
    static const char *const no_names[] = {
        "a\r\nb", "a\tb", "\x1b[2J", "\x7f", "\xff", "\xc2\x9b"
    };
    static const char *const no_addresses[] = { "http://a\r\nSet-Cookie: b=1", "http://a b", "\x7f",
                                                "http://\xff\xfe", "http://ä" };
    wsfan_options options = defaults();
    for (size_t i = 0; i < sizeof no_names / sizeof *no_names; i++) {
        options.name = no_names[i];
        ck_assert_msg(read_options(&options) == WSFAN_EINVAL, "name %zu", i);
        options.name = NULL;
        options.cluster = no_names[i];
        ck_assert_msg(read_options(&options) == WSFAN_EINVAL, "cluster %zu", i);
        options.cluster = "wsfan";
    }
    options.name = "Nürnberg 2";
    ck_assert_int_eq(read_options(&options), WSFAN_OK);
    for (size_t i = 0; i < sizeof no_addresses / sizeof *no_addresses; i++) {
        options.public_address = no_addresses[i];
        ck_assert_msg(read_options(&options) == WSFAN_EINVAL, "address %zu", i);
    }
    options.public_address = "https://[2001:db8::1]:8443/~chat?x=%20!";
    ck_assert_int_eq(read_options(&options), WSFAN_OK);
    options.endpoint = "ipc:///tmp/a\nb";
    ck_assert_int_eq(read_options(&options), WSFAN_EENDPOINT);
}
END_TEST

START_TEST(addresses_are_checked) {
    const char *peers[256];
    wsfan_options options = defaults();
    options.endpoint = "tcp://127.0.0.1:*";
    for (int i = 0; i < 256; i++)
        peers[i] = "tcp://127.0.0.1:7000";
    options.peers = peers;
    options.peers_count = 255;
    ck_assert_int_eq(read_options(&options), WSFAN_OK);
    options.peers_count = 256;
    ck_assert_int_eq(read_options(&options), WSFAN_EINVAL);
    options.peers_count = 1;
    peers[0] = "tcp://127.0.0.1:*";
    ck_assert_int_eq(read_options(&options), WSFAN_EENDPOINT);
    peers[0] = NULL;
    ck_assert_int_eq(read_options(&options), WSFAN_EINVAL);
    for (int i = 0; i < 255; i++)
        peers[i] = i % 2 == 0 ? "dns://chat:7000" : "tcp://chat:7000";
    options.peers_count = 255;
    ck_assert_int_eq(read_options(&options), WSFAN_OK);
    options.peers_count = 1;
    peers[0] = "dns://chat";
    ck_assert_int_eq(read_options(&options), WSFAN_EENDPOINT);
    peers[0] = "tcp://127.0.0.1:7000";
    static const char *const told[] = { "tcp://chat:7000", "dns://chat:7000",
                                        "tcp://localhost:7000", "tcp://0.0.0.0:7000",
                                        "tcp://[fe80::1%lo]:7000" };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        options.advertise = told[i]; /* peers take addresses alone, of one node */
        ck_assert_int_eq(read_options(&options), WSFAN_EENDPOINT);
    }
    options.advertise = NULL;
    options.endpoint = NULL; /* peers without a mesh */
    ck_assert_int_eq(read_options(&options), WSFAN_EINVAL);
    options.endpoint = "127.0.0.1:7000";
    ck_assert_int_eq(read_options(&options), WSFAN_EENDPOINT);
}
END_TEST

START_TEST(an_older_and_shorter_struct_gets_defaults_for_the_rest) {
    wsfan_options read;
    wsfan_options options = defaults();
    options.down_ms = 1; /* behind what the caller knows of */
    options.struct_size = offsetof(wsfan_options, heartbeat_ms);
    ck_assert_int_eq(wsf_options_read(&read, &options), WSFAN_OK);
    ck_assert_uint_eq(read.down_ms, 10000);
    options.struct_size = 0;
    ck_assert_int_eq(wsf_options_read(&read, &options), WSFAN_EINVAL);
    options.struct_size = 100000;
    ck_assert_int_eq(wsf_options_read(&read, &options), WSFAN_EINVAL);
    ck_assert_int_eq(wsf_options_read(&read, NULL), WSFAN_EINVAL);
}
END_TEST

START_TEST(a_newer_and_longer_struct_is_taken_unless_something_new_is_set) {
    struct {
        wsfan_options known;
        uint64_t later;
    } newer;
    wsfan_options read;
    memset(&newer, 0xff, sizeof newer);
    wsfan_options_init_sized(&newer.known, sizeof newer);
    ck_assert_uint_eq(newer.known.struct_size, sizeof newer);
    ck_assert_uint_eq(newer.later, 0);
    newer.known.down_ms = 20000;
    ck_assert_int_eq(wsf_options_read(&read, &newer.known), WSFAN_OK);
    ck_assert_uint_eq(read.down_ms, 20000);
    newer.later = 1;
    ck_assert_int_eq(wsf_options_read(&read, &newer.known), WSFAN_EINVAL);
}
END_TEST

START_TEST(a_program_with_an_older_struct_gets_no_byte_written_behind_it) {
    wsfan_options options;
    memset(&options, 0xee, sizeof options);
    wsfan_options_init_sized(&options, offsetof(wsfan_options, heartbeat_ms));
    ck_assert_uint_eq(options.struct_size, offsetof(wsfan_options, heartbeat_ms));
    ck_assert_str_eq(options.cluster, "wsfan");
    for (size_t i = offsetof(wsfan_options, heartbeat_ms); i < sizeof options; i++)
        ck_assert_uint_eq(((unsigned char *)&options)[i], 0xee);
}
END_TEST

static const wsfan_callbacks NONE = { .struct_size = sizeof NONE };
static char bytes[2000];

START_TEST(names_payloads_and_targets_hold_at_the_limit_and_no_further) {
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session session;
    wsfan_options options = defaults();
    options.name_bytes_max = 20;
    options.payload_bytes_max = 1000;
    options.targets_count_max = 3;
    options.headroom_bytes = 7;
    wsfan_bytes name = { bytes, 20 };
    wsfan_bytes longer = { bytes, 21 };
    wsfan_bytes payload = { bytes, 1000 };
    wsfan_bytes larger = { bytes, 1001 };
    wsfan_bytes none = { NULL, 0 };
    wsfan_bytes broken = { NULL, 1 };
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&loop, node, &NONE, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_open(&session, loop, longer, NULL), WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_session_open(&session, loop, broken, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_open(&session, loop, name, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loop, session, name), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loop, session, name), WSFAN_EEXIST);
    ck_assert_int_eq(wsfan_session_join(loop, session, longer), WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_session_join(loop, session, none), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_join(loop, session, broken), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_broadcast(node, name, payload, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_broadcast(node, name, none, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_broadcast(node, name, larger, NULL), WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_broadcast(node, longer, payload, NULL), WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_broadcast(node, none, payload, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_broadcast(node, name, broken, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_broadcast(NULL, name, payload, NULL), WSFAN_EINVAL);
    wsfan_publish_options bad = { .struct_size = sizeof bad, .flags = WSFAN_REPLAYED };
    ck_assert_int_eq(wsfan_broadcast(node, name, payload, &bad), WSFAN_EINVAL);
    struct {
        wsfan_publish_options known;
        uint64_t later;
    } newer = { { .struct_size = sizeof newer }, 1 };
    ck_assert_int_eq(wsfan_broadcast(node, name, payload, &newer.known), WSFAN_EINVAL);
    wsfan_target targets[4];
    for (int i = 0; i < 4; i++)
        targets[i] = (wsfan_target){ WSFAN_CHAT, name };
    ck_assert_int_eq(wsfan_publish(node, targets, 3, payload, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_publish(node, targets, 4, payload, NULL), WSFAN_ELIMIT);
    ck_assert_int_eq(wsfan_publish(node, targets, 0, payload, NULL), WSFAN_EINVAL);
    targets[1].kind = WSFAN_ALL; /* which has no name */
    ck_assert_int_eq(wsfan_publish(node, targets, 2, payload, NULL), WSFAN_EINVAL);
    targets[1].kind = (wsfan_target_kind)9;
    ck_assert_int_eq(wsfan_publish(node, targets, 2, payload, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_loop_close(loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}
END_TEST

START_TEST(loops_sessions_and_chats_hold_at_the_limit_and_no_further) {
    wsfan_node *node;
    wsfan_loop *loops[3];
    wsfan_session sessions[3];
    wsfan_options options = defaults();
    options.loops_count_max = 2;
    options.sessions_count_max = 2;
    options.chats_count_max = 4;
    options.chats_per_session_count_max = 3;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(wsfan_loop_open(&loops[i], node, &NONE, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&loops[2], node, &NONE, NULL), WSFAN_ELIMIT);
    ck_assert_int_eq(wsfan_loop_close(loops[1]), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&loops[1], node, &NONE, NULL), WSFAN_OK);
    wsfan_bytes user = { "u", 1 };
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(wsfan_session_open(&sessions[i], loops[0], user, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_open(&sessions[2], loops[0], user, NULL), WSFAN_ELIMIT);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(wsfan_session_join(loops[0], sessions[0], (wsfan_bytes){ &"abc"[i], 1 }),
                         WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loops[0], sessions[0], wsfan_string("d")), WSFAN_ELIMIT);
    /* One user and three chats are the four that this loop may have. */
    ck_assert_int_eq(wsfan_session_join(loops[0], sessions[1], wsfan_string("d")), WSFAN_ELIMIT);
    ck_assert_int_eq(wsfan_session_join(loops[0], sessions[1], wsfan_string("a")), WSFAN_OK);
    struct {
        wsfan_stats known;
        uint64_t later; /* than this library */
    } stats = { { .struct_size = sizeof stats }, 7 };
    ck_assert_int_eq(wsfan_node_get_stats(node, &stats.known), WSFAN_OK);
    ck_assert_uint_eq(stats.known.sessions, 2);
    ck_assert_uint_eq(stats.later, 0);
    stats.known.struct_size = SIZE_MAX;
    ck_assert_int_eq(wsfan_node_get_stats(node, &stats.known), WSFAN_EINVAL);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(wsfan_loop_close(loops[i]), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}
END_TEST

/* Publishes until refused; the queue holds what it may, and drains again. */
static void fill_and_drain(wsfan_options options) {
    options.endpoint = "tcp://127.0.0.1:*"; /* without a mesh nothing is queued */
    wsfan_node *node;
    uint64_t accepted = 0;
    unsigned refused = 0;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    while (refused < 10) {
        int error = wsfan_broadcast(node, wsfan_string("x"), (wsfan_bytes){ bytes, 100 }, NULL);
        ck_assert(error == WSFAN_OK || error == WSFAN_EAGAIN);
        accepted += error == WSFAN_OK;
        refused += error == WSFAN_EAGAIN;
    }
    wsfan_stats stats = { .struct_size = sizeof stats };
    do {
        ck_assert_int_eq(wsfan_node_get_stats(node, &stats), WSFAN_OK);
        ck_assert_uint_le(stats.publish_queue_count, options.publish_queue_count_max);
    } while (stats.publish_queue_count > 0 || stats.published < accepted);
    ck_assert_uint_eq(stats.published, accepted);
    ck_assert_uint_eq(stats.published_bytes, accepted * 100);
    ck_assert_uint_eq(stats.publish_queue_bytes, 0);
    ck_assert_uint_eq(stats.dropped[WSFAN_DROP_PUBLISH_QUEUE], refused);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}

START_TEST(a_full_publish_queue_says_try_again_and_nothing_is_lost) {
    wsfan_options options = defaults();
    options.publish_queue_count_max = 3;
    fill_and_drain(options);
    options = defaults();
    options.publish_queue_bytes_max = 1000;
    fill_and_drain(options);
}
END_TEST

/* Each of first..last has a text of its own, and the numbers before and behind them have `unknown`. */
#define HAVE_TEXTS(text, type, first, last, unknown)                                               \
    do {                                                                                           \
        for (int i = (first); i <= (int)(last); i++) {                                             \
            ck_assert_str_ne(text((type)i), unknown);                                              \
            for (int j = (first); j < i; j++)                                                      \
                ck_assert_str_ne(text((type)i), text((type)j));                                    \
        }                                                                                          \
        ck_assert_str_eq(text((type)((int)(first)-1)), unknown);                                   \
        ck_assert_str_eq(text((type)((int)(last) + 1)), unknown);                                  \
    } while (0)

START_TEST(every_code_and_reason_has_a_text) {
    for (int error = WSFAN_EREFUSED; error <= WSFAN_OK; error++)
        ck_assert_str_ne(wsfan_error_text(error), "unknown error");
    ck_assert_str_eq(wsfan_error_text(1), "unknown error");
    ck_assert_str_eq(wsfan_error_text(WSFAN_EREFUSED - 1), "unknown error");
    HAVE_TEXTS(wsfan_drop_text, wsfan_drop, 0, WSFAN_DROP_LIMIT, "unknown reason");
    HAVE_TEXTS(wsfan_drop_name, wsfan_drop, 0, WSFAN_DROP_LIMIT, "unknown");
    HAVE_TEXTS(wsfan_outbound_drop_text, wsfan_outbound_drop, 0, WSFAN_OUTBOUND_DROP_MEMORY,
               "unknown reason");
    HAVE_TEXTS(wsfan_outbound_drop_name, wsfan_outbound_drop, 0, WSFAN_OUTBOUND_DROP_MEMORY,
               "unknown");
    HAVE_TEXTS(wsfan_peer_event_text, wsfan_peer_event, 0, WSFAN_PEER_REFUSED, "unknown");
    HAVE_TEXTS(wsfan_reason_text, wsfan_reason, 0, WSFAN_REASON_ENDED, "unknown reason");
    HAVE_TEXTS(wsfan_gap_reason_text, wsfan_gap_reason, 1, WSFAN_GAP_AWAY, "unknown reason");
    HAVE_TEXTS(wsfan_recovery_text, wsfan_recovery, 0, WSFAN_RECOVERY_OFF, "unknown");
    HAVE_TEXTS(wsfan_member_event_text, wsfan_member_event, 1, WSFAN_MEMBER_LEAVE, "unknown");
    HAVE_TEXTS(wsfan_request_kind_text, wsfan_request_kind, 1, WSFAN_REQUEST_STATS, "unknown");
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", WSFAN_VERSION_MAJOR, WSFAN_VERSION_MINOR,
             WSFAN_VERSION_PATCH);
    ck_assert_str_eq(wsfan_version(), version);
}
END_TEST

static void visit(void *user, const wsfan_member *member) {
    (void)user;
    (void)member;
}

START_TEST(null_in_place_of_an_object_is_an_error_where_a_function_returns_one) {
    const wsfan_session none = { 0 };
    const wsfan_bytes x = wsfan_string("x");
    const wsfan_target to = { WSFAN_CHAT, x };
    const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks };
    wsfan_stats stats = { .struct_size = sizeof stats };
    wsfan_loop_stats loop_stats = { .struct_size = sizeof loop_stats };
    wsfan_outbound_stats outbound_stats = { .struct_size = sizeof outbound_stats };
    wsfan_owner owner = { .struct_size = sizeof owner };
    wsfan_count number = { .struct_size = sizeof number };
    wsfan_session session;
    wsfan_loop *loop;
    void *pointer;
    size_t count;
    uint64_t cursor = 0;
    int item;
    const int errors[] = {
        wsfan_options_check(NULL, NULL),
        wsfan_node_open(NULL, NULL),
        wsfan_node_reload_keys(NULL),
        wsfan_node_allow_keys(NULL, NULL, 0),
        wsfan_node_set_peers(NULL, NULL, 0),
        wsfan_node_set_peers_from(NULL, 0, NULL, 0),
        wsfan_node_ready(NULL),
        wsfan_node_drain(NULL, 0),
        wsfan_node_get_owner(NULL, x, &owner),
        wsfan_node_get_stats(NULL, &stats),
        wsfan_node_get_peers(NULL, NULL, 0, &count),
        wsfan_node_send(NULL, 0, x, NULL),
        wsfan_node_reply(NULL, 1, x),
        wsfan_remote_join(NULL, &to, 1, x, NULL),
        wsfan_remote_leave(NULL, &to, 1, x, NULL),
        wsfan_remote_close(NULL, &to, 1, 1000, x, NULL),
        wsfan_list_sessions(NULL, &to, 1, NULL),
        wsfan_list_chats(NULL, &to, 1, NULL),
        wsfan_list_nodes(NULL, NULL),
        wsfan_publish(NULL, &to, 1, x, NULL),
        wsfan_broadcast(NULL, x, x, NULL),
        wsfan_broadcast_all(NULL, x, NULL),
        wsfan_chat_get_count(NULL, x, &number),
        wsfan_chat_members(NULL, x, &cursor, 1, visit, NULL),
        wsfan_loop_open(&loop, NULL, &callbacks, NULL),
        wsfan_loop_fd(NULL),
        wsfan_loop_dispatch(NULL, 0),
        wsfan_loop_get_stats(NULL, &loop_stats),
        wsfan_loop_get_sessions(NULL, &to, NULL, 0, &count),
        wsfan_session_open(&session, NULL, x, NULL),
        wsfan_session_close(NULL, none),
        wsfan_session_join(NULL, none, x),
        wsfan_session_join_with(NULL, none, x, NULL),
        wsfan_session_leave(NULL, none, x),
        wsfan_session_set_metadata(NULL, none, x, x),
        wsfan_session_is_in(NULL, none, x),
        wsfan_session_get_pointer(NULL, none, &pointer),
        wsfan_outbound_open(NULL, NULL),
        wsfan_outbound_push(NULL, &item, 1, 0),
        wsfan_outbound_get_stats(NULL, &outbound_stats),
        wsfan_address_parse(NULL, x),
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        ck_assert_msg(errors[i] == WSFAN_EINVAL, "call %zu", i);
}
END_TEST

/* What on_joined and the calls of a beginner return most often tells where to look. */
START_TEST(texts_name_the_likeliest_cause) {
    ck_assert_ptr_nonnull(strstr(wsfan_error_text(WSFAN_EINVAL), "struct_size"));
    ck_assert_ptr_nonnull(strstr(wsfan_error_text(WSFAN_EPARTIAL), "missing"));
}
END_TEST

START_TEST(peers_that_are_named_need_descriptors) {
    const char *peers[32];
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    wsfan_options options = defaults();
    options.endpoint = "tcp://127.0.0.1:*";
    for (int i = 0; i < 32; i++)
        peers[i] = "tcp://127.0.0.1:7000";
    options.peers = peers;
    options.peers_count = 32;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4 * 32 - 1, before.rlim_max }), 0);
    errno = 0;
    ck_assert_str_eq(faulty(&options, WSFAN_ESYSTEM), "peers_count");
    ck_assert_int_eq(errno, EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4 * 32, before.rlim_max }), 0);
    ck_assert_ptr_null(faulty(&options, WSFAN_OK));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
END_TEST

SUITE_MAIN("limits", each_number_is_checked_at_both_ends, texts_are_checked_at_both_ends,
           texts_that_would_break_a_line_are_refused, addresses_are_checked,
           peers_that_are_named_need_descriptors, what_is_wrong_is_named,
           history_needs_a_key_and_a_loop_less, the_core_gets_what_history_needs,
           a_node_that_is_not_opened_for_a_key_says_what_the_check_says,
           an_older_and_shorter_struct_gets_defaults_for_the_rest,
           a_newer_and_longer_struct_is_taken_unless_something_new_is_set,
           a_program_with_an_older_struct_gets_no_byte_written_behind_it,
           null_in_place_of_an_object_is_an_error_where_a_function_returns_one,
           texts_name_the_likeliest_cause,
           names_payloads_and_targets_hold_at_the_limit_and_no_further,
           loops_sessions_and_chats_hold_at_the_limit_and_no_further,
           a_full_publish_queue_says_try_again_and_nothing_is_lost,
           every_code_and_reason_has_a_text)
