#include "message/run.h"

#include "base/memory.h"
#include "runs.h"

static wsf_run_writer writer;
static const wsf_message_parts PARTS = { .targets_count = 1 };

static uint32_t count_heads(const wsfan_message *run) {
    uint32_t count = 0;
    for (const wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
        count++;
    ck_assert_uint_eq(count, run->run->heads_count);
    return count;
}

START_TEST(it_keeps_copies_of_all_that_was_written) {
    char chat[] = "chat";
    char payload[] = "hello";
    wsfan_message *run = run_begin(&writer, 4 * WSF_RUN_BYTES_MIN);
    ck_assert_uint_eq(run->count, 0);
    ck_assert(run_write(&writer, chat, (wsfan_address){ 3, 4 }, wsfan_string(payload)));
    ck_assert(run_write(&writer, "other", RUN_NOBODY, (wsfan_bytes){ NULL, 0 }));
    ck_assert(run_write(&writer, chat, (wsfan_address){ 3, 4 }, wsfan_string("again")));
    memset(chat, 'x', 4);
    memset(payload, 'x', 5);
    ck_assert(wsf_message_is_run(run));
    ck_assert_uint_eq(run->count, 3);
    ck_assert_uint_eq(run->payload_size, 10);
    ck_assert_uint_eq(count_heads(run), 2);
    const wsf_run_head *head = wsf_run_head_of(run, 0);
    ck_assert_ptr_eq(head, wsf_run_head_of(run, 2));
    ck_assert_uint_eq(head->number, 0);
    ck_assert_uint_eq(wsf_run_head_of(run, 1)->number, 1);
    ck_assert_uint_eq(wsf_run_name(head).size, 4);
    ck_assert_mem_eq(wsf_run_name(head).data, "chat", 4);
    ck_assert_uint_eq(head->except.node, 3);
    ck_assert_uint_eq(head->except.session, 4);
    ck_assert_int_eq(head->target.kind, WSFAN_CHAT);
    ck_assert_mem_eq((const uint8_t *)run + head->target.name_offset, "chat", 4);
    ck_assert_mem_eq(wsf_run_payload(run, 0).data, "hello", 5);
    ck_assert_uint_eq(wsf_run_payload(run, 1).size, 0);
    ck_assert_mem_eq(wsf_run_payload(run, 2).data, "again", 5);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(run->run->entries[i].offset, i);
    wsfan_message_unref(run);
}
END_TEST

/* Kind, name, flags and `except` all matter, and nothing else. */
START_TEST(a_head_is_found_again_by_all_that_messages_have_in_common) {
    static const char *const names[] = { "a", "b", "aaaaaaaaaaaaaaaa", "aaaaaaaaXaaaaaaaa", "aa" };
    enum { HEADS = 5 * 2 * 2 * 3, ROUNDS = 3 };
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    for (unsigned n = 0; n < HEADS * ROUNDS; n++) {
        unsigned which = n / 2 % HEADS; /* each twice, one after the other */
        wsfan_target target = { which / 5 % 2 == 0 ? WSFAN_CHAT : WSFAN_USER,
                                wsfan_string(names[which % 5]) };
        static const wsfan_address excepts[] = { { 0, 0 }, { 1, 7 }, { 2, 7 } };
        wsf_message_parts parts = PARTS;
        parts.targets = &target;
        parts.flags = which / 10 % 2 == 0 ? 0 : WSFAN_BINARY;
        parts.except = excepts[which / 20];
        parts.payload = wsfan_string("p");
        ck_assert(wsf_run_write(&writer, &parts));
        const wsf_run_head *head = wsf_run_head_of(run, n);
        ck_assert_int_eq(head->target.kind, target.kind);
        ck_assert_uint_eq(wsf_run_name(head).size, target.name.size);
        ck_assert_mem_eq(wsf_run_name(head).data, target.name.data, target.name.size);
        ck_assert_uint_eq(head->flags, parts.flags);
        ck_assert_uint_eq(head->except.node, parts.except.node);
        ck_assert_uint_eq(head->except.session, parts.except.session);
        if (n % 2 == 1)
            ck_assert_ptr_eq(head, wsf_run_head_of(run, n - 1));
    }
    ck_assert_uint_ge(count_heads(run), HEADS);
    ck_assert_uint_le(count_heads(run), HEADS * ROUNDS / 2);
    wsfan_message_unref(run);
}
END_TEST

START_TEST(a_few_chats_in_turns_need_one_head_each) {
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    for (uint32_t i = 0; i < 900; i++) {
        char chat[3] = { 'c', (char)('0' + i % 3), '\0' };
        run_say(&writer, chat, i, 4);
    }
    ck_assert_uint_eq(count_heads(run), 3);
    wsfan_message_unref(run);
}
END_TEST

START_TEST(only_small_messages_to_one_chat_or_user_that_are_no_latest_values_are_in_runs) {
    static uint8_t payload[WSF_RUN_PAYLOAD_MAX + 1];
    wsfan_target targets[] = { { WSFAN_CHAT, { "c", 1 } }, { WSFAN_CHAT, { "d", 1 } } };
    wsf_message_parts parts = PARTS;
    parts.targets = targets;
    parts.payload = (wsfan_bytes){ payload, WSF_RUN_PAYLOAD_MAX };
    ck_assert(wsf_run_may_have(&parts));
    parts.payload.size++;
    ck_assert(!wsf_run_may_have(&parts));
    parts.payload.size = 1;
    parts.targets_count = 2;
    ck_assert(!wsf_run_may_have(&parts));
    parts.targets_count = 1;
    parts.slot = 1;
    ck_assert(!wsf_run_may_have(&parts));
    parts.slot = 0;
    parts.apart = true;
    ck_assert(!wsf_run_may_have(&parts));
    parts.apart = false;
    static const wsfan_target_kind kinds[] = { WSFAN_ALL,        WSFAN_SESSION,  WSFAN_NODE,
                                               WSFAN_NOT_CHAT,   WSFAN_NOT_USER, WSFAN_NOT_NODE,
                                               WSFAN_NOT_SESSION };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        targets[0].kind = kinds[i];
        ck_assert(!wsf_run_may_have(&parts));
    }
    targets[0].kind = WSFAN_USER;
    ck_assert(wsf_run_may_have(&parts));
}
END_TEST

/* ------------------------------------------------------------------------------------- limits */

static void check_numbers(const wsfan_message *run, uint32_t first) {
    for (uint32_t i = 0; i < run->count; i++)
        ck_assert_uint_eq(number_of(wsf_run_payload(run, i)), first + i);
}

START_TEST(a_run_ends_with_its_entries_its_memory_or_its_heads) {
    static uint8_t payload[2000];
    for (size_t bytes = 4 * WSF_RUN_BYTES_MIN; bytes <= WSF_RUN_BYTES_MAX; bytes *= 2)
        for (size_t size = 4; size < sizeof payload; size = size * 3 + 1) {
            wsfan_message *run = run_begin(&writer, bytes);
            uint32_t count = 0;
            while (run_write(&writer, "chat", RUN_NOBODY, numbered(payload, count, size)))
                count++;
            ck_assert_uint_eq(run->count, count);
            ck_assert_uint_gt(count, 0);
            ck_assert_uint_le(count, bytes / WSF_RUN_SHARE_MIN);
            if (size <= 4) /* there is an entry for so many bytes */
                ck_assert_uint_eq(count, bytes / WSF_RUN_SHARE_MIN);
            /* The first payload is not written over, nor the head: it is as it was. */
            check_numbers(run, 0);
            ck_assert_mem_eq(wsf_run_name(wsf_run_head_of(run, count - 1)).data, "chat", 4);
            ck_assert_uint_eq(wsf_message_size(run), bytes);
            /* A message without room leaves no trace: a smaller one is taken, if there is an entry. */
            bool more = run_write(&writer, "chat", RUN_NOBODY, (wsfan_bytes){ NULL, 0 });
            ck_assert_int_eq(more, count < bytes / WSF_RUN_SHARE_MIN);
            ck_assert_uint_eq(run->payload_size, count * size);
            wsfan_message_unref(run);
        }
}
END_TEST

START_TEST(payloads_and_heads_meet_and_do_not_touch_each_other) {
    static uint8_t payload[100];
    uint64_t random = 4;
    for (unsigned round = 0; round < 50; round++) {
        wsfan_message *run = run_begin(&writer, 4 * WSF_RUN_BYTES_MIN);
        char name[120];
        uint32_t count = 0;
        for (;; count++) {
            memset(name, 'a' + (int)count, sizeof name);
            name[1 + next_random(&random) % 100] = '\0';
            if (!run_write(&writer, name, RUN_NOBODY,
                           numbered(payload, count, 4 + next_random(&random) % 90)))
                break;
        }
        check_numbers(run, 0);
        for (uint32_t i = 0; i < count; i++) {
            wsfan_bytes found = wsf_run_name(wsf_run_head_of(run, i));
            for (size_t k = 0; k < found.size; k++)
                ck_assert_uint_eq(((const uint8_t *)found.data)[k], (uint8_t)('a' + i));
        }
        wsfan_message_unref(run);
    }
}
END_TEST

START_TEST(a_run_has_so_many_heads_and_no_more) {
    wsfan_message *run = wsf_run_new_for(0, 0, (WSF_RUN_HEADS_MAX + 1) * wsf_run_head_bytes(4));
    for (uint32_t i = 0; i <= WSF_RUN_HEADS_MAX; i++) {
        wsfan_target target = { WSFAN_USER, { &i, 4 } };
        wsf_message_parts parts = PARTS;
        parts.targets = &target;
        const wsf_run_head *head = wsf_run_add_head(run, &parts);
        ck_assert_int_eq(head == NULL, i == WSF_RUN_HEADS_MAX);
        if (head != NULL) {
            ck_assert_ptr_eq(wsf_run_head_at(run, wsf_run_place(run, head)), head);
            ck_assert_uint_eq(head->number, i);
        }
    }
    ck_assert_uint_eq(count_heads(run), WSF_RUN_HEADS_MAX);
    ck_assert_uint_eq(run->run->name_bytes, 4 * WSF_RUN_HEADS_MAX);
    wsfan_message_unref(run);
}
END_TEST

START_TEST(heads_end_where_their_places_do) {
    static char name[60000];
    size_t each = wsf_run_head_bytes(sizeof name);
    wsfan_message *run = wsf_run_new_for(0, 0, 30 * each);
    wsfan_target target = { WSFAN_CHAT, { name, sizeof name } };
    wsf_message_parts parts = PARTS;
    parts.targets = &target;
    unsigned count = 0;
    const wsf_run_head *head;
    while ((head = wsf_run_add_head(run, &parts)) != NULL) {
        ck_assert_ptr_eq(wsf_run_head_at(run, wsf_run_place(run, head)), head);
        count++;
    }
    ck_assert_uint_eq(count, UINT16_MAX * 16 / each);
    wsfan_message_unref(run);
}
END_TEST

START_TEST(a_run_for_just_so_much_has_room_for_just_so_much) {
    static uint8_t payload[200];
    for (uint32_t count = 1; count < 40; count++) {
        size_t size = 4 + count * 3;
        wsfan_message *run = wsf_run_new_for(count, count * size, 2 * wsf_run_head_bytes(4));
        wsf_run_begin_writing(&writer, run);
        for (uint32_t i = 0; i < count; i++)
            ck_assert(run_write(&writer, i % 2 == 0 ? "even" : "odds", RUN_NOBODY,
                                numbered(payload, i, size)));
        ck_assert(!run_write(&writer, "even", RUN_NOBODY, wsfan_string("more")));
        check_numbers(run, 0);
        wsfan_message_unref(run); /* a sanitizer watches */
    }
}
END_TEST

/* ------------------------------------------------------------------------------------- copying */

START_TEST(a_part_of_a_run_has_what_is_wanted_of_the_span_with_its_clocks) {
    static uint8_t payload[64];
    uint64_t random = 6;
    for (unsigned round = 0; round < 100; round++) {
        wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
        enum { COUNT = 60, CHATS = 8 };
        for (uint32_t i = 0; i < COUNT; i++) {
            char chat[2] = { (char)('a' + next_random(&random) % CHATS), '\0' };
            wsfan_address except = { next_random(&random) % 2, 0 };
            except.session = except.node;
            ck_assert(run_write(&writer, chat, except,
                                numbered(payload, i, 4 + next_random(&random) % 60)));
        }
        run->id = (wsfan_message_id){ UINT64_C(1) << 40, 9 };
        run->published = 5;
        for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;) {
            head->wanted = next_random(&random) % 2 == 0;
            head->loops = head->number + 1u;
            head->target.hash = head->number + 100u;
        }
        wsf_run_head_of(run, COUNT - 1)->wanted = true;
        wsf_span span = { run, (uint32_t)(next_random(&random) % 20), COUNT };
        wsfan_message *part = wsf_run_pick(span);
        ck_assert_ptr_nonnull(part);
        uint32_t at = 0;
        uint64_t bytes = 0;
        for (uint32_t i = span.from; i < span.to; i++) {
            const wsf_run_head *head = wsf_run_head_of(run, i);
            if (!head->wanted)
                continue;
            const wsf_run_head *copy = wsf_run_head_of(part, at);
            ck_assert_uint_eq(number_of(wsf_run_payload(part, at)), i);
            ck_assert_uint_eq(part->id.clock + part->run->entries[at].offset, run->id.clock + i);
            ck_assert_mem_eq(wsf_run_name(copy).data, wsf_run_name(head).data, 1);
            ck_assert_uint_eq(copy->except.session, head->except.session);
            ck_assert_uint_eq(copy->loops, head->loops);
            ck_assert_uint_eq(copy->target.hash, head->target.hash);
            bytes += wsf_run_payload(run, i).size;
            at++;
        }
        ck_assert_uint_eq(part->count, at);
        ck_assert_uint_eq(part->payload_size, bytes);
        ck_assert_uint_eq(part->id.origin, 9);
        ck_assert_uint_le(count_heads(part), count_heads(run));
        ck_assert_uint_eq(part->published,
                          span.from == 0 && wsf_run_head_of(run, 0)->wanted ? 5 : 0);
        wsf_span all = wsf_span_of(part);
        ck_assert_uint_eq(wsf_span_clock(all), part->id.clock + part->run->entries[0].offset);
        /* A part of the part. */
        run_want_all(part, true);
        wsfan_message *last = wsf_run_pick((wsf_span){ part, at - 1, at });
        ck_assert_uint_eq(last->count, 1);
        ck_assert_uint_eq(number_of(wsf_run_payload(last, 0)), COUNT - 1);
        ck_assert_uint_eq(wsf_span_clock(wsf_span_of(last)), run->id.clock + COUNT - 1);
        ck_assert_uint_eq(count_heads(last), 1);
        wsfan_message_unref(run);
        wsfan_message_unref(part);
        wsfan_message_unref(last);
    }
}
END_TEST

START_TEST(a_run_that_is_mostly_empty_is_copied_into_memory_of_its_size) {
    wsfan_message *run = run_of(3, "x", 40);
    run->item.kind = 77;
    run->published = 12;
    wsfan_message *fit = wsf_run_fit(run);
    ck_assert_ptr_ne(fit, run); /* which is gone */
    ck_assert_uint_lt(wsf_message_size(fit), 1000);
    ck_assert_uint_eq(fit->count, 3);
    ck_assert_uint_eq(fit->published, 12);
    check_numbers(fit, 0);
    ck_assert_ptr_eq(wsf_run_fit(fit), fit);
    wsfan_message_unref(fit);
    run = run_of(100, "x", 1000);
    ck_assert_ptr_eq(wsf_run_fit(run), run);
    wsfan_message_unref(run);
}
END_TEST

/* --------------------------------------------------------------------------------------- spans */

START_TEST(the_bytes_of_spans_add_up_to_those_of_the_run) {
    uint64_t random = 7;
    for (uint32_t count = 1; count < 200; count += 13) {
        wsfan_message *run = run_of(count, "x", 4 + count % 50);
        for (unsigned round = 0; round < 20; round++) {
            uint64_t bytes = 0;
            uint64_t payload_bytes = 0;
            for (uint32_t from = 0; from < count;) {
                uint32_t to = from + 1 + (uint32_t)(next_random(&random) % (count - from));
                wsf_span span = { run, from, to };
                ck_assert_uint_eq(wsf_span_count(span), to - from);
                ck_assert_uint_eq(wsf_span_clock(span), run->id.clock + from);
                bytes += wsf_span_bytes(span);
                payload_bytes += wsf_span_payload_bytes(span);
                from = to;
            }
            ck_assert_uint_eq(bytes, wsf_message_size(run));
            ck_assert_uint_eq(payload_bytes, run->payload_size);
        }
        wsfan_message_unref(run);
    }
}
END_TEST

START_TEST(the_payloads_of_a_large_run_are_apart_when_it_is_whole) {
    wsfan_message *run = run_of(WSF_RUN_APART_MIN / 64, "x", 64);
    ck_assert(wsf_span_is_apart(wsf_span_of(run)));
    ck_assert(!wsf_span_is_apart((wsf_span){ run, 0, run->count - 1 }));
    ck_assert(!wsf_span_is_apart((wsf_span){ run, 1, run->count }));
    wsfan_message_unref(run);
    run = run_of(WSF_RUN_APART_MIN / 64 - 1, "x", 64);
    ck_assert(!wsf_span_is_apart(wsf_span_of(run)));
    wsfan_message_unref(run);
}
END_TEST

START_TEST(a_body_keeps_the_run_and_is_there_again_after_its_last_reference) {
    wsfan_message *run = run_of(200, "x", 64);
    for (unsigned round = 0; round < 3; round++) {
        wsf_buffer *body = wsf_run_body(run);
        ck_assert_ptr_eq(body->data, wsf_run_payload(run, 0).data);
        ck_assert_uint_eq(body->size, run->payload_size);
        ck_assert_ptr_null(body->rest);
        ck_assert_ptr_eq(wsf_run_body(run), body);
        wsf_buffer_unref(wsf_buffer_ref(body));
        body->checksum = 77; /* stays with it */
        wsf_buffer_unref(body);
        ck_assert_uint_eq(atomic_load(&body->refs), 1);
        wsf_buffer_unref(body);
        ck_assert_uint_eq(atomic_load(&body->refs), 0);
        body = wsf_run_body(run);
        ck_assert_uint_eq(body->checksum, 77);
        wsf_buffer_unref(body);
    }
    wsf_buffer *body = wsf_run_body(run);
    wsfan_message_unref(run);
    uint32_t number;
    memcpy(&number, body->data + 199 * 64, sizeof number); /* it is still there */
    ck_assert_uint_eq(number, 199);
    wsf_buffer_unref(body); /* and goes now: a sanitizer watches */
}
END_TEST

/* ------------------------------------------------------------------------------------- opening */

static void check_opened(const wsfan_message *message, const wsfan_message *run, uint32_t i) {
    const wsf_run_head *head = wsf_run_head_of(run, i);
    ck_assert(!wsf_message_is_run(message));
    ck_assert_uint_eq(message->count, 1);
    ck_assert_uint_eq(number_of(wsfan_message_payload(message)), i);
    ck_assert_uint_eq(wsfan_message_payload(message).size, wsf_run_payload(run, i).size);
    ck_assert_uint_eq((uintptr_t)wsfan_message_payload(message).data % 16, 0);
    ck_assert_uint_eq(message->id.clock, run->id.clock + i);
    ck_assert_uint_eq(message->id.origin, run->id.origin);
    ck_assert_uint_eq(message->flags, head->flags);
    ck_assert_uint_eq(message->except.session, head->except.session);
    ck_assert_uint_eq(message->targets[0].hash, head->target.hash);
    ck_assert_uint_eq(wsfan_message_targets_count(message), 1);
    wsfan_target target = wsfan_message_target(message, 0);
    ck_assert_uint_eq(target.name.size, wsf_run_name(head).size);
    ck_assert_mem_eq(target.name.data, wsf_run_name(head).data, target.name.size);
    ck_assert(!message->taken && !message->in_inbox && !message->shared);
    ck_assert_ptr_null(message->receipt);
    ck_assert_ptr_null(message->frame);
}

START_TEST(messages_of_a_run_are_made_as_their_heads_say) {
    enum { COUNT = 300, HEADROOM = 5 };
    static const size_t sizes[] = { 4, 100, WSF_MESSAGE_SMALL - 300, WSF_MESSAGE_SMALL,
                                    WSF_SLICE_MIN - 1 };
    static const char name[] = "a name that is longer than two words"; /* and every shorter one */
    static uint8_t payload[WSF_SLICE_MIN];
    wsf_message_pool pool = { 0 };
    wsfan_message *made[COUNT];
    char names[COUNT][sizeof name];
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    for (uint32_t i = 0; i < COUNT; i++) {
        size_t size = i % 9 == 8 ? sizes[i / 9 % 5] : 4 + i % 60;
        size_t name_size = 1 + i / 3 % (sizeof name - 1);
        memcpy(names[i], name, name_size);
        names[i][name_size] = 0;
        ck_assert(run_write(&writer, names[i], (wsfan_address){ 1, 1 + i / 50 },
                            numbered(payload, i, size)));
    }
    run->id = (wsfan_message_id){ 1000, 9 };
    for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
        head->target.hash = head->number + 100u;
    for (uint32_t i = 0; i < COUNT; i++) {
        made[i] = wsf_run_open(&pool, run, i, HEADROOM);
        ck_assert_ptr_nonnull(made[i]);
        memset(wsfan_message_headroom(made[i], HEADROOM), 0xee, HEADROOM);
        ck_assert_ptr_null(wsfan_message_headroom(made[i], HEADROOM + 1));
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        check_opened(made[i], run, i);
        ck_assert_mem_eq(wsfan_message_target(made[i], 0).name.data, names[i], strlen(names[i]));
    }
    wsfan_message_unref(run); /* they do not need it */
    wsf_message_pool_close(&pool);
    for (uint32_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(number_of(wsfan_message_payload(made[i])), i);
        wsfan_message_unref(made[i]);
    }
}
END_TEST

START_TEST(payloads_may_lie_in_a_frame_which_stays_then) {
    enum { COUNT = 10, SIZE = 20 };
    wsf_buffer *frame = wsf_buffer_new(16 + COUNT * SIZE);
    frame->size = frame->capacity;
    for (uint32_t i = 0; i < COUNT; i++)
        numbered(frame->data + 16 + i * SIZE, i, SIZE);
    wsfan_bytes payloads = { frame->data + 16, COUNT * SIZE };
    for (unsigned in_frame = 0; in_frame < 2; in_frame++) {
        wsfan_message *run = wsf_run_new_for(COUNT, in_frame ? 0 : payloads.size,
                                             wsf_run_head_bytes(1));
        uint64_t size = wsf_message_size(run);
        wsfan_target target = { WSFAN_CHAT, { "c", 1 } };
        wsf_message_parts parts = PARTS;
        parts.targets = &target;
        uint16_t place = wsf_run_place(run, wsf_run_add_head(run, &parts));
        for (uint32_t i = 0; i < COUNT; i++)
            run->run->entries[i] = (wsf_run_entry){ (i + 1) * SIZE, place, (uint16_t)i };
        wsf_run_set(run, COUNT, payloads, in_frame ? frame : NULL);
        ck_assert_uint_eq(run->count, COUNT);
        ck_assert_uint_eq(run->payload_size, payloads.size);
        ck_assert_uint_eq(wsf_message_size(run), size + (in_frame ? payloads.size : 0));
        ck_assert_uint_eq(atomic_load(&frame->refs), 1 + in_frame);
        check_numbers(run, 0);
        ck_assert_int_eq(run->payload == payloads.data, in_frame == 1);
        run_want_all(run, true);
        wsfan_message *part = wsf_run_pick((wsf_span){ run, 3, 7 });
        wsfan_message_unref(run);
        ck_assert_uint_eq(atomic_load(&frame->refs), 1);
        check_numbers(part, 3);
        wsfan_message_unref(part);
    }
    wsf_buffer_unref(frame);
}
END_TEST

SUITE_MAIN("run", it_keeps_copies_of_all_that_was_written,
           a_head_is_found_again_by_all_that_messages_have_in_common,
           a_few_chats_in_turns_need_one_head_each,
           only_small_messages_to_one_chat_or_user_that_are_no_latest_values_are_in_runs,
           a_run_ends_with_its_entries_its_memory_or_its_heads,
           payloads_and_heads_meet_and_do_not_touch_each_other, a_run_has_so_many_heads_and_no_more,
           heads_end_where_their_places_do, a_run_for_just_so_much_has_room_for_just_so_much,
           a_part_of_a_run_has_what_is_wanted_of_the_span_with_its_clocks,
           a_run_that_is_mostly_empty_is_copied_into_memory_of_its_size,
           the_bytes_of_spans_add_up_to_those_of_the_run,
           the_payloads_of_a_large_run_are_apart_when_it_is_whole,
           a_body_keeps_the_run_and_is_there_again_after_its_last_reference,
           messages_of_a_run_are_made_as_their_heads_say,
           payloads_may_lie_in_a_frame_which_stays_then)
