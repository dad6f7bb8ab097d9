/* Pages of lists: order, limits, and pages that are put together. */
#include <string.h>

#include "message/request.h"
#include "suite.h"

static const wsfan_bytes NONE = { NULL, 0 };

static void add(wsf_rows *rows, const char *key, uint64_t count) {
    wsf_rows_add(rows, wsfan_string(key), NONE, wsfan_string("text"), count);
}

static const char *keys(const wsf_rows *rows) {
    static char out[1000];
    size_t size = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        wsfan_bytes key = wsf_row_key(rows->list[i]);
        memcpy(out + size, key.data, key.size);
        size += key.size;
        out[size++] = ' ';
    }
    out[size] = '\0';
    return out;
}

START_TEST(rows_stand_in_order_once_and_add_up) {
    wsf_rows rows;
    wsf_rows_init(&rows, 10);
    add(&rows, "b", 1);
    add(&rows, "a", 2);
    add(&rows, "ba", 1);
    add(&rows, "b", 5);
    wsf_rows_add(&rows, wsfan_string("b"), wsfan_string("a"), NONE, 1); /* a key in two parts */
    ck_assert_str_eq(keys(&rows), "a b ba ");
    ck_assert_uint_eq(rows.list[1]->count, 6);
    ck_assert_uint_eq(rows.list[2]->count, 2);
    ck_assert_mem_eq(wsf_row_text(rows.list[0]).data, "text", 4);
    ck_assert(!rows.more && !rows.failed);
    wsf_rows_destroy(&rows);
}
END_TEST

START_TEST(a_page_holds_its_rows_and_no_more_and_says_so) {
    wsf_rows rows;
    wsf_rows_init(&rows, 3);
    add(&rows, "d", 1);
    add(&rows, "b", 1);
    add(&rows, "c", 1);
    ck_assert(!rows.more);
    add(&rows, "e", 1);
    ck_assert(rows.more);
    add(&rows, "a", 1);
    ck_assert_str_eq(keys(&rows), "a b c ");
    add(&rows, "d", 1); /* which was cut off: nothing behind the last row can be whole */
    ck_assert_str_eq(keys(&rows), "a b c ");
    wsf_rows_destroy(&rows);
}
END_TEST

START_TEST(a_page_holds_its_bytes_and_a_row_of_any_size) {
    static char large[WSF_PAGE_BYTES_MAX];
    wsf_rows rows;
    memset(large, 'x', sizeof large);
    wsf_rows_init(&rows, 10);
    wsf_rows_add(&rows, wsfan_string("b"), NONE, (wsfan_bytes){ large, sizeof large }, 1);
    ck_assert_uint_eq(rows.count, 1);
    ck_assert(!rows.more);
    add(&rows, "a", 1);
    ck_assert_str_eq(keys(&rows), "a ");
    ck_assert(rows.more);
    wsf_rows_destroy(&rows);
    wsf_rows_init(&rows, 10);
    size_t half = WSF_PAGE_BYTES_MAX / 2 - sizeof(wsf_row) - 1;
    wsf_rows_add(&rows, wsfan_string("a"), NONE, (wsfan_bytes){ large, half }, 1);
    wsf_rows_add(&rows, wsfan_string("b"), NONE, (wsfan_bytes){ large, half }, 1);
    ck_assert_uint_eq(rows.count, 2);
    ck_assert_uint_eq(rows.bytes, WSF_PAGE_BYTES_MAX); /* at the limit; one more byte is too many */
    add(&rows, "0", 1);
    ck_assert_str_eq(keys(&rows), "0 a ");
    wsf_rows_destroy(&rows);
}
END_TEST

/* A list that is spread over nodes, some of it at several: read page by page it is the list. */
START_TEST(pages_of_several_nodes_read_one_after_another_are_the_whole_list) {
    enum { NODES = 4, KEYS = 60, ROUNDS = 300 };
    uint64_t random = 9;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t held[NODES][KEYS] = { { 0 } };
        uint64_t total[KEYS] = { 0 };
        uint64_t seen[KEYS] = { 0 };
        for (int n = 0; n < NODES; n++)
            for (int k = 0; k < KEYS; k++) {
                held[n][k] = next_random(&random) % 3 == 0 ? 1 + next_random(&random) % 9 : 0;
                total[k] += held[n][k];
            }
        uint32_t page = 1 + (uint32_t)(next_random(&random) % 20);
        int after = -1;
        for (bool more = true; more;) {
            wsf_rows all;
            wsf_rows_init(&all, page);
            for (int n = 0; n < NODES; n++) {
                wsf_rows part;
                wsf_rows_init(&part, page);
                for (int i = 0; i < KEYS; i++) {
                    int k = (i * 37 + round) % KEYS; /* in any order */
                    uint8_t key = (uint8_t)k;
                    if (k > after && held[n][k] > 0)
                        wsf_rows_add(&part, (wsfan_bytes){ &key, 1 }, NONE, NONE, held[n][k]);
                }
                wsf_rows_merge(&all, &part);
                wsf_rows_destroy(&part);
            }
            ck_assert_uint_le(all.count, page);
            ck_assert(all.count > 0 || !all.more);
            for (uint32_t i = 0; i < all.count; i++) {
                int k = all.list[i]->bytes[0];
                ck_assert_int_gt(k, after);
                after = k;
                seen[k] = all.list[i]->count;
            }
            more = all.more;
            wsf_rows_destroy(&all);
        }
        ck_assert_mem_eq(seen, total, sizeof seen);
    }
}
END_TEST

static unsigned told;

static void check_partial(void *user, const wsfan_reply *reply) {
    ck_assert_ptr_eq(user, &told);
    told++;
    ck_assert_int_eq(reply->kind, WSFAN_REQUEST_JOIN);
    ck_assert_int_eq(reply->status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(reply->sessions, 7);
    ck_assert_uint_eq(reply->sessions_failed, 1);
    ck_assert_uint_eq(reply->answers_count, 3);
    ck_assert_uint_eq(reply->missing_count, 2);
    ck_assert_uint_eq(reply->missing[0], 20); /* silent; and once, though a join names it too */
    ck_assert_uint_eq(reply->missing[1], 40); /* has not acknowledged a join */
}

START_TEST(a_reply_names_who_is_silent_and_who_has_not_acknowledged) {
    wsf_hash_key key;
    wsf_hash_key_init(&key, "test");
    wsfan_target target = { WSFAN_ALL, { NULL, 0 } };
    wsfan_message *message = wsf_message_new(
        &key, &(wsf_message_parts){
                  .targets = &target, .targets_count = 1, .payload = wsfan_string("chat") });
    wsf_request *ask = wsf_request_new(WSFAN_REQUEST_JOIN, message, 0, 1000);
    ck_assert(wsf_request_make_room(ask, 2, NULL, 0));
    for (uint32_t i = 0; i < 3; i++) {
        ask->nodes[i].node = 10 + i * 10;
        ask->nodes[i].open = true;
        ask->open_count++;
    }
    wsf_answer answer;
    wsf_answer_init(&answer, 64);
    answer.sessions = 5;
    ck_assert(wsf_request_answer(ask, 0, &answer));
    ck_assert(!wsf_request_answer(ask, 0, &answer)); /* twice */
    wsf_answer_init(&answer, 64);
    answer.status = WSFAN_ESILENT;
    ck_assert(wsf_request_answer(ask, 1, &answer));
    wsf_answer_init(&answer, 64);
    answer.status = WSFAN_EPARTIAL;
    answer.sessions = 2;
    answer.sessions_failed = 1;
    wsf_answer_name_peer(&answer, 40);
    wsf_answer_name_peer(&answer, 20);
    ck_assert(wsf_request_answer(ask, 2, &answer));
    ck_assert_uint_eq(ask->open_count, 0);
    wsf_request_tell(ask, check_partial, &told);
    ck_assert_uint_eq(told, 1);
    wsf_request_free(ask);
}
END_TEST

SUITE_MAIN("rows", rows_stand_in_order_once_and_add_up,
           a_page_holds_its_rows_and_no_more_and_says_so,
           a_page_holds_its_bytes_and_a_row_of_any_size,
           pages_of_several_nodes_read_one_after_another_are_the_whole_list,
           a_reply_names_who_is_silent_and_who_has_not_acknowledged)
